"""Reads one page in a worker process: inspects it, decides, and does what was decided.

Knows engines and plain values, but neither files nor frames.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...kit.workers.processor_time import at_most
from ..errors import TooLarge
from ..images import ImageFile
from ..page.plausibility import plausibility
from ..page.raster import POINTS, check_page
from ..page.reading import PageReading
from ..page.reading_order import text_of
from ..page.routing import Decision, Method, Reason, decide
from ..pdf.engine import PdfDocument
from ..recognition.reader import Reader
from .page_task import Inspected, PageTask, layout_of, page_text, recognized
from .pixels import DocumentLimits, OcrRules, PagePixels

_PAGE_CHARS = 8_000_000  # of one page, whose answer must fit into a frame
_AN_IMAGE = Decision(Method.OCR, Reason.IMAGE, usable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a request says about how its pages are read; `threshold` counts visible characters."""

    threshold: int
    force: bool
    keep: bool


class PageReader:
    """Reads the pages of open documents."""

    def __init__(self, ocr: Reader, limits: DocumentLimits) -> None:
        self._ocr = ocr
        self._limits = limits

    def look(self, document: PdfDocument, index: int, rules: Rules) -> PageReading:
        """Returns how a page would be read, with the text of a usable layer. Raises OcrError."""
        page = self._inspect(document, index, rules)
        if not page.seen.text:  # text that is there is returned even if the pictures beside it are too large
            self._check_sizes(document, index, page)
        return page.seen

    def read(
        self,
        document: PdfDocument,
        index: int,
        rules: Rules,
        ocr: OcrRules,
        *,
        layout: bool = False,
        only_ocr: bool = False,
    ) -> PageReading:
        """Returns a page as it reads, by OCR where it is needed, and its layout if that is asked for.

        With `only_ocr`, the layout has only the words that OCR finds.
        """
        page = self._inspect(document, index, rules)
        self._check_sizes(document, index, page)
        pixels = PagePixels(document, index, self._ocr, ocr, self._limits)
        return PageTask(document, index, page, pixels, layout=layout, only_ocr=only_ocr).run()

    def read_image(self, image: ImageFile, index: int, ocr: OcrRules, *, layout: bool = False) -> PageReading:
        """Returns a frame of an image as it reads."""
        raster = image.raster(index, ocr.dpi, self._limits.dpi_cap)
        found = self._ocr.read(raster, tuple(ocr.languages))
        scale = POINTS / raster.dpi if raster.dpi else 1.0
        size = raster.image.width * scale, raster.image.height * scale
        made = replace(layout_of(found, scale, size), dpi=image.dpi(index, ocr.dpi)) if layout else None
        return recognized(PageReading(decision=_AN_IMAGE), found, made)

    def _inspect(self, document: PdfDocument, index: int, rules: Rules) -> Inspected:
        with at_most(self._limits.draw_seconds):
            content = document.look(index)
        if len(content.text) > min(self._limits.text_chars, _PAGE_CHARS):
            raise TooLarge(f"page {index + 1} has {len(content.text):,} characters, which is more than allowed", "data")
        text = page_text(
            text_of(content.runs, content.width, content.height, content.paths) if content.runs else content.text
        )
        layer = plausibility(text)
        decision = decide(content, threshold=rules.threshold, force=rules.force, keep=rules.keep, layer=layer)
        direct = decision.method is Method.DIRECT
        seen = PageReading(
            decision=decision,
            text=text if direct or (decision.usable and not rules.force) else "",
            confidence=layer.quality if direct else None,
            text_length=content.chars,
            invisible=content.invisible > 0,
        )
        return Inspected(content, text, layer, seen)

    def _check_sizes(self, document: PdfDocument, index: int, page: Inspected) -> None:
        """Raise TooLarge for a page that cannot be drawn. Text alone is read from pages of any size."""
        if page.seen.decision.method is Method.DIRECT:
            return
        check_page(*document.size(index), index + 1, self._limits.page_pixels)
        if page.content.image_pixels > self._limits.page_pixels:
            limit = f"{self._limits.page_pixels:,}"
            raise TooLarge(f"a picture on page {index + 1} has more than {limit} pixels, the limit", "data")
