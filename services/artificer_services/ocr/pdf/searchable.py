"""Adds invisible text to the pages of a PDF document, through pikepdf, which changes nothing else.

Runs in worker processes only. Each layer comes first in the content of its page, so that the page's own content begins
in the state that it expects.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Page, Pdf, Stream

from ...kit.workers.processor_time import at_most
from ..errors import BadDocument, PasswordNeeded, blame_document
from .glyphless import ADVANCE, ASCENT, DESCENT, NAME, cid_to_gid, font_file
from .hidden_text import HiddenText
from .text_layer import Codes, Rect, TextLayer, content, displayed_to_page

_MOST_FIELDS = 10_000  # of a form that is searched for signatures
_A4 = Rect(0, 0, 595, 842)  # of a page that states no size


def open_unprotected(source: Path) -> Pdf:
    """Open a document that needs no password. Raises BadDocument or PasswordNeeded."""
    with blame_document("the PDF document is damaged and cannot be opened"):
        try:
            return Pdf.open(source, suppress_warnings=True)
        except pikepdf.PasswordError:
            raise PasswordNeeded(
                "the PDF document has a password; text can only be added to documents that open without one", "data"
            ) from None


def has_signature(pdf: Pdf) -> bool:
    """Whether the form of a document is signed. Raises BadDocument."""
    with blame_document("the form of the PDF document is damaged"):
        return _is_signed(pdf)


def add_text(pdf: Pdf, layers: Iterable[TextLayer], seconds: float) -> None:
    """Add layers to the pages of a document, each within this much processor time. Raises BadDocument."""
    with blame_document("the PDF document is damaged: no text can be added to it"):
        codes = Codes()
        font = pdf.make_indirect(Dictionary())
        pages, hidden = pdf.pages, HiddenText(pdf)
        for layer in layers:
            if layer.page >= len(pages):
                raise BadDocument(f"the PDF document is damaged: it has no page {layer.page + 1}", "data")
            page = pages[layer.page]
            with at_most(seconds):
                if layer.replaces:
                    hidden.remove(page)
                _add_layer(pdf, page, layer, codes, font)
        _fill_font(pdf, font, codes)


def save(pdf: Pdf, out: BinaryIO, min_version: str = "") -> None:
    """Write a document: all that was not changed stays as it was, its encryption too. Raises BadDocument."""
    with blame_document("the PDF document is damaged and cannot be written"):
        # pikepdf cannot copy the streams of encrypted documents as they are; it leaves those that are compressed.
        kept = None if pdf.is_encrypted else pikepdf.StreamDecodeLevel.none
        pdf.save(
            out,
            min_version=min_version,
            encryption=True if pdf.is_encrypted else None,
            compress_streams=pdf.is_encrypted,
            stream_decode_level=kept,
            object_stream_mode=pikepdf.ObjectStreamMode.preserve,
            fix_metadata_version=False,
        )


def _is_signed(pdf: Pdf) -> bool:
    form = pdf.Root.get("/AcroForm")
    waiting = list(form.get("/Fields", [])) if isinstance(form, Dictionary) else []
    for _ in range(_MOST_FIELDS):
        if not waiting:
            return False
        field = waiting.pop()
        if isinstance(field, Dictionary):
            if field.get("/FT") == Name.Sig and field.get("/V") is not None:
                return True
            waiting.extend(field.get("/Kids", []))
    return False


def _add_layer(pdf: Pdf, page: Page, layer: TextLayer, codes: Codes, font: Object) -> None:
    place = displayed_to_page(layer.width, layer.height, _crop(page), _turned(page))
    name = _add_font(page, font)
    stream = _compressed(pdf, content(layer, place, codes, name))
    old = page.obj.get("/Contents")
    parts = list(old) if isinstance(old, Array) else [old] if old is not None else []
    page.obj.Contents = Array([pdf.make_indirect(stream), *parts])


def _add_font(page: Page, font: Object) -> str:
    """Add the font to the page's resources, which it may share with others, and return its name."""
    resources = Dictionary(dict(page.resources.items()))
    fonts = resources.get("/Font")
    own = Dictionary(dict(fonts.items())) if isinstance(fonts, Dictionary) else Dictionary()
    name = next(name for name in (f"OCR{number}" for number in range(len(own) + 1)) if f"/{name}" not in own)
    own[f"/{name}"] = font
    resources.Font = own
    page.obj.Resources = resources
    return name


def _crop(page: Page) -> Rect:
    """Returns the visible box of a page: its crop box as far as it is within the media box (ISO 32000-2, 14.11.2)."""
    media = _rect(page.mediabox) or _A4
    crop = _rect(page.cropbox) or media
    both = Rect(
        max(crop.left, media.left), max(crop.low, media.low), min(crop.right, media.right), min(crop.high, media.high)
    )
    return both if both.left < both.right and both.low < both.high else media


def _turned(page: Page) -> int:
    """Returns the /Rotate of a page, into which qpdf copies what pages inherit: 0, 90, 180 or 270."""
    turned: object = page.obj.get("/Rotate")
    return round(turned / 90) * 90 % 360 if isinstance(turned, (int, float, Decimal)) else 0


def _rect(box: Object) -> Rect | None:
    """Returns a box with its corners in order; None if it is empty."""
    x0, y0, x1, y1 = (float(value) for value in box)
    found = Rect(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    return found if found.left < found.right and found.low < found.high else None


def _fill_font(pdf: Pdf, font: Object, codes: Codes) -> None:
    data = font_file()
    file = _compressed(pdf, data)
    file.Length1 = len(data)
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name(f"/{NAME}"),
        Flags=4,  # symbolic: its letters are of no standard character set
        FontBBox=[0, DESCENT, ADVANCE, ASCENT],
        ItalicAngle=0,
        Ascent=ASCENT,
        Descent=DESCENT,
        CapHeight=ASCENT,
        StemV=80,
        FontFile2=pdf.make_indirect(file),
    )
    letters = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name(f"/{NAME}"),
        CIDSystemInfo=Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
        FontDescriptor=pdf.make_indirect(descriptor),
        DW=ADVANCE,
        CIDToGIDMap=pdf.make_indirect(_compressed(pdf, cid_to_gid(len(codes)))),
    )
    font.Type = Name.Font
    font.Subtype = Name.Type0
    font.BaseFont = Name(f"/{NAME}")
    font.Encoding = Name("/Identity-H")
    font.DescendantFonts = Array([pdf.make_indirect(letters)])
    font.ToUnicode = pdf.make_indirect(_compressed(pdf, codes.to_unicode()))


def _compressed(pdf: Pdf, data: bytes) -> Stream:
    return Stream(pdf, zlib.compress(data), Filter=Name.FlateDecode)
