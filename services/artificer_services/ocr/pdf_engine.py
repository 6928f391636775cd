"""The seam to PDF libraries.

Owns the Protocols that `pdf_mupdf` and `pdf_pdfium` implement. Engines run in worker processes only; they are not
thread-safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .raster import Raster
from .routing import Sight


@dataclass(frozen=True, slots=True)
class RasterRules:
    """How to draw a page: `asked` dots per inch or None, at most `cap` otherwise, never over `limit` pixels."""

    asked: int | None
    cap: int
    limit: int


class PdfDocument(Protocol):
    """An open document. Pages are counted from 0."""

    pages: int

    def size(self, index: int) -> tuple[float, float]:
        """Width and height of a page in points, as it is shown."""
        ...

    def look(self, index: int) -> Sight:
        """Read the text layer of a page and see what else is on it. Raises BadDocument."""
        ...

    def raster(self, index: int, rules: RasterRules) -> Raster:
        """Give a page as gray pixels. Raises BadDocument, BadChoice or TooLarge."""
        ...

    def close(self) -> None: ...


class PdfEngine(Protocol):
    """A PDF library."""

    name: str

    def open(self, path: str, password: str | None) -> PdfDocument:
        """Open a document. Raises BadDocument, PasswordNeeded or PasswordWrong."""
        ...
