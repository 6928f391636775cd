"""Image processing for pages as arrays: deskew, denoise, binarise.

The only user of OpenCV. Knows no file; runs in worker processes only.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Page = NDArray[np.uint8]

cv2.setNumThreads(1)  # there is a worker per processor already

_LOOK_SIDE = 1000  # pixels of the longer side when the angle is estimated; lines of print are still visible
_COARSE, _FINE = 1.0, 0.05  # degrees
_STRAIGHT = 0.05  # degrees: half a millimetre over a page, less harmful than the blur of a rotation
_SURE = 1.02  # an angle's contrast over that of 0 degrees; for photographs all are alike


def skew(page: Page, limit: float) -> float:
    """Returns the degrees, -limit..limit, by which to rotate a page of print counter-clockwise to make it upright.

    On an upright page the rows of print and the rows between them differ most, so the sum of the squared differences
    of neighbouring rows is greatest (the projection profile of Postl, 1986).
    """
    ink = _ink(page, _LOOK_SIDE)
    if not ink.any():
        return 0.0
    best = _best(_ink(page, _LOOK_SIDE // 2), _span(0.0, limit, _COARSE))
    best = _best(ink, _span(best, _COARSE, _COARSE / 5))
    best = _best(ink, _span(best, _COARSE / 5, _FINE))
    if abs(best) < _STRAIGHT or _contrast(ink, best) < _SURE * _contrast(ink, 0.0):
        return 0.0
    return float(np.clip(best, -limit, limit))


def turn(page: Page, angle: float) -> Page:
    """Rotate a page by degrees, counter-clockwise, without losing a corner; new areas get the paper's colour."""
    if not angle:
        return page
    height, width = page.shape
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    size = (math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
    return _bytes(cv2.warpAffine(page, matrix, size, flags=cv2.INTER_CUBIC, borderValue=paper(page)))


def denoise(page: Page, how: str) -> Page:
    """Remove noise: "median" single pixels, "means" grain (non-local means, far slower)."""
    if how == "means":
        return _bytes(cv2.fastNlMeansDenoising(page, None, h=12, templateWindowSize=7, searchWindowSize=15))
    return _bytes(cv2.medianBlur(page, 3))


def binarise(page: Page, how: str) -> Page:
    """Make a page black and white: "otsu" by one threshold, "adaptive" by local ones, for uneven light."""
    if how == "adaptive":
        block = max(15, min(page.shape) // 40) | 1  # a few letters wide, and odd
        return _bytes(cv2.adaptiveThreshold(page, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, block, 15))
    return _bytes(cv2.threshold(page, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


def _ink(page: Page, side: int) -> Page:
    """Returns a page scaled to at most `side` pixels, with ink 255 and paper 0."""
    scale = side / max(page.shape)
    if scale < 1:
        size = (max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale)))
        page = _bytes(cv2.resize(page, size, interpolation=cv2.INTER_AREA))
    ink = _bytes(cv2.threshold(page, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1])
    return _bytes(255 - ink) if ink.mean() > 127 else ink  # white on black


def _span(middle: float, reach: float, step: float) -> list[float]:
    count = math.ceil(reach / step)
    return [middle + step * number for number in range(-count, count + 1)]


def _best(ink: Page, angles: list[float]) -> float:
    # The smallest of equals, so that an empty page is not rotated.
    return max(sorted(angles, key=abs), key=lambda angle: _contrast(ink, angle))


def _contrast(ink: Page, angle: float) -> float:
    """Returns how much neighbouring rows differ after a counter-clockwise rotation."""
    height, width = ink.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    rows = cv2.reduce(cv2.warpAffine(ink, matrix, (width, height)), 1, cv2.REDUCE_SUM, dtype=cv2.CV_64F)
    return float(np.square(np.diff(rows, axis=0)).sum())


def paper(page: Page) -> int:
    """Returns the median colour of the edges, taken as the paper's."""
    return int(np.median(np.concatenate((page[0], page[-1], page[:, 0], page[:, -1]))))


def _bytes(array: Any) -> Page:
    return np.asarray(array, dtype=np.uint8)
