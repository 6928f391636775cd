"""PDF documents through pypdfium2 (BSD-3-Clause or Apache-2.0).

Only this module and those named `pdfium_` import pypdfium2. Runs in worker processes only.
"""

from __future__ import annotations

import ctypes
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs
import pypdfium2.raw as c  # type: ignore[import-untyped]  # no stubs

from ...kit.pictures import check_pixels
from ..errors import BadDocument, PasswordNeeded, PasswordWrong, blame_document
from ..images import decode_jpeg
from ..page.boxes import cover
from ..page.content import PageContent
from ..page.layout import Box, Line
from ..page.raster import FINER, POINTS, Raster, choose_dpi, finer, shrink
from .engine import RasterRules
from .pdfium_page import Picture, View, find
from .pdfium_text import TextLayer
from .text import check_found, content_of
from .trailer import is_cut, with_trailer

_FULL_PAGE = 0.9  # of the page covered by one picture
_CONTRAST = 32  # of 255 shades; a picture with fewer is blank, or is seen through its mask


class PdfiumEngine:
    """PDFium."""

    name = "pypdfium2"

    def __init__(self) -> None:
        logging.getLogger("pypdfium2").setLevel(logging.ERROR)  # it warns of every document with XFA forms

    def open(self, path: str, password: str | None) -> PdfiumDocument:
        # Not PdfDocument(path), which resolves symbolic links: that of a memory file has no target.
        raw, mended = _load(path, password)
        if not raw and password and c.FPDF_GetLastError() == c.FPDF_ERR_PASSWORD:
            raw, mended = _load(path, None)  # a document that opens without a password needs no right one
        if not raw:
            if c.FPDF_GetLastError() != c.FPDF_ERR_PASSWORD:
                raise BadDocument("the PDF document is damaged and cannot be opened", "data")
            if not password:
                raise PasswordNeeded("the PDF document is encrypted; a password is required", "password")
            raise PasswordWrong("the password does not open the PDF document", "password")
        document = pdfium.PdfDocument(raw)
        document.init_forms()  # which draws the values of fields that say only what, not how
        if len(document) < 1:
            raise BadDocument("the PDF document is damaged: it has no pages", "data")
        return PdfiumDocument(document, len(document), mended, cut=is_cut(path))


def _load(path: str, password: str | None) -> tuple[Any, bytes | None]:
    """Returns PDFium's document (None if it cannot be opened), and the bytes that it reads unless the file has them."""
    key = password.encode() if password else None
    raw = c.FPDF_LoadDocument(path.encode(), key)
    if raw or c.FPDF_GetLastError() != c.FPDF_ERR_FORMAT:
        return raw, None
    # PDFium rebuilds a lost table of objects, but not a lost trailer.
    mended = with_trailer(path)
    return (c.FPDF_LoadMemDocument64(mended, len(mended), key), mended) if mended else (raw, None)


class PdfiumDocument:
    """An open document."""

    def __init__(self, document: Any, pages: int, data: bytes | None, *, cut: bool) -> None:
        self._document = document
        self._data = data  # PDFium reads it until the document is closed
        self._cut = cut
        self.pages = pages
        self._flat: set[int] = set()  # pages whose annotations are part of their content

    def size(self, index: int) -> tuple[float, float]:
        with blame_document(f"page {index + 1} of the PDF document is damaged"):
            width, height = self._document.get_page_size(index)
        return width, height

    def look(self, index: int) -> PageContent:
        with self._page(index, "is damaged") as page:
            view = View(page)
            layer = TextLayer(page.get_textpage(), view)
            runs = list(layer.runs())
            found = find(page, view)
            content = content_of(
                runs,
                size=(view.width, view.height),
                pictures=[(picture.box, picture.width * picture.height) for picture in found.pictures],
                paths=found.paths,
                drawings=len(found.paths),
                fonts=layer.fonts,
            )
        return check_found(content, index, cut=self._cut)

    def words(self, index: int) -> tuple[Line, ...]:
        with self._page(index, "is damaged") as page:
            return tuple(TextLayer(page.get_textpage(), View(page)).words())

    def raster(self, index: int, rules: RasterRules, region: Box | None = None) -> Raster:
        with self._page(index, "cannot be rendered") as page:
            view = View(page)
            found = find(page, view)
            for picture in found.pictures:
                check_pixels(picture.width, picture.height, f"a picture on page {index + 1}", rules.limit)
            box = region or view.page
            inside = [picture for picture in found.pictures if cover([picture.box], box)]
            alone = not found.visible_text and not found.paths
            native = _native(inside, box) if alone else 0.0
            width, height = box.right - box.left, box.bottom - box.top
            dpi = choose_dpi(width, height, asked=rules.asked, native=native, cap=rules.cap, limit=rules.limit)
            exact = rules.asked is not None or dpi < rules.cap
            if native and not region and len(found.pictures) == 1 and _upright(view, found.pictures[0]):
                straight = _decode(page, found.pictures[0], native, dpi, exact=exact)
                if straight and _has_contrast(straight):
                    return straight
            raster = _render(page, view, dpi, region)
            if not exact:
                most = choose_dpi(
                    width, height, asked=None, native=native, cap=int(rules.cap * FINER), limit=rules.limit
                )
                better = finer(raster, most)
                raster = _render(page, view, better, region) if better else raster
            return raster

    def close(self) -> None:
        self._document.close()

    @contextmanager
    def _page(self, index: int, problem: str) -> Iterator[Any]:
        with blame_document(f"page {index + 1} of the PDF document {problem}"):
            page = self._document.get_page(index)
            if 0 in page.get_size():  # a crop box off the page; viewers show the page then
                page.set_cropbox(*page.get_mediabox())
                page.close()
                page = self._document.get_page(index)
            if index not in self._flat and _has_notes(page):
                # Annotations and the values of form fields become part of the page, to be read and drawn like the rest.
                c.FPDFPage_Flatten(page.raw, c.FLAT_NORMALDISPLAY)
                page.close()
                page = self._document.get_page(index)
            self._flat.add(index)
            try:
                yield page
            finally:
                page.close()


def _has_notes(page: Any) -> bool:
    """Whether a page has annotations other than links, which show nothing."""
    for index in range(c.FPDFPage_GetAnnotCount(page.raw)):
        note = c.FPDFPage_GetAnnot(page.raw, index)
        kind = c.FPDFAnnot_GetSubtype(note)
        c.FPDFPage_CloseAnnot(note)
        if kind not in (c.FPDF_ANNOT_LINK, c.FPDF_ANNOT_POPUP):
            return True
    return False


def _render(page: Any, view: View, dpi: int, region: Box | None) -> Raster:
    box = region or view.page
    crop = (box.left, view.height - box.bottom, view.width - box.right, box.top)  # from left, bottom, right and top
    bitmap = page.render(scale=dpi / POINTS, grayscale=True, crop=crop)
    return Raster(bitmap.to_pil().convert("L"), dpi)


def _decode(page: Any, scan: Picture, native: float, dpi: int, *, exact: bool) -> Raster | None:
    """Decode the picture of a scanned page directly to gray; None if it must be rendered."""
    image = pdfium.PdfImage(ctypes.cast(scan.pointer, c.FPDF_PAGEOBJECT), page=page, pdf=page.pdf)
    facts = image.get_metadata()
    if facts.colorspace not in (c.FPDF_COLORSPACE_DEVICEGRAY, c.FPDF_COLORSPACE_DEVICERGB, c.FPDF_COLORSPACE_ICCBASED):
        return None
    if image.get_filters() == ["DCTDecode"]:
        return decode_jpeg(io.BytesIO(image.get_data()), (scan.width, scan.height), native, dpi, exact=exact)
    return shrink(image.get_bitmap().to_pil().convert("L"), native, dpi, exact=exact)


def _has_contrast(raster: Raster) -> bool:
    """Whether a picture may have letters. One that has them in its soft mask, which PDFium does not show, has none."""
    low, high = raster.image.getextrema()
    return int(high) - int(low) >= _CONTRAST  # type: ignore[arg-type]  # of one band


def _native(pictures: list[Picture], box: Box) -> float:
    """Returns the resolution of the pictures that fill a part of a page, 0 if they do not."""
    if cover([picture.box for picture in pictures], box) < _FULL_PAGE:
        return 0.0
    return max(picture.width / (picture.box.right - picture.box.left) * POINTS for picture in pictures)


def _upright(view: View, scan: Picture) -> bool:
    """Whether a picture is placed as stored: not rotated, mirrored, stretched or cropped."""
    a, b, c_, d, _, _ = scan.matrix  # whose y grows downwards
    if a <= 0 or d >= 0 or abs(b) > a * 1e-3 or abs(c_) > -d * 1e-3:
        return False
    return 0.95 < (scan.width / a) / (scan.height / -d) < 1.05 and cover([view.page], scan.box) > 0.95
