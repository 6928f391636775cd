"""Arithmetic of boxes on a page."""

from __future__ import annotations

from collections.abc import Sequence

from .layout import Box

_ROWS = 256  # of the grid on which overlapping boxes are added up
_MOST = 5_000  # boxes on the grid, each of which costs up to 50 us


def union(boxes: Sequence[Box]) -> Box:
    """Returns the smallest box around some boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def area(box: Box) -> float:
    """Returns the area of a box."""
    return (box.right - box.left) * (box.bottom - box.top)


def overlap(one: Box, other: Box) -> Box | None:
    """Returns the common part of two boxes, None if it has no area."""
    left, top = max(one.left, other.left), max(one.top, other.top)
    right, bottom = min(one.right, other.right), min(one.bottom, other.bottom)
    return Box(left, top, right, bottom) if left < right and top < bottom else None


def cover(boxes: Sequence[Box], area: Box) -> float:
    """Returns the share of an area that boxes cover together, 0..1; for several boxes to within some 1/256."""
    width, height = area.right - area.left, area.bottom - area.top
    parts = [part for box in boxes[:_MOST] if (part := overlap(box, area))]
    if not parts:
        return 0.0
    if len(parts) == 1:
        (part,) = parts
        return (part.right - part.left) * (part.bottom - part.top) / (width * height)
    rows = [0] * _ROWS  # each with a bit for every column
    for part in parts:
        first, last = (round((side - area.left) / width * _ROWS) for side in (part.left, part.right))
        bits = (1 << last) - (1 << first)
        for row in range(
            round((part.top - area.top) / height * _ROWS), round((part.bottom - area.top) / height * _ROWS)
        ):
            rows[row] |= bits
    return sum(row.bit_count() for row in rows) / _ROWS**2
