"""MuPDF's structured text of a page as it is displayed, with its annotations and the values of its form fields.

Runs in worker processes only.
"""

from __future__ import annotations

from typing import Any

import pymupdf as untyped_pymupdf

pymupdf: Any = untyped_pymupdf  # only partly annotated
mupdf: Any = pymupdf.mupdf

# Ligatures are split, and unmapped glyphs become U+FFFD instead of their number in the font, so that they can be
# counted. Including pictures is cheap: their pixels are not decoded.
TEXT = mupdf.FZ_STEXT_PRESERVE_WHITESPACE | mupdf.FZ_STEXT_CLIP
PICTURES = mupdf.FZ_STEXT_PRESERVE_IMAGES
DRAWINGS = mupdf.FZ_STEXT_COLLECT_VECTORS
PICTURE, DRAWING = mupdf.FZ_STEXT_BLOCK_IMAGE, mupdf.FZ_STEXT_BLOCK_VECTOR

SCALE = 100  # of points in JSON, where places are whole numbers


def interpret(page: Any, flags: int) -> Any:
    options = mupdf.FzStextOptions()
    options.flags = flags
    stext = mupdf.FzStextPage(mupdf.fz_bound_page(page.this))
    device = mupdf.fz_new_stext_device(stext, options)
    mupdf.fz_run_page(page.this, device, mupdf.FzMatrix(), mupdf.FzCookie())
    mupdf.fz_close_device(device)
    return stext


def printed(stext: Any) -> bytes:
    """Returns the JSON of a page: ten times as fast as `blocks`, but without letters' looks and drawings' places."""
    buffer = mupdf.fz_new_buffer(1024)
    output = mupdf.FzOutput(buffer)
    mupdf.fz_print_stext_page_as_json(output, stext, float(SCALE))
    output.fz_close_output()
    return bytes(buffer.fz_buffer_extract())


def blocks(stext: Any, *, letters: bool = False) -> list[dict[str, Any]]:
    """Returns the blocks of a page with everything about them, the letters too if asked."""
    result: dict[str, list[dict[str, Any]]] = {}
    pymupdf.extra.JM_make_textpage_dict(stext.m_internal, result, letters)
    return result["blocks"]
