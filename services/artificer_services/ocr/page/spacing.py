"""Distances between the lines of a block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .strips import Piece

_BREAK = 1.35  # of the usual distance of lines; blocks are further apart
_OWN = 1.2  # of the height of a line's box; lines of large letters are further apart
_DOUBLE = 1.7  # of the height of a line's box; lines that are further apart are blocks of their own


def usual_distance(lines: Sequence[Piece]) -> float:
    """Returns the median distance between lines, as far as they can belong to one block."""
    steps = sorted(low.core_bottom - high.core_bottom for high, low in pairwise(lines))
    highest = max((line.bottom - line.top for line in lines), default=0.0)
    return min(steps[(len(steps) - 1) // 2], _DOUBLE * highest) if steps else 0.0


def ends_block(one: Piece, other: Piece, usual: float) -> bool:
    """Whether a line is further below another than lines of a block are, which are `usual` apart."""
    step = other.core_bottom - one.core_bottom
    return step > _BREAK * usual and step > _OWN * min(one.bottom - one.top, other.bottom - other.top)
