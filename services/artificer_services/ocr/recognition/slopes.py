"""Says from the slopes of lines how an image lies. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..page.layout import Line

_TALL = 1.5  # how many times as tall as wide the box of a vertical line is


def is_vertical(line: Line) -> bool:
    """Whether a line, of more than one letter, runs upwards or downwards."""
    width, height = line.box.right - line.box.left, line.box.bottom - line.box.top
    return height > _TALL * width


def skew_of(lines: Sequence[Line], slopes: Sequence[float]) -> float:
    """Returns the median slope of lines in degrees, -45..45, in which long lines count more."""
    pairs = sorted(
        ((slope + 45) % 90 - 45, max(line.box.right - line.box.left, line.box.bottom - line.box.top))
        for line, slope in zip(lines, slopes, strict=True)
    )
    half, passed = sum(length for _, length in pairs) / 2, 0.0
    for slope, length in pairs:
        passed += length
        if passed >= half:
            return slope
    return 0.0
