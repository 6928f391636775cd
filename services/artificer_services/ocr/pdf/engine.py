"""The interface of PDF libraries.

Owns the Protocols that `mupdf` and `pdfium` implement. Engines run in worker processes only; they are not
thread-safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..page.content import PageContent
from ..page.layout import Box, Line
from ..page.raster import Raster


@dataclass(frozen=True, slots=True)
class RasterRules:
    """How to render a page: at `asked` dots per inch, or up to `cap` if None, with at most `limit` pixels."""

    asked: int | None
    cap: int
    limit: int


class PdfDocument(Protocol):
    """An open document. Pages are counted from 0."""

    pages: int

    def size(self, index: int) -> tuple[float, float]:
        """Returns the displayed width and height of a page in points."""
        ...

    def look(self, index: int) -> PageContent:
        """Returns the text layer of a page and what else is on it. Raises BadDocument."""
        ...

    def words(self, index: int) -> tuple[Line, ...]:
        """Returns the words of a page's text layer with their places, in the order in which the page draws them.

        Their confidence is 1. Raises BadDocument.
        """
        ...

    def raster(self, index: int, rules: RasterRules, region: Box | None = None) -> Raster:
        """Returns a page, or a region of it, as gray pixels. Raises BadDocument, BadChoice or TooLarge."""
        ...

    def close(self) -> None: ...


class PdfEngine(Protocol):
    """A PDF library."""

    name: str

    def open(self, path: str, password: str | None) -> PdfDocument:
        """Open a document. Raises BadDocument, PasswordNeeded or PasswordWrong."""
        ...
