"""Measures how large the letters of a picture are, before any is read. Pure, but for Pillow's images."""

from __future__ import annotations

from PIL import Image

_STRIP = 96  # pixels of a strip's width: some letters, within which a line of a skewed page hardly rises
_MOST_STRIPS = 40
_FAINT = 48  # of 255; the contrast of ink and paper below which there is no print
_SHARE = 0.0002  # of the pixels are at least as dark as print: a line or two on a page
_INK = 20  # of 255; the darkness of a row of a strip from which it has print


def x_height(image: Image.Image) -> float:
    """Returns the median height in pixels of small letters such as x in a gray picture; 0 if it has no lines of print.

    The rows between the base line and the top of small letters are the darkest of a line. Only level lines are found.
    """
    counts = image.histogram()
    ground = counts.index(max(counts))
    farthest = _farthest(counts, ground)
    if abs(farthest - ground) < _FAINT:
        return 0.0
    middle = (ground + farthest) / 2
    dark = image.point([255 * ((value - middle) * (farthest - middle) > 0) for value in range(256)])
    strips = max(1, min(_MOST_STRIPS, image.width // _STRIP))
    heights: list[int] = []
    profile = dark.resize((strips, image.height), Image.Resampling.BOX)
    for strip in range(strips):
        column = profile.crop((strip, 0, strip + 1, image.height)).tobytes()
        heights.extend(_bands(column))
    if len(heights) < 3:
        return 0.0
    heights.sort()
    return float(heights[len(heights) // 2])


def _farthest(counts: list[int], ground: int) -> int:
    """Returns the gray of the darkest pixels, or of the lightest on a dark ground."""
    few = sum(counts) * _SHARE
    order = range(256) if ground > 127 else range(255, -1, -1)
    passed = 0
    for gray in order:
        passed += counts[gray]
        if passed > few:
            return gray
    return ground


def _bands(ink: bytes) -> list[int]:
    """Returns the heights of the dark bands in a strip's rows, each measured at half of its own darkness."""
    found, start = [], None
    for row, value in enumerate(ink + b"\0"):
        if value >= _INK:
            start = row if start is None else start
        elif start is not None:
            part = ink[start:row]
            half = max(part) / 2
            height = sum(1 for each in part if each >= half)
            if height >= 3:
                found.append(height)
            start = None
    return found
