"""A page to print, and the interface of the formats.

A format prints pages one at a time, so that a whole document need not be in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ..page.layout import Box, PageLayout
from ..page.raster import POINTS

DEFAULT_DPI = 300  # of formats that measure in pixels, for pages that have none of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPage:
    """A page of a document. `number` counts from 1; `dpi` is the resolution of pixels in formats that count these."""

    number: int
    text: str
    layout: PageLayout
    dpi: int = DEFAULT_DPI


class Format(Protocol):
    """A format of files: `head`, then the pages with `between` each two, then `tail`."""

    media_type: str
    head: str
    between: str
    tail: str

    def page(self, page: OutputPage) -> str:
        """Returns a page as a part of a file."""
        ...


def whole(form: Format, pages: Iterable[OutputPage]) -> str:
    """Returns a file of these pages."""
    return form.head + form.between.join(form.page(page) for page in pages) + form.tail


class Pixels:
    """Converts boxes of a page from points to whole pixels within the page: left, top, right, bottom."""

    __slots__ = ("_scale", "height", "width")

    def __init__(self, page: OutputPage) -> None:
        self._scale = page.dpi / POINTS
        self.width = max(round(page.layout.width * self._scale), 1)
        self.height = max(round(page.layout.height * self._scale), 1)

    def box(self, box: Box) -> tuple[int, int, int, int]:
        scale = self._scale
        left = min(max(round(box.left * scale), 0), self.width)
        top = min(max(round(box.top * scale), 0), self.height)
        right = min(max(round(box.right * scale), left), self.width)
        bottom = min(max(round(box.bottom * scale), top), self.height)
        return left, top, right, bottom

    def size(self, points: float) -> float:
        return round(points * self._scale, 1)
