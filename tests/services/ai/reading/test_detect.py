"""Which kind an asset is: its bytes decide, and for texts also what the client says."""

from __future__ import annotations

import pytest

from artificer_services.ai.reading.detect import detect
from artificer_services.ai.reading.text_reader import TextReader, decoded
from artificer_services.ai.reading.values import AssetKind
from artificer_services.kit.errors import Invalid

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.mark.parametrize(
    ("data", "content_type", "filename", "kind"),
    [
        (b"%PDF-1.7\n", "", "", AssetKind.PDF),
        (b"junk before\n%PDF-1.7\n", "text/plain", "a.txt", AssetKind.PDF),  # the bytes decide
        (PNG, "application/pdf", "a.pdf", AssetKind.IMAGE),
        (b"II*\x00\x08\0\0\0", "", "", AssetKind.IMAGE),
        (b"RIFF\0\0\0\0WEBPVP8 ", "", "", AssetKind.IMAGE),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "", "", AssetKind.IMAGE),
        (b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0", "", "", AssetKind.IMAGE),
        (b"BMW makes cars.", "", "", AssetKind.TEXT),
        (b"P5 is a name.", "", "", AssetKind.TEXT),
        (b"P5 640 480 255\n", "", "", AssetKind.IMAGE),
        (b"PK\x03\x04\x14\0", "", "", AssetKind.OFFICE),
        (b"{\\rtf1 hello}", "", "", AssetKind.OFFICE),
        (b'{"cells": []}', "", "notes.ipynb", AssetKind.OFFICE),
        (b"\xef\xbb\xbf<!DOCTYPE html><p>x", "", "", AssetKind.HTML),
        (b"<p>no head", "text/html; charset=utf-8", "", AssetKind.HTML),
        (b"<p>no head", "", "page.HTM", AssetKind.HTML),
        (b"<p>no head", "", "", AssetKind.TEXT),
        (b"# Title\n\nText.", "text/markdown", "a.md", AssetKind.TEXT),
        ("Grüße".encode("utf-16"), "", "", AssetKind.TEXT),
        (b"x", "application/x-www-form-urlencoded", "", AssetKind.TEXT),  # curl's default
    ],
)
def test_the_kind(data: bytes, content_type: str, filename: str, kind: AssetKind) -> None:
    assert detect(data, content_type, filename) is kind


@pytest.mark.parametrize(
    ("data", "content_type", "filename", "field", "text"),
    [
        (b"", "", "", "data", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "", "", "data", "save it as docx"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "", "", "data", "binary"),
        (b"hello", "application/pdf", "", "content_type", "the file is text"),
        (b"hello", "image/png", "", "content_type", "the file is text"),
        (b"hello", "", "letter.docx", "filename", "zip archive"),
        (b"hello", "", "letter.pdf", "filename", "PDF"),
    ],
)
def test_what_is_refused(data: bytes, content_type: str, filename: str, field: str, text: str) -> None:
    with pytest.raises(Invalid) as error:
        detect(data, content_type, filename)
    assert error.value.faults[0].field == field
    assert text in error.value.message


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        (b"a\r\nb\rc\n", "", "a\nb\nc\n"),
        ("\ufeffGrüße".encode(), "", "Grüße"),
        ("Grüße".encode("utf-16"), "", "Grüße"),
        ("Grüße".encode("utf-16"), "text/plain; charset=utf-8", "Grüße"),  # the mark is certain
        ("Grüße €".encode("cp1252"), 'text/plain; charset="windows-1252"', "Grüße €"),
        (b"page 1\fpage 2", "", "page 1\npage 2"),
        (b"\x1b[31mred\x1b[0m" + b" text" * 100, "", "[31mred[0m" + " text" * 100),
    ],
)
def test_the_text(data: bytes, content_type: str, text: str) -> None:
    assert decoded(data, content_type) == text


@pytest.mark.parametrize(
    ("data", "content_type", "field", "text"),
    [
        ("Grüße".encode("latin-1"), "", "data", "not in the encoding utf-8; state another"),
        (b"\xff", "text/plain; charset=ascii", "data", "not in the encoding ascii"),
        (b"x", "text/plain; charset=base64", "content_type", "unknown charset"),
        (b"x", "text/plain; charset=\xff", "content_type", "unknown charset"),
        (b"text" * 2000 + b"\0", "", "data", "NUL"),
        (bytes(range(1, 128)) * 9, "", "data", "control characters"),
    ],
)
def test_texts_that_are_refused(data: bytes, content_type: str, field: str, text: str) -> None:
    with pytest.raises(Invalid) as error:
        decoded(data, content_type)
    assert error.value.faults[0].field == field
    assert text in error.value.message


async def test_markdown_is_told_by_type_or_name() -> None:
    reader = TextReader()
    assert (await reader.read(b"# A", "", "a.md")).content_type == "text/markdown"
    assert (await reader.read(b"# A", "text/markdown", "")).content_type == "text/markdown"
    assert (await reader.read(b"# A", "", "")).content_type == "text/plain"
