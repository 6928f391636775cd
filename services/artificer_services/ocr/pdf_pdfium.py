"""PDF documents through pypdfium2 (BSD-3-Clause or Apache-2.0).

The only module that imports pypdfium2. Runs in worker processes only.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs
import pypdfium2.raw as c  # type: ignore[import-untyped]  # no stubs

from .errors import BadDocument, PasswordNeeded, PasswordWrong, blame_document
from .images import decode_jpeg
from .pdf_engine import RasterRules
from .raster import POINTS, Raster, check_pixels, choose_dpi, shrink
from .routing import PageContent, count_text, count_visible

_FULL_PAGE = 0.9  # of the page covered by one picture
_DEPTH = 8  # of nested form objects; deeper ones are rendered but not inspected
_SAMPLE = 200  # characters checked for a Unicode mapping
_NO_INK = (c.FPDF_TEXTRENDERMODE_INVISIBLE, c.FPDF_TEXTRENDERMODE_CLIP)


class PdfiumEngine:
    """PDFium."""

    name = "pypdfium2"

    def open(self, path: str, password: str | None) -> PdfiumDocument:
        # Not PdfDocument(path), which resolves symbolic links: that of a memory file has no target.
        raw = c.FPDF_LoadDocument(path.encode(), password.encode() if password else None)
        if not raw:
            if c.FPDF_GetLastError() != c.FPDF_ERR_PASSWORD:
                raise BadDocument("the PDF document is damaged and cannot be opened", "data")
            if not password:
                raise PasswordNeeded("the PDF document is encrypted; a password is required", "password")
            raise PasswordWrong("the password does not open the PDF document", "password")
        document = pdfium.PdfDocument(raw)
        if len(document) < 1:
            raise BadDocument("the PDF document is damaged: it has no pages", "data")
        return PdfiumDocument(document, len(document))


class PdfiumDocument:
    """An open document."""

    def __init__(self, document: Any, pages: int) -> None:
        self._document = document
        self.pages = pages

    def size(self, index: int) -> tuple[float, float]:
        with blame_document(f"page {index + 1} of the PDF document is damaged"):
            width, height = self._document.get_page_size(index)
        return width, height

    def look(self, index: int) -> PageContent:
        with self._page(index, "is damaged") as page:
            textpage = page.get_textpage()
            # PDFium returns a hyphen at a line end as U+FFFE, and ends lines with CR LF.
            text = textpage.get_text_range(errors="replace").replace("\r\n", "\n").replace("\ufffe", "-")
            chars, bad = count_text(text)
            items = list(page.get_objects(max_depth=_DEPTH, textpage=textpage))
            images = [item for item in items if item.type == c.FPDF_PAGEOBJ_IMAGE]
            hidden = [
                item
                for item in items
                if item.type == c.FPDF_PAGEOBJ_TEXT and c.FPDFTextObj_GetTextRenderMode(item.raw) in _NO_INK
            ]
            return PageContent(
                text=text,
                chars=chars,
                bad=max(bad, round(chars * _unmapped_share(textpage))),
                invisible=min(sum(count_visible(item.extract()) for item in hidden), chars),
                cover=max((_cover(page, image) for image in images), default=0.0),
                drawings=sum(1 for item in items if item.type == c.FPDF_PAGEOBJ_PATH),
                image_pixels=max((_pixels(image) for image in images), default=0),
            )

    def raster(self, index: int, rules: RasterRules) -> Raster:
        with self._page(index, "cannot be rendered") as page:
            items = list(page.get_objects(max_depth=_DEPTH))
            for item in items:
                if item.type == c.FPDF_PAGEOBJ_IMAGE:
                    columns, rows = item.get_px_size()
                    check_pixels(columns, rows, f"a picture on page {index + 1}", rules.limit)
            scan = _scan(page, items)
            width, height = page.get_size()
            native = scan.get_px_size()[0] / (_box(scan)[2] - _box(scan)[0]) * POINTS if scan else 0.0
            dpi = choose_dpi(width, height, asked=rules.asked, native=native, cap=rules.cap, limit=rules.limit)
            straight = _decode(scan, native, dpi) if scan and _upright(page, scan) else None
            return straight or _render(page, dpi)

    def close(self) -> None:
        self._document.close()

    @contextmanager
    def _page(self, index: int, problem: str) -> Iterator[Any]:
        with blame_document(f"page {index + 1} of the PDF document {problem}"):
            page = self._document.get_page(index)
            try:
                yield page
            finally:
                page.close()


def _render(page: Any, dpi: int) -> Raster:
    return Raster(page.render(scale=dpi / POINTS, grayscale=True).to_pil().convert("L"), dpi)


def _decode(scan: Any, native: float, dpi: int) -> Raster | None:
    """Decode the picture of a scanned page directly to gray; None if it must be rendered."""
    facts = scan.get_metadata()
    if facts.colorspace not in (c.FPDF_COLORSPACE_DEVICEGRAY, c.FPDF_COLORSPACE_DEVICERGB, c.FPDF_COLORSPACE_ICCBASED):
        return None
    if scan.get_filters() == ["DCTDecode"]:
        return decode_jpeg(io.BytesIO(scan.get_data()), scan.get_px_size(), native, dpi)
    return shrink(scan.get_bitmap().to_pil().convert("L"), native, dpi)


def _scan(page: Any, items: list[Any]) -> Any | None:
    """Returns the picture that fills the whole page alone, or None."""
    seen = [
        item
        for item in items
        if item.type != c.FPDF_PAGEOBJ_FORM
        and not (item.type == c.FPDF_PAGEOBJ_TEXT and c.FPDFTextObj_GetTextRenderMode(item.raw) in _NO_INK)
    ]
    alone = len(seen) == 1 and seen[0].type == c.FPDF_PAGEOBJ_IMAGE
    return seen[0] if alone and _cover(page, seen[0]) >= _FULL_PAGE else None


def _matrix(item: Any) -> Any:
    """Returns the matrix from an object's space to the page's, through its enclosing forms."""
    matrix, outer = item.get_matrix(), item.container
    while outer is not None:
        matrix, outer = matrix.multiply(outer.get_matrix()), outer.container
    return matrix


def _box(image: Any) -> tuple[float, float, float, float]:
    left, bottom, right, top = _matrix(image).on_rect(0, 0, 1, 1)
    return left, bottom, right, top


def _cover(page: Any, image: Any) -> float:
    left, bottom, right, top = _box(image)
    x0, y0, x1, y1 = page.get_bbox()
    shown = max(min(right, x1) - max(left, x0), 0) * max(min(top, y1) - max(bottom, y0), 0)
    return float(shown / max((x1 - x0) * (y1 - y0), 1))


def _upright(page: Any, scan: Any) -> bool:
    """Whether a picture is placed as stored: not rotated, mirrored, stretched or cropped."""
    m = _matrix(scan)
    if page.get_rotation() or m.a <= 0 or m.d <= 0 or abs(m.b) > m.a * 1e-3 or abs(m.c) > m.d * 1e-3:
        return False
    columns, rows = scan.get_px_size()
    x0, y0, x1, y1 = page.get_bbox()
    shown = _cover(page, scan) * (x1 - x0) * (y1 - y0) / (m.a * m.d)
    return bool(0.95 < (columns / m.a) / (rows / m.d) < 1.05 and shown > 0.95)


def _pixels(image: Any) -> int:
    columns, rows = image.get_px_size()
    return int(columns * rows)


def _unmapped_share(textpage: Any) -> float:
    """Returns the share of characters without a Unicode mapping, from a sample spread over the page."""
    count = textpage.count_chars()
    sample = range(0, count, max(1, count // _SAMPLE))
    return float(sum(c.FPDFText_HasUnicodeMapError(textpage.raw, i) == 1 for i in sample) / max(len(sample), 1))
