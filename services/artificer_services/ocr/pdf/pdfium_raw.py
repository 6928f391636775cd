"""PDFium's functions for letters and objects, without the checks of types that ctypes does for every call.

A page has thousands of letters and objects: these prototypes halve the time of a call. They take addresses as plain
numbers. Only here are functions called that way.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_int, c_ulong, c_void_p
from typing import Any

import pypdfium2.raw as c  # type: ignore[import-untyped]  # no stubs


def address(pointer: Any) -> int:
    """Returns the address that a pointer holds."""
    return ctypes.cast(pointer, c_void_p).value or 0


def _plain(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    return ctypes.CFUNCTYPE(result, *arguments)(address(getattr(c, name)))


text_object: Callable[[int, int], int | None] = _plain("FPDFText_GetTextObject", c_void_p, c_void_p, c_int)
loose_box: Callable[[int, int, int], int] = _plain("FPDFText_GetLooseCharBox", c_int, c_void_p, c_int, c_void_p)
char_matrix: Callable[[int, int, int], int] = _plain("FPDFText_GetMatrix", c_int, c_void_p, c_int, c_void_p)
render_mode: Callable[[int], int] = _plain("FPDFTextObj_GetTextRenderMode", c_int, c_void_p)
object_font: Callable[[int], int | None] = _plain("FPDFTextObj_GetFont", c_void_p, c_void_p)
object_font_size: Callable[[int, int], int] = _plain("FPDFTextObj_GetFontSize", c_int, c_void_p, c_void_p)
font_name: Callable[[int, int, int], int] = _plain("FPDFFont_GetBaseFontName", c_ulong, c_void_p, c_void_p, c_ulong)
font_flags: Callable[[int], int] = _plain("FPDFFont_GetFlags", c_int, c_void_p)
page_objects: Callable[[int], int] = _plain("FPDFPage_CountObjects", c_int, c_void_p)
page_object: Callable[[int, int], int] = _plain("FPDFPage_GetObject", c_void_p, c_void_p, c_int)
form_objects: Callable[[int], int] = _plain("FPDFFormObj_CountObjects", c_int, c_void_p)
form_object: Callable[[int, int], int] = _plain("FPDFFormObj_GetObject", c_void_p, c_void_p, c_ulong)
object_type: Callable[[int], int] = _plain("FPDFPageObj_GetType", c_int, c_void_p)
object_matrix: Callable[[int, int], int] = _plain("FPDFPageObj_GetMatrix", c_int, c_void_p, c_void_p)
object_bounds: Callable[..., int] = _plain("FPDFPageObj_GetBounds", c_int, c_void_p, *[c_void_p] * 4)
image_pixels: Callable[..., int] = _plain("FPDFImageObj_GetImagePixelSize", c_int, c_void_p, c_void_p, c_void_p)
clip_path: Callable[[int], int] = _plain("FPDFPageObj_GetClipPath", c_void_p, c_void_p)
clip_paths: Callable[[int], int] = _plain("FPDFClipPath_CountPaths", c_int, c_void_p)
clip_segments: Callable[[int, int], int] = _plain("FPDFClipPath_CountPathSegments", c_int, c_void_p, c_int)
clip_segment: Callable[[int, int, int], int] = _plain("FPDFClipPath_GetPathSegment", c_void_p, c_void_p, c_int, c_int)
segment_point: Callable[[int, int, int], int] = _plain("FPDFPathSegment_GetPoint", c_int, c_void_p, c_void_p, c_void_p)
