"""Prints the pages of a document in a format of files, one by one, within a bound."""

from __future__ import annotations

import asyncio

from .errors import TooLarge
from .output.formats import FORMATS, OutputFormat
from .output.page import DEFAULT_DPI, OutputPage
from .page.layout import PageLayout
from .page.raster import POINTS
from .page.reading import Page

_GROWTH = 4  # a printed word has forty characters more than its text, but a document of only words is an attack
_NOTHING = PageLayout(width=0, height=0, blocks=())
TEXT_ONLY = frozenset({OutputFormat.TEXT})  # formats that need no places of words


class Rendering:
    """A document as a file of one format, to which pages are added. `max_text` is the most characters of its text."""

    def __init__(self, name: OutputFormat, max_text: int, *, image: bool = False) -> None:
        self._name = name
        self._format = FORMATS[name]
        self._image = image
        self._dpi = POINTS if image else DEFAULT_DPI  # of pages without a resolution; of an image a point is a pixel
        self._left = max_text * _GROWTH
        self._parts: list[str] = []

    @property
    def media_type(self) -> str:
        return self._format.media_type

    async def add(self, page: Page) -> None:
        """Print a page. Raises TooLarge."""
        # In a thread, since a page may have a million words; the loop gets its turn every few milliseconds.
        self._keep(await asyncio.to_thread(self._format.page, self._page(page)))

    def file(self) -> str:
        """Returns the file."""
        return self._format.head + self._format.between.join(self._parts) + self._format.tail

    def take(self) -> str:
        """Returns a file of the pages since the last one that was taken."""
        text = self.file()
        self._parts.clear()
        return text

    def encoded(self) -> bytes:
        """Returns the file in UTF-8."""
        return self.file().encode("utf-8", "replace")

    def _page(self, page: Page) -> OutputPage:
        layout = page.layout or _NOTHING
        # Boxes on an image are in its own pixels, even if OCR read it at another resolution.
        dpi = (layout.dpi if self._image else page.dpi) or self._dpi
        return OutputPage(number=page.number, text=page.text, layout=layout, dpi=dpi)

    def _keep(self, part: str) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise TooLarge(f"the document is too large as {self._name}; ask for plain text or for fewer pages", "data")
        self._parts.append(part)
