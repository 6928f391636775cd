"""Finds the format of a document, from its bytes, and from what the client says of it.

Pure and without a parser, except for the list of files in an archive. Runs in the conversion's own process.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection

from ..kit.charsets import charset_of
from .errors import BadChoice, BadDocument
from .formats import INPUTS, UNKNOWN_TYPES, Chosen, Format, input_named, input_of_file, input_of_type

_HEAD = 4096  # bytes that are inspected
_PARTS = (("word/document.xml", "docx"), ("ppt/presentation.xml", "pptx"), ("xl/workbook.xml", "xlsx"))
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*")
ZIP = b"PK\x03\x04"


def container_of(names: Collection[str], kind: bytes) -> str:
    """Returns the format of an archive by its files' names and the content of `mimetype`. Raises BadDocument."""
    if kind.startswith(b"application/epub+zip"):
        return "epub"
    if kind.startswith(b"application/vnd.oasis.opendocument.text"):
        return "odt"
    for part, name in _PARTS:
        if part in names:
            return name
    # A docx may keep its text elsewhere; Pandoc finds it by the relations.
    if "_rels/.rels" in names and any(name.startswith("word/") for name in names):
        return "docx"
    raise BadDocument("the file is a zip archive, but no docx, odt, epub, pptx or xlsx document", "data")


def sniff(head: bytes, content_type: str = "") -> str:
    """Returns "rtf", "html", "fb2", "ipynb" or "opml" if the first bytes show it, else "" for text.

    Raises BadDocument for other binary files, and BadChoice for an unknown charset of the content type.
    """
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if b"%PDF-" in head[:1024]:
        raise BadDocument("the file is a PDF document; POST /v1/documents:render reads those", "data")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadDocument(
            "the file is a document of an old Office version, such as .doc, or has a password; save it as docx", "data"
        )
    if head.startswith(_PICTURES) or head[8:12] == b"WEBP":
        raise BadDocument("the file is a picture; POST /v1/images:process converts those", "data")
    head = _as_utf8(head, content_type)
    if b"\0" in head:
        raise BadDocument("the file is binary and of an unknown type; see ListConversionFormats", "data")
    start = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<?xml") and b"<html" in start):
        return "html"
    if start.startswith(b"<?xml") and b"<fictionbook" in start:
        return "fb2"
    if start.startswith(b"<?xml") and b"<opml" in start:
        return "opml"
    if start.startswith(b"{") and b'"cells"' in start:
        return "ipynb"
    return ""


def choose(found: str, *, binary: bool, asked: str, content_type: str, filename: str) -> Chosen:
    """Returns the input format. `found` is that of the bytes, which is certain if it is `binary`.

    Raises BadChoice if the client's statements contradict the bytes or one another.
    """
    if asked:
        chosen = input_named(asked)
        if chosen is None:
            raise BadChoice(f"unknown input format {asked[:64]!r}; expected one of {', '.join(INPUTS)}", "input_format")
        _agree(found, binary, chosen.format, f"input_format is {chosen.format.name}", "input_format")
        return chosen
    media_type = content_type.partition(";")[0].strip().lower()
    by_type = None if media_type in UNKNOWN_TYPES else input_of_type(media_type)
    by_name = input_of_file(filename)
    if by_type:
        _agree(found, binary, by_type, f"the content type is {media_type}", "content_type")
    if by_name:
        _agree(found, binary, by_name, f"the file is named {filename[-64:]!r}", "filename")
    if by_type and by_name and by_type.media_type != by_name.media_type:
        raise BadChoice(f"the content type is {media_type}, but the file is named {filename[-64:]!r}", "filename")
    if binary:
        return Chosen(INPUTS[found], "")
    if media_type not in UNKNOWN_TYPES and by_type is None:
        raise BadChoice(
            f"the content type {media_type[:64]!r} is no format of ListConversionFormats",
            "content_type",
        )
    return Chosen(by_name or by_type or INPUTS[found or "markdown"], "")


def _agree(found: str, binary: bool, stated: Format, statement: str, field: str) -> None:
    if binary and found != stated.name:
        raise BadChoice(f"{statement}, but the file is {found}", field)
    if stated.binary and not binary:
        raise BadChoice(f"{statement}, but the file is {found or 'text'}", field)


def decoded(data: bytes, content_type: str) -> bytes | None:
    """Returns a text as UTF-8, or None if it is UTF-8 already. Raises BadChoice, BadDocument."""
    charset = _charset(data, content_type)
    if charset in ("", "utf-8", "ascii"):
        return None
    try:
        return data.decode(charset).encode()
    except UnicodeError:
        raise BadDocument(f"the text is not in the encoding {charset}", "data") from None


def _charset(data: bytes, content_type: str) -> str:
    """Returns the encoding of a text by its mark or else as stated, "" if neither tells. Raises BadChoice."""
    try:
        stated = charset_of(content_type)
    except ValueError as error:
        raise BadChoice(str(error), "content_type") from None
    return "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else stated


def _as_utf8(head: bytes, content_type: str) -> bytes:
    """Returns the first bytes of a text in UTF-16 as UTF-8, others as they are. Raises BadChoice."""
    charset = _charset(head, content_type)
    if not charset.startswith("utf-16"):
        return head
    return head.decode(charset, "ignore").encode("utf-8", "ignore")
