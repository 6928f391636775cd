"""Two hundred PDFs of several kinds with the expected result of each: its words, or the reason for a failure.

They are generated, each different from all others. Knows no service.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pymupdf as untyped_pymupdf

from tests.services.ocr.samples import (
    huge_page_pdf,
    mixed_pdf,
    page_text,
    picture,
    scan_pdf,
    words,
)

pymupdf: Any = untyped_pymupdf  # it is annotated in places only


@dataclass(frozen=True, slots=True)
class Document:
    """A file and its expected result: `words` in its text, or a part of the `reason` for its failure."""

    name: str
    data: bytes
    words: tuple[str, ...] = ()
    reason: str = ""


def text_pdf(*texts: str) -> bytes:
    """Returns a born-digital document with a page for each text, like the samples, but with one call per page."""
    with pymupdf.open() as document:
        for text in texts:
            document.new_page().insert_text((60, 80), text, fontsize=14)
        return bytes(document.tobytes())


def _printed(number: int) -> Document:
    text = page_text(number)
    return Document("printed", text_pdf(text), tuple(words(text)))


def _long(number: int) -> Document:
    texts = [page_text(number + page) for page in range(40)]
    return Document("long", text_pdf(*texts), tuple(word for text in texts for word in words(text)))


def _turned(number: int) -> Document:
    text = page_text(number)
    with pymupdf.open(stream=text_pdf(text), filetype="pdf") as document:
        document[0].set_rotation(90 * (number % 3 + 1))
        return Document("turned", bytes(document.tobytes()), tuple(words(text)))


def _packed(number: int) -> Document:
    """Returns the document as current programs write it: object streams, everything compressed."""
    text = page_text(number)
    with pymupdf.open(stream=text_pdf(text), filetype="pdf") as document:
        return Document("packed", bytes(document.tobytes(deflate=True, garbage=4, use_objstms=1)), tuple(words(text)))


def _scanned(number: int) -> Document:
    return Document("scanned", scan_pdf(_line(number), dpi=100), tuple(words(_line(number))))


def _mixed(number: int) -> Document:
    text = page_text(number)
    return Document("mixed", mixed_pdf(text, _line(number)), (*words(text), *words(_line(number))))


def _blank(number: int) -> Document:
    with pymupdf.open() as document:
        for _ in range(number % 3 + 1):
            document.new_page(width=500 + number)
        return Document("blank", bytes(document.tobytes()))


def _drawn(number: int) -> Document:
    """Returns an image with the name of a PDF."""
    return Document("picture", picture(_line(number), dpi=100, form="PNG"), tuple(words(_line(number))))


def _locked(number: int) -> Document:
    with pymupdf.open(stream=text_pdf(page_text(number)), filetype="pdf") as document:
        locked = document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=f"secret {number}", owner_pw="owner")
        return Document("locked", bytes(locked), reason="password")


def _cut(number: int) -> Document:
    """Returns the beginning of a truncated file, without the content of its page."""
    data = text_pdf(page_text(number))
    return Document("cut", data[: len(data) // (number % 2 + 3)], reason="is lost")


def _vast(number: int) -> Document:
    return Document("vast", huge_page_pdf() + b"%% %d" % number, reason="page")


def _noise(number: int) -> Document:
    return Document("noise", random.Random(number).randbytes(900), reason="PDF")


def _web_page(number: int) -> Document:
    return Document("web-page", f"<!doctype html><title>{number}</title><p>404".encode(), reason="PDF")


def _nothing(_: int) -> Document:
    return Document("nothing", b"", reason="empty")


def _line(number: int) -> str:
    """Returns a scan with few letters, since OCR takes the most time."""
    return f"Invoice {7000 + number * 37} was paid in full"


KINDS: dict[Callable[[int], Document], int] = {
    _printed: 90,
    _packed: 20,
    _turned: 20,
    _long: 4,
    _scanned: 14,
    _mixed: 7,
    _drawn: 1,
    _blank: 8,
    _locked: 10,
    _cut: 8,
    _vast: 2,
    _noise: 8,
    _web_page: 7,
    _nothing: 1,
}


def documents() -> Iterator[Document]:
    """Returns all documents, with the kinds mixed."""
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
    random.Random(200).shuffle(kinds)
    for number, kind in enumerate(kinds):
        made = kind(number)
        yield Document(f"{number:03}-{made.name}.pdf", made.data, made.words, made.reason)
