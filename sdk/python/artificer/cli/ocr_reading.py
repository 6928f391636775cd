"""What `artificer ocr` asks for, and the interface of what reads documents for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class OutputKind(StrEnum):
    """The forms of a result."""

    TXT = "txt"
    MD = "md"
    JSON = "json"
    HOCR = "hocr"
    ALTO = "alto"
    TSV = "tsv"
    PDF = "pdf"


LACK_END = frozenset({OutputKind.TXT, OutputKind.MD})  # forms whose last line has no end in the service's answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of the command; None and "" mean the server's default."""

    output: OutputKind
    pages: str
    languages: tuple[str, ...]
    dpi: int | None
    force: bool
    password: str


class Watcher(Protocol):
    """Is told how far a document has been read."""

    def page(self, of: int) -> None:
        """Another page of all `of` pages has been read."""
        ...

    def error(self, page: int, message: str) -> None:
        """A page could not be read."""
        ...


class Reader(Protocol):
    """Reads documents."""

    def read(self, data: bytes, asked: Asked, watcher: Watcher) -> Sequence[bytes]:
        """Returns the result for a PDF document or an image, in pieces. Raises Failed."""
        ...


def is_pdf(data: bytes) -> bool:
    """Whether a file is a PDF document (ISO 32000-1, annex H.3.4.1); all others are read as images."""
    return b"%PDF-" in data[:1024]
