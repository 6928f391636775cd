"""What MuPDF finds on a page: pieces of text, pictures and drawings.

Runs in worker processes only.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from ..page.content import TextRun
from ..page.layout import Box
from .mupdf_stext import DRAWING, DRAWINGS, PICTURE, PICTURES, TEXT, blocks, interpret, printed
from .mupdf_text import hides_text, printed_runs, runs

_MOST_BLOCKS = 20_000  # of text, pictures and drawings, beyond which drawings are only counted
_FEW_BLOCKS = 300  # that are looked at one by one, which costs 5 us each but spares `blocks`


class Picture(NamedTuple):
    """A picture on a page, `width` by `height` pixels, placed by `matrix` from the unit square."""

    box: Box
    matrix: tuple[float, float, float, float]
    width: int
    height: int


class Found(NamedTuple):
    """What is on a page; `paths` is empty if there are more drawings than are worth a look."""

    runs: list[TextRun]
    fonts: tuple[str, ...]
    pictures: list[Picture]
    paths: list[Box]
    drawings: int


def find(page: Any) -> Found:
    """Returns what is on a page; raises what MuPDF raises for a damaged one."""
    stext = interpret(page, TEXT | PICTURES | DRAWINGS)
    text = printed(stext)
    count, drawings = text.count(b'"type":"'), text.count(b'"type":"vector"')  # quotes in texts are escaped
    if count > _MOST_BLOCKS:
        stext = interpret(page, TEXT | PICTURES)
    pictures: list[Picture] = []
    if count <= _FEW_BLOCKS and not hides_text(page):
        paths: list[Box] = []
        if drawings or b'"type":"image"' in text:
            drawn = list(stext)
            pictures = _pictures(page, [block for block in drawn if block.m_internal.type == PICTURE])
            paths = [_box(block) for block in drawn if block.m_internal.type == DRAWING]
        pieces, fonts = printed_runs(page, text)
    else:
        if b'"type":"image"' in text:
            pictures, found = _without_pictures(page, stext, text.count(b'"type":"image"'))
        else:
            found = blocks(stext)
        paths = [Box(*block["bbox"]) for block in found if block["type"] == DRAWING]
        pieces, fonts = runs(page, found)
    return Found(pieces, tuple(dict.fromkeys(fonts)), pictures, paths, drawings)


def find_pictures(page: Any) -> list[Picture]:
    """Returns the pictures on a page without its text."""
    stext = interpret(page, TEXT | PICTURES)
    return _pictures(page, [block for block in stext if block.m_internal.type == PICTURE])


def _pictures(page: Any, drawn: list[Any]) -> list[Picture]:
    return [_picture(block) for block, shade in zip(drawn, _shades(page, drawn), strict=True) if not shade]


def _without_pictures(page: Any, stext: Any, count: int) -> tuple[list[Picture], list[dict[str, Any]]]:
    """Returns the pictures and the other blocks of a page.

    PyMuPDF copies or encodes the bytes of every picture into the dictionary of its block. So pictures are called
    drawings while the dictionaries are made.
    """
    drawn = list(islice((block for block in stext if block.m_internal.type == PICTURE), count))
    boxes = {tuple(_box(block)) for block in drawn}
    try:
        for block in drawn:
            block.m_internal.type = DRAWING
        found = [block for block in blocks(stext) if not (block["type"] == DRAWING and tuple(block["bbox"]) in boxes)]
    finally:
        for block in drawn:  # by which MuPDF knows that it must free the picture
            block.m_internal.type = PICTURE
    return _pictures(page, drawn), found


def _shades(page: Any, drawn: list[Any]) -> list[bool]:
    """Returns which pictures MuPDF made of shadings: these have no stored form and a pixel for each point."""
    shades = []
    for block in drawn:
        image, matrix = block.i_image(), block.i_transform()
        made = not image.fz_compressed_image_buffer().m_internal
        size = (matrix.a, matrix.b, matrix.c, matrix.d) == (image.w(), 0.0, 0.0, image.h())
        shades.append(made and size and matrix.e.is_integer() and matrix.f.is_integer())
    # Pictures in JPEG 2000 have no stored form in MuPDF either. The log of what is drawn knows, at twice the cost.
    if any(shades) and any(item[8] == "JPXDecode" for item in page.get_images()):
        logged = any(kind == "fill-shade" for kind, _ in page.get_bboxlog())
        return [shade and logged for shade in shades]
    return shades


def _picture(block: Any) -> Picture:
    matrix, image = block.i_transform(), block.i_image()
    return Picture(_box(block), (matrix.a, matrix.b, matrix.c, matrix.d), image.w(), image.h())


def _box(block: Any) -> Box:
    box = block.m_internal.bbox
    return Box(box.x0, box.y0, box.x1, box.y1)
