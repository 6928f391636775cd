"""PDF documents through PyMuPDF.

Only this module and those named `mupdf_` import pymupdf (AGPL-3.0 or commercial). Runs in worker processes only.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymupdf as untyped_pymupdf

from ...kit.pictures import check_pixels
from ..errors import BadDocument, PasswordNeeded, PasswordWrong, TooLarge, blame_document
from ..images import decode_jpeg, from_bytes
from ..page.boxes import cover
from ..page.content import PageContent
from ..page.layout import Box, Line
from ..page.raster import FINER, POINTS, Raster, choose_dpi, finer, shrink
from .engine import RasterRules
from .mupdf_page import Picture, find, find_pictures
from .mupdf_text import words
from .mupdf_tree import count_pages, is_lost, mend_sizes
from .nesting import MOST, forms_drawn
from .text import check_found, content_of
from .trailer import is_cut, with_trailer

if TYPE_CHECKING:
    from PIL.Image import Image

pymupdf: Any = untyped_pymupdf  # only partly annotated

_FULL_PAGE = 0.9  # of the page covered by one picture
_NO_MEMORY = re.compile(r"alloc\w* \(.*\) failed")
_JPEG_SPACES = ("DeviceGray", "DeviceRGB", "ICCBased", "CalRGB", "CalGray")


class MuPdfEngine:
    """PyMuPDF, with its diagnostics turned off."""

    name = "pymupdf"

    def __init__(self) -> None:
        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)

    def open(self, path: str, password: str | None) -> MuPdfDocument:
        with _blame("the PDF document is damaged and cannot be opened"):
            try:
                document = pymupdf.open(path, filetype="pdf")
            except pymupdf.FileDataError:
                mended = with_trailer(path)
                if mended is None:
                    raise
                document = pymupdf.open(stream=mended, filetype="pdf")
        if document.needs_pass:
            if not password:
                raise PasswordNeeded("the PDF document is encrypted; a password is required", "password")
            if not document.authenticate(password):
                raise PasswordWrong("the password does not open the PDF document", "password")
        with _blame("the PDF document is damaged: its pages cannot be found"):
            pages = count_pages(document) if document.is_pdf else 0
        if pages < 1:
            raise BadDocument("the PDF document is damaged: it has no pages", "data")
        return MuPdfDocument(document, pages, cut=is_cut(path))


class MuPdfDocument:
    """An open document."""

    def __init__(self, document: Any, pages: int, *, cut: bool) -> None:
        self._document = document
        self._cut = cut
        self.pages = pages

    def size(self, index: int) -> tuple[float, float]:
        rect = self._page(index).rect
        return rect.width, rect.height

    def look(self, index: int) -> PageContent:
        page = self._page(index)
        self._check_forms(page)
        with _blame(f"page {index + 1} of the PDF document is damaged"):
            found = find(page)
            content = content_of(
                found.runs,
                size=(page.rect.width, page.rect.height),
                pictures=[(picture.box, picture.width * picture.height) for picture in found.pictures],
                paths=found.paths,
                drawings=found.drawings,
                fonts=found.fonts,
            )
        return check_found(content, index, cut=self._cut)

    def words(self, index: int) -> tuple[Line, ...]:
        page = self._page(index)
        self._check_forms(page)
        with _blame(f"page {index + 1} of the PDF document is damaged"):
            return words(page)

    def raster(self, index: int, rules: RasterRules, region: Box | None = None) -> Raster:
        page = self._page(index)
        self._check_forms(page)
        with _blame(f"page {index + 1} of the PDF document cannot be rendered"):
            pictures = find_pictures(page)
            for picture in pictures:
                check_pixels(picture.width, picture.height, f"a picture on page {index + 1}", rules.limit)
            box = region or Box(0.0, 0.0, page.rect.width, page.rect.height)
            inside = [picture for picture in pictures if cover([picture.box], box)]
            native = self._native(page, inside, box)
            width, height = box.right - box.left, box.bottom - box.top
            dpi = choose_dpi(width, height, asked=rules.asked, native=native, cap=rules.cap, limit=rules.limit)
            exact = rules.asked is not None or dpi < rules.cap
            if native and not region and len(pictures) == 1 and _upright(page, pictures[0]):
                straight = self._decode(page, pictures[0], native, dpi, exact=exact)
                if straight:
                    return straight
            raster = _render(page, dpi, region)
            if not exact:
                most = choose_dpi(
                    width, height, asked=None, native=native, cap=int(rules.cap * FINER), limit=rules.limit
                )
                better = finer(raster, most)
                raster = _render(page, better, region) if better else raster
            return raster

    def close(self) -> None:
        self._document.close()
        pymupdf.TOOLS.store_shrink(100)  # otherwise the cache of up to 256 MB outlives the document

    def _page(self, index: int) -> Any:
        with _blame(f"page {index + 1} of the PDF document is damaged"):
            mend_sizes(self._document, index)
            page = self._document.load_page(index)
            lost = is_lost(self._document, index)
        if lost:
            raise BadDocument(
                f"page {index + 1} is not in the file, perhaps since the end of the PDF document is lost", "data"
            )
        return page

    def _check_forms(self, page: Any) -> None:
        """Raises TooLarge for a page whose forms draw forms that draw forms, and so on."""
        with _blame(f"page {page.number + 1} of the PDF document is damaged"):
            forms = page.get_xobjects()
            if not any(user for _, _, user, _ in forms):  # none is within another, as on nearly all pages
                return
            uses: dict[int, dict[bytes, int]] = {}
            for number, name, user, _ in forms:
                uses.setdefault(user, {})[name.encode()] = number

            def content(user: int) -> bytes:
                return bytes(self._document.xref_stream(user) if user else page.read_contents())

            if forms_drawn(uses, content) > MOST:
                raise TooLarge(f"page {page.number + 1} draws more than {MOST:,} forms", "data")

    def _native(self, page: Any, pictures: list[Picture], box: Box) -> float:
        """Returns the resolution of the pictures that fill a part of a page, 0 if they do not or are not alone."""
        if cover([picture.box for picture in pictures], box) < _FULL_PAGE:
            return 0.0
        if any(kind not in ("fill-image", "fill-imgmask", "ignore-text") for kind, _ in page.get_bboxlog()):
            return 0.0
        # By its matrix: the box of a picture that is larger than the page ends where the page does.
        return max(picture.width / max(math.hypot(*picture.matrix[:2]), 1e-3) * POINTS for picture in pictures)

    def _decode(self, page: Any, scan: Picture, native: float, dpi: int, *, exact: bool) -> Raster | None:
        """Decode the picture of a scanned page directly to gray, nine times as fast as rendering the page.

        Returns None if the picture has a mask, a colour key or a colour space that only rendering handles.
        """
        found = [item for item in page.get_images(full=True) if (item[2], item[3]) == (scan.width, scan.height)]
        if len(found) != 1 or found[0][1]:
            return None
        xref, space = found[0][0], found[0][5]
        keys = {key: self._document.xref_get_key(xref, key) for key in ("Filter", "Decode", "Mask", "ImageMask")}
        if keys["Mask"][0] != "null" or keys["ImageMask"][1] == "true":
            return None
        if keys["Filter"][1] == "/DCTDecode" and keys["Decode"][0] == "null" and space in _JPEG_SPACES:
            return decode_jpeg(
                io.BytesIO(self._document.xref_stream_raw(xref)), (scan.width, scan.height), native, dpi, exact=exact
            )
        pixmap = pymupdf.Pixmap(self._document, xref)
        if pixmap.alpha or pixmap.colorspace is None:
            return None
        if pixmap.colorspace.n != 1:
            pixmap = pymupdf.Pixmap(pymupdf.csGRAY, pixmap)
        return shrink(_gray(pixmap), native, dpi, exact=exact)


@contextmanager
def _blame(message: str) -> Iterator[None]:
    """As `blame_document`, except for a lack of memory, of which MuPDF only tells in words."""
    with blame_document(message):
        try:
            yield
        except Exception as error:  # of several classes, none of which is for memory alone
            if isinstance(error.__cause__, MemoryError) or _NO_MEMORY.search(str(error)):
                raise MemoryError from error
            raise


def _render(page: Any, dpi: int, region: Box | None) -> Raster:
    clip = pymupdf.Rect(region) if region else None
    return Raster(_gray(page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY, alpha=False, clip=clip)), dpi)


def _gray(pixmap: Any) -> Image:
    return from_bytes(pixmap.samples, pixmap.width, pixmap.height, pixmap.stride)


def _upright(page: Any, scan: Picture) -> bool:
    """Whether a picture is placed as stored: not rotated, mirrored, stretched or cropped."""
    a, b, c, d = scan.matrix
    if a <= 0 or d <= 0 or abs(b) > a * 1e-3 or abs(c) > d * 1e-3:
        return False
    stretch = (scan.width / a) / (scan.height / d)
    shown = page.rect.width * page.rect.height / (a * d)
    return 0.95 < stretch < 1.05 and shown > 0.95
