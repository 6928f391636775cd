"""PDF documents through PyMuPDF.

The only module that imports pymupdf (AGPL-3.0 or commercial). Runs in worker processes only.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pymupdf as untyped_pymupdf

from .errors import BadDocument, PasswordNeeded, PasswordWrong, TooLarge, blame_document
from .images import decode_jpeg, from_bytes
from .nesting import MOST, forms_drawn
from .pdf_engine import RasterRules
from .raster import POINTS, Raster, check_pixels, choose_dpi, shrink
from .routing import PageContent, count_text, count_visible

if TYPE_CHECKING:
    from PIL.Image import Image

pymupdf: Any = untyped_pymupdf  # only partly annotated

# Ligatures are split, and unmapped glyphs become U+FFFD instead of their number in the font, so that they can be
# counted. Including pictures is cheap: their pixels are not decoded.
_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_PRESERVE_IMAGES
_HIDES_TEXT = re.compile(rb"(?<![\d.])[37]\s+Tr\b")  # ISO 32000-1, 9.3.6: invisible rendering modes
_LITTLE = 20  # visible characters; drawings only matter to the routing rule below it
_FULL_PAGE = 0.9  # of the page covered by one picture
_JPEG_SPACES = ("DeviceGray", "DeviceRGB", "ICCBased", "CalRGB", "CalGray")


class MuPdfEngine:
    """PyMuPDF, with its diagnostics turned off."""

    name = "pymupdf"

    def __init__(self) -> None:
        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)

    def open(self, path: str, password: str | None) -> MuPdfDocument:
        with blame_document("the PDF document is damaged and cannot be opened"):
            document = pymupdf.open(path, filetype="pdf")
        if document.needs_pass:
            if not password:
                raise PasswordNeeded("the PDF document is encrypted; a password is required", "password")
            if not document.authenticate(password):
                raise PasswordWrong("the password does not open the PDF document", "password")
        if not document.is_pdf or document.page_count < 1:
            raise BadDocument("the PDF document is damaged: it has no pages", "data")
        return MuPdfDocument(document)


class MuPdfDocument:
    """An open document."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self.pages: int = document.page_count

    def size(self, index: int) -> tuple[float, float]:
        rect = self._page(index).rect
        return rect.width, rect.height

    def look(self, index: int) -> PageContent:
        page = self._page(index)
        self._check_forms(page)
        with blame_document(f"page {index + 1} of the PDF document is damaged"):
            textpage = page.get_textpage(flags=_FLAGS)
            text = textpage.extractText()
            pictures = textpage.extractIMGINFO()
            chars, bad = count_text(text)
            covers = [_cover(picture["bbox"], page.rect) for picture in pictures]
            drawings = invisible = 0
            if chars < _LITTLE or page.get_xobjects() or _hides_text(page.read_contents()):
                log = page.get_bboxlog()
                drawings = sum(1 for kind, _ in log if kind in ("fill-path", "stroke-path"))
                covers += [_cover(box, page.rect) for kind, box in log if kind == "fill-imgmask"]
                if chars and any(kind == "ignore-text" for kind, _ in log):
                    spans = page.get_texttrace()
                    invisible = sum(
                        count_visible("".join(chr(char[0]) for char in span["chars"]))
                        for span in spans
                        if span["type"] == 3
                    )
        return PageContent(
            text=text,
            chars=chars,
            bad=bad,
            invisible=min(invisible, chars),
            cover=max(covers, default=0.0),
            drawings=drawings,
            image_pixels=max((picture["width"] * picture["height"] for picture in pictures), default=0),
        )

    def raster(self, index: int, rules: RasterRules) -> Raster:
        page = self._page(index)
        self._check_forms(page)
        with blame_document(f"page {index + 1} of the PDF document cannot be rendered"):
            pictures = page.get_textpage(flags=_FLAGS).extractIMGINFO()
            for picture in pictures:
                check_pixels(picture["width"], picture["height"], f"a picture on page {index + 1}", rules.limit)
            scan = self._scan(page, pictures)
            rect = page.rect
            native = scan["width"] / (abs(scan["bbox"][2] - scan["bbox"][0]) / POINTS) if scan else 0
            dpi = choose_dpi(
                rect.width, rect.height, asked=rules.asked, native=native, cap=rules.cap, limit=rules.limit
            )
            straight = self._decode(page, scan, native, dpi) if scan and _upright(page, scan) else None
            return straight or _render(page, dpi)

    def close(self) -> None:
        self._document.close()
        pymupdf.TOOLS.store_shrink(100)  # otherwise the cache of up to 256 MB outlives the document

    def _page(self, index: int) -> Any:
        with blame_document(f"page {index + 1} of the PDF document is damaged"):
            return self._document.load_page(index)

    def _check_forms(self, page: Any) -> None:
        """Raises TooLarge for a page whose forms draw forms that draw forms, and so on."""
        with blame_document(f"page {page.number + 1} of the PDF document is damaged"):
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

    def _scan(self, page: Any, pictures: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Returns the picture that fills the whole page alone, or None."""
        if len(pictures) != 1 or _cover(pictures[0]["bbox"], page.rect) < _FULL_PAGE:
            return None
        alone = all(kind in ("fill-image", "ignore-text") for kind, _ in page.get_bboxlog())
        return pictures[0] if alone else None

    def _decode(self, page: Any, scan: dict[str, Any], native: float, dpi: int) -> Raster | None:
        """Decode the picture of a scanned page directly to gray, nine times as fast as rendering the page.

        Returns None if the picture has a mask, a colour key or a colour space that only rendering handles.
        """
        found = [item for item in page.get_images(full=True) if (item[2], item[3]) == (scan["width"], scan["height"])]
        if len(found) != 1 or found[0][1]:
            return None
        xref, space = found[0][0], found[0][5]
        keys = {key: self._document.xref_get_key(xref, key) for key in ("Filter", "Decode", "Mask", "ImageMask")}
        if keys["Mask"][0] != "null" or keys["ImageMask"][1] == "true":
            return None
        if keys["Filter"][1] == "/DCTDecode" and keys["Decode"][0] == "null" and space in _JPEG_SPACES:
            return decode_jpeg(
                io.BytesIO(self._document.xref_stream_raw(xref)), (scan["width"], scan["height"]), native, dpi
            )
        pixmap = pymupdf.Pixmap(self._document, xref)
        if pixmap.alpha or pixmap.colorspace is None:
            return None
        if pixmap.colorspace.n != 1:
            pixmap = pymupdf.Pixmap(pymupdf.csGRAY, pixmap)
        return shrink(_gray(pixmap), native, dpi)


def _hides_text(contents: bytes) -> bool:
    """Whether a page's content may draw invisible text; a substring search avoids the pattern on most pages."""
    return b"Tr" in contents and _HIDES_TEXT.search(contents) is not None


def _render(page: Any, dpi: int) -> Raster:
    return Raster(_gray(page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY, alpha=False)), dpi)


def _gray(pixmap: Any) -> Image:
    return from_bytes(pixmap.samples, pixmap.width, pixmap.height, pixmap.stride)


def _cover(box: tuple[float, float, float, float], rect: Any) -> float:
    width = min(box[2], rect.x1) - max(box[0], rect.x0)
    height = min(box[3], rect.y1) - max(box[1], rect.y0)
    return float(max(width, 0) * max(height, 0) / max(rect.width * rect.height, 1))


def _upright(page: Any, scan: dict[str, Any]) -> bool:
    """Whether a picture is placed as stored: not rotated, mirrored, stretched or cropped."""
    a, b, c, d, _, _ = scan["transform"]
    if page.rotation or a <= 0 or d <= 0 or abs(b) > a * 1e-3 or abs(c) > d * 1e-3:
        return False
    stretch = (scan["width"] / a) / (scan["height"] / d)
    shown = _cover(scan["bbox"], page.rect) * page.rect.width * page.rect.height / (a * d)
    return bool(0.95 < stretch < 1.05 and shown > 0.95)
