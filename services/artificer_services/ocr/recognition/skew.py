"""Measures by how many degrees lines of print are skewed.

Where lines are level, rows of print and rows of paper between them alternate, so that the sum of the squared
differences of neighbouring rows is greatest (the projection profile of Postl, 1986).
"""

from __future__ import annotations

import math
from itertools import pairwise

from PIL import Image

from .upright import paper

LIMIT = 15.0  # degrees; beyond it, Tesseract's layout analysis and the profile are both unsure what a line is
_COARSE, _FINE = 0.5, 0.1  # degrees
_COARSE_SIDE, _FINE_SIDE = 500, 1200  # pixels of the longer side, at which lines of print are still apart
_SURE = 1.3  # by how much the contrast at the best angle exceeds the mean of all angles; less on photographs


def find_skew(image: Image.Image) -> float:
    """Returns the degrees, -LIMIT..LIMIT, by which to turn a gray image clockwise so that its lines are level.

    Lines that run upwards or downwards count too: they become vertical. Returns 0 if there are no clear lines.
    """
    coarse, fine = _ink(image, _COARSE_SIDE), _ink(image, _FINE_SIDE)
    count = math.ceil(LIMIT / _COARSE) + 2  # the contrast at the limit is compared with that beyond it
    contrasts: dict[float, float] = {
        step * _COARSE: _contrast(coarse, step * _COARSE) for step in range(-count, count + 1)
    }
    best: float = max(contrasts, key=lambda angle: (contrasts[angle], -abs(angle)))
    if abs(best) > LIMIT or contrasts[best] <= _SURE * sum(contrasts.values()) / len(contrasts):
        return 0.0
    steps = math.ceil(_COARSE / _FINE)
    near = [best + step * _FINE for step in range(-steps, steps + 1)]
    nearest: float = max(near, key=lambda angle: (_contrast(fine, angle), -abs(angle)))
    return round(nearest, 2)


def _ink(image: Image.Image, side: int) -> Image.Image:
    """Returns an image scaled to at most `side` pixels, with ink white and paper black."""
    scale = min(side / max(image.size), 1)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    ground = paper(small)
    return small.point([min(255, 2 * abs(value - ground)) for value in range(256)])


def _contrast(ink: Image.Image, degrees: float) -> float:
    """Returns how much neighbouring rows, or columns, differ once an image is turned clockwise."""
    turned = ink.rotate(-degrees, Image.Resampling.NEAREST)
    rows = turned.resize((1, turned.height), Image.Resampling.BOX).tobytes()
    columns = turned.resize((turned.width, 1), Image.Resampling.BOX).tobytes()
    return max(_roughness(rows), _roughness(columns))


def _roughness(values: bytes) -> float:
    return sum((after - before) ** 2 for before, after in pairwise(values)) / max(len(values) - 1, 1)
