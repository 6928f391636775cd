"""The pixels of one page, and what OCR reads in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...kit.workers.processor_time import at_most
from ..page.layout import Box
from ..page.raster import MIN_DPI, Raster
from ..pdf.engine import PdfDocument, RasterRules
from ..recognition.engine import Reading
from ..recognition.reader import Reader


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """The limits that only a parser can check."""

    pages: int
    page_pixels: int
    text_chars: int
    dpi_cap: int
    draw_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrRules:
    """What a request says about OCR."""

    languages: Sequence[str]
    dpi: int | None


class PagePixels:
    """Draws a page of a document, or parts of it, for OCR."""

    def __init__(
        self, document: PdfDocument, index: int, reader: Reader, ocr: OcrRules, limits: DocumentLimits
    ) -> None:
        self._document = document
        self._index = index
        self._reader = reader
        self._ocr = ocr
        self._limits = limits

    def draw(self, region: Box | None = None) -> Raster:
        """Returns the page, or a part of it, as OCR needs it."""
        return self._draw(RasterRules(self._ocr.dpi, self._limits.dpi_cap, self._limits.page_pixels), region)

    def draw_coarsely(self) -> Raster:
        """Returns the page at a resolution that shows where it has text."""
        return self._draw(RasterRules(None, MIN_DPI, self._limits.page_pixels), None)

    def recognize(self, raster: Raster) -> Reading:
        """Read a raster of the page."""
        return self._reader.read(raster, tuple(self._ocr.languages))

    def _draw(self, rules: RasterRules, region: Box | None) -> Raster:
        with at_most(self._limits.draw_seconds):
            return self._document.raster(self._index, rules, region)
