"""The pieces of a page in strips, which horizontal white space parts, and in lines.

Pure geometry: knows boxes and sizes of letters, but no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .layout import Box

_CORE = 0.2  # of a piece's height above and below its core; the rest may overlap the neighbouring lines
GAP = 1.0  # em between pieces from which on white space may be a gutter; words of a justified line are closer
_INITIAL = 1.6  # of the usual height of letters; a narrow piece that is higher is an initial over several lines


class Piece(NamedTuple):
    """A part of one line. `core_top` and `core_bottom` leave out what may overlap neighbouring lines."""

    left: float
    top: float
    right: float
    bottom: float
    size: float  # of the letters
    number: int  # of the caller's
    core_top: float
    core_bottom: float


@dataclass(slots=True)
class Strip:
    """Pieces that are side by side, as cells from left to right, whose white space is at least `GAP`."""

    cells: list[list[Piece]]
    spans: list[tuple[float, float]]  # left and right of each cell
    top: float  # of the cores
    bottom: float
    size: float  # of the letters


def piece(box: Box, size: float, number: int, reach: float = 0.0) -> Piece:
    """Returns a box as a piece for `parts`; `reach` are the points at its right that are no gap between columns."""
    left, top, right, bottom = box
    right += reach
    core = (bottom - top) * _CORE
    return Piece(left, top, right, bottom, size if size > 0 else bottom - top, number, top + core, bottom - core)


def strips_of(pieces: list[Piece]) -> list[Strip]:
    """Returns pieces from top to bottom in strips."""
    strips: list[Strip] = []
    group: list[Piece] = []
    bottom = 0.0
    for item in sorted(pieces, key=lambda item: item.core_top):
        if group and item.core_top >= bottom:
            strips.append(_strip(group, bottom))
            group = []
        bottom = max(bottom, item.core_bottom) if group else item.core_bottom
        group.append(item)
    if group:
        strips.append(_strip(group, bottom))
    return strips


def _strip(group: list[Piece], bottom: float) -> Strip:
    top = group[0].core_top
    size = max(item.size for item in group)
    if len(group) == 1:
        return Strip([group], [(group[0].left, group[0].right)], top, bottom, size)
    cells: list[list[Piece]] = []
    spans: list[tuple[float, float]] = []
    group.sort()
    for item in group:
        if cells and item.left - spans[-1][1] < GAP * min(item.size, cells[-1][-1].size):
            cells[-1].append(item)
            spans[-1] = (spans[-1][0], max(spans[-1][1], item.right))
        else:
            cells.append([item])
            spans.append((item.left, item.right))
    return Strip(cells, spans, top, bottom, size)


def distance(one: Strip, other: Strip) -> float:
    """Returns the white space between two strips in em."""
    return (other.top - one.bottom) / max(min(one.size, other.size), 0.1)


def lines_of(items: Sequence[Piece]) -> list[list[Piece]]:
    """Returns pieces as lines from top to bottom: those on a line overlap the middle of one another."""
    if len(items) == 1:
        return [list(items)]
    usual = sorted(item.core_bottom - item.core_top for item in items)[len(items) // 2]
    rows: list[list[Piece]] = []
    bottom = above = 0.0
    for middle, low, item in sorted((*_middle(item, usual), item) for item in items):
        if rows and (middle < bottom or 2 * middle - low < above):
            rows[-1].append(item)
            bottom = max(bottom, min(low, bottom + usual / 2))
        else:
            rows.append([item])
            bottom = low
        above = middle
    for row in rows:
        row.sort()
    return rows


def _middle(item: Piece, usual: float) -> tuple[float, float]:
    """Returns the middle and the bottom of a piece's core. An initial over several lines counts as on the first."""
    core = item.core_bottom - item.core_top
    if core > _INITIAL * usual and item.right - item.left < item.bottom - item.top:
        return item.core_top + usual / 2, item.core_top + usual
    return (item.core_top + item.core_bottom) / 2, item.core_bottom


def is_initial(item: Piece, after: Piece) -> bool:
    """Whether a piece is the first letter, over several lines, of the word with which another begins."""
    height, wide = item.bottom - item.top, item.right - item.left
    return height > _INITIAL * (after.bottom - after.top) and wide < height
