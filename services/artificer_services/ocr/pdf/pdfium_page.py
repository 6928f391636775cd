"""What PDFium finds on a page besides its text, and the coordinates of the page as it is displayed.

Runs in worker processes only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as c  # type: ignore[import-untyped]  # no stubs

from ..page.boxes import overlap
from ..page.layout import Box
from . import pdfium_raw as raw
from .text import turned

_DEPTH = 8  # of nested form objects; deeper ones are rendered but not inspected
_MOST_OBJECTS = 100_000  # of a page, beyond which it is not inspected; each costs 3 us
_MOST_CORNERS = 100  # of the clipping path of a picture, beyond which it is taken to be shown whole
NO_INK = c.FPDF_TEXTRENDERMODE_INVISIBLE  # text that clips shows what is drawn through it

Matrix = tuple[float, float, float, float, float, float]


class Picture(NamedTuple):
    """A picture on a page, `width` by `height` pixels, placed by `matrix` from the unit square."""

    box: Box
    matrix: Matrix
    width: int
    height: int
    pointer: int


class Found(NamedTuple):
    """What is drawn on a page."""

    pictures: list[Picture]
    paths: list[Box]
    visible_text: bool


class View:
    """The coordinates of a page as it is displayed, from those of its content."""

    def __init__(self, page: Any) -> None:
        self.width, self.height = page.get_size()
        x0, y0, x1, y1 = page.get_bbox()
        self.matrix: Matrix = {
            0: (1.0, 0.0, 0.0, -1.0, -x0, y1),
            90: (0.0, 1.0, 1.0, 0.0, -y0, -x0),
            180: (-1.0, 0.0, 0.0, 1.0, x1, -y0),
            270: (0.0, -1.0, -1.0, 0.0, y1, x1),
        }[page.get_rotation()]
        self.page = Box(0.0, 0.0, self.width, self.height)

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        return _transform(self.matrix, left, bottom, right, top)

    def holds(self, box: Box) -> bool:
        """Whether a box is wholly on the page."""
        return box.left >= 0 and box.top >= 0 and box.right <= self.width and box.bottom <= self.height

    def turned(self, x: float, y: float) -> int:
        a, b, c_, d, _, _ = self.matrix
        return turned(x * a + y * c_, x * b + y * d)


def find(page: Any, view: View) -> Found:
    """Returns what is drawn on a page, in its forms too."""
    pictures: list[Picture] = []
    paths: list[Box] = []
    visible_text = False
    edges = [ctypes.c_float() for _ in range(4)]
    places = [ctypes.addressof(edge) for edge in edges]
    columns, rows = ctypes.c_uint(), ctypes.c_uint()
    for item, kind, outer in _objects(page):
        if kind == c.FPDF_PAGEOBJ_TEXT:
            visible_text = visible_text or raw.render_mode(item) != NO_INK
        elif kind == c.FPDF_PAGEOBJ_PATH:
            if raw.object_bounds(item, *places):
                left, bottom, right, top = (edge.value for edge in edges)
                paths.append(_transform(_times(outer, view.matrix), left, bottom, right, top))
        elif kind == c.FPDF_PAGEOBJ_IMAGE:
            matrix = _times(_times(_matrix(item), outer), view.matrix)
            raw.image_pixels(item, ctypes.addressof(columns), ctypes.addressof(rows))
            box = _shown(item, _transform(matrix, 0.0, 0.0, 1.0, 1.0), _times(outer, view.matrix))
            if box:
                pictures.append(Picture(box, matrix, columns.value, rows.value, item))
    return Found(pictures, paths, visible_text)


def _shown(item: int, box: Box, matrix: Matrix) -> Box | None:
    """Returns the part of the box of an object that its clipping paths show, by the boxes of these."""
    paths = raw.clip_path(item)
    shown: Box | None = box
    x, y = ctypes.c_float(), ctypes.c_float()
    for path in range(max(raw.clip_paths(paths), 0) if paths else 0):
        corners = raw.clip_segments(paths, path)
        if not shown or not 0 < corners <= _MOST_CORNERS:
            continue
        points = []
        for corner in range(corners):
            raw.segment_point(raw.clip_segment(paths, path, corner), ctypes.addressof(x), ctypes.addressof(y))
            points.append((x.value, y.value))
        xs, ys = zip(*points, strict=True)
        shown = overlap(shown, _transform(matrix, min(xs), min(ys), max(xs), max(ys)))
    return shown


def _objects(page: Any) -> Iterator[tuple[int, int, Matrix]]:
    """Yields objects with their types and the matrices of the forms around them."""
    at = raw.address(page.raw)
    count = 0
    waiting = [
        (raw.page_object(at, index), (1.0, 0.0, 0.0, 1.0, 0.0, 0.0), 1)
        for index in range(min(raw.page_objects(at), _MOST_OBJECTS))
    ]
    waiting.reverse()
    while waiting and count < _MOST_OBJECTS:
        item, outer, depth = waiting.pop()
        kind = raw.object_type(item)
        count += 1
        if kind != c.FPDF_PAGEOBJ_FORM:
            yield item, kind, outer
        elif depth < _DEPTH:
            inner = _times(_matrix(item), outer)
            members = range(min(raw.form_objects(item), _MOST_OBJECTS - count))
            waiting += [(raw.form_object(item, index), inner, depth + 1) for index in reversed(members)]


def _matrix(item: int) -> Matrix:
    matrix = c.FS_MATRIX()
    raw.object_matrix(item, ctypes.addressof(matrix))
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _times(one: Matrix, other: Matrix) -> Matrix:
    """Returns the matrix that does one, then the other."""
    a, b, c_, d, e, f = one
    A, B, C, D, E, F = other  # noqa: N806  # as ISO 32000-1, 8.3.4, names them
    return a * A + b * C, a * B + b * D, c_ * A + d * C, c_ * B + d * D, e * A + f * C + E, e * B + f * D + F


def _transform(matrix: Matrix, left: float, bottom: float, right: float, top: float) -> Box:
    a, b, c_, d, e, f = matrix
    if b == c_ == 0 or a == d == 0:  # turned by quarters, so that two corners are enough
        x0, x1 = left * a + bottom * c_ + e, right * a + top * c_ + e
        y0, y1 = left * b + bottom * d + f, right * b + top * d + f
        return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    xs = [x * a + y * c_ + e for x in (left, right) for y in (bottom, top)]
    ys = [x * b + y * d + f for x in (left, right) for y in (bottom, top)]
    return Box(min(xs), min(ys), max(xs), max(ys))
