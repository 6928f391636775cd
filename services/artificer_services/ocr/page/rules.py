"""Tables by their ruled lines.

Pure geometry: finds grids among the boxes of drawings. A grid is a set of horizontal and vertical lines that touch one
another; where a line is missing between two places of a grid, they are one cell.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .layout import Box

_THIN = 3.0  # points, up to which a drawing is a line; a wider one counts with its four edges
_SHORT = 6.0  # points; shorter lines are parts of letters and signs
_JOIN = 4.0  # points between lines that are one, or touch; HTML's tables have two points between the boxes of cells
_RULED = 0.6  # of the side of a cell that a line must cover
_MOST_PATHS = 2_000  # of a page; with more, it has a figure or a map, and no tables are looked for
_MOST_PAIRS = 200_000  # of lines
_MOST_PLACES = 4_000  # of a grid
_MOST_GRIDS = 50
_WHOLE = 0.95  # of the width and the height of a page, from which on a box is its background


class Slot(NamedTuple):
    """A cell of a grid."""

    row: int
    column: int
    rows: int
    columns: int
    box: Box


class _Rule(NamedTuple):
    """A line at `at` on one axis, from `first` to `last` on the other."""

    at: float
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a table from its top left, row by row."""

    box: Box
    slots: tuple[Slot, ...]
    ys: tuple[float, ...]  # of the edges between rows
    xs: tuple[float, ...]  # of the edges between columns
    places: tuple[int, ...]  # the number of the slot at each row and column

    def slot_at(self, x: float, y: float) -> int | None:
        """Returns the number of the cell that contains a point, None outside the grid."""
        row, column = bisect_right(self.ys, y) - 1, bisect_right(self.xs, x) - 1
        if not (0 <= row < len(self.ys) - 1 and 0 <= column < len(self.xs) - 1):
            return None
        return self.places[row * (len(self.xs) - 1) + column]


def grids(paths: Sequence[Box], width: float, height: float) -> list[Grid]:
    """Returns the grids of at least two rows and two columns on a page of `width` by `height` points."""
    if not 2 < len(paths) <= _MOST_PATHS:
        return []
    across, down = _rules(paths, width, height)
    if not across or not down or len(across) * len(down) > _MOST_PAIRS:
        return []
    found = (_grid([across[i] for i in rows], [down[i] for i in columns]) for rows, columns in _touching(across, down))
    return sorted((grid for grid in found if grid), key=lambda grid: (grid.box.top, grid.box.left))


def _rules(paths: Iterable[Box], width: float, height: float) -> tuple[list[_Rule], list[_Rule]]:
    """Returns the horizontal and the vertical lines."""
    across: list[_Rule] = []
    down: list[_Rule] = []
    for left, top, right, bottom in paths:
        wide, high = right - left, bottom - top
        if high <= _THIN:
            if wide >= _SHORT:
                across.append(_Rule((top + bottom) / 2, left, right))
        elif wide <= _THIN:
            if high >= _SHORT:
                down.append(_Rule((left + right) / 2, top, bottom))
        elif wide >= _SHORT and high >= _SHORT and (wide < _WHOLE * width or high < _WHOLE * height):
            across += (_Rule(top, left, right), _Rule(bottom, left, right))
            down += (_Rule(left, top, bottom), _Rule(right, top, bottom))
    return _merged(across), _merged(down)


def _merged(rules: list[_Rule]) -> list[_Rule]:
    """Returns lines with those that continue one another as one, sorted."""
    merged: list[_Rule] = []
    group: list[_Rule] = []
    for rule in [*sorted(rules), _Rule(float("inf"), 0.0, 0.0)]:
        if group and rule.at - group[0].at > _JOIN:
            at = sum(one.at for one in group) / len(group)
            group.sort(key=lambda one: one.first)
            first, last = group[0].first, group[0].last
            for one in group[1:]:
                if one.first > last + _JOIN:
                    merged.append(_Rule(at, first, last))
                    first, last = one.first, one.last
                last = max(last, one.last)
            merged.append(_Rule(at, first, last))
            group = []
        group.append(rule)
    return merged


def _touching(across: list[_Rule], down: list[_Rule]) -> list[tuple[list[int], list[int]]]:
    """Returns groups of lines that touch, as the numbers of horizontal and of vertical ones."""
    parents = list(range(len(across) + len(down)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    heights = [rule.at for rule in across]
    for number, rule in enumerate(down, len(across)):
        for other in range(bisect_left(heights, rule.first - _JOIN), bisect_right(heights, rule.last + _JOIN)):
            if across[other].first - _JOIN <= rule.at <= across[other].last + _JOIN:
                parents[root(other)] = root(number)
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for number in range(len(parents)):
        rows, columns = groups.setdefault(root(number), ([], []))
        if number < len(across):
            rows.append(number)
        else:
            columns.append(number - len(across))
    return [group for group in groups.values() if group[0] and group[1]]


def _grid(across: list[_Rule], down: list[_Rule]) -> Grid | None:
    """Returns the grid of some lines; lines that go beyond all others have open cells at their ends."""
    ys = _edges([*(rule.at for rule in across), min(r.first for r in down), max(r.last for r in down)])
    xs = _edges([*(rule.at for rule in down), min(r.first for r in across), max(r.last for r in across)])
    rows, columns = len(ys) - 1, len(xs) - 1
    if rows < 2 or columns < 2 or rows * columns > _MOST_PLACES:
        return None
    below = _covered(across, ys, xs)
    beside = _covered(down, xs, ys)
    slots: list[Slot] = []
    places = [-1] * (rows * columns)
    for row in range(rows):
        for column in range(columns):
            if places[row * columns + column] < 0:
                wide, high = _extent(row, column, places, below, beside, (rows, columns))
                box = Box(xs[column], ys[row], xs[column + wide], ys[row + high])
                for y in range(row, row + high):
                    places[y * columns + column : y * columns + column + wide] = [len(slots)] * wide
                slots.append(Slot(row, column, high, wide, box))
    return Grid(Box(xs[0], ys[0], xs[-1], ys[-1]), tuple(slots), tuple(ys), tuple(xs), tuple(places))


def _edges(places: list[float]) -> list[float]:
    edges: list[float] = []
    for place in sorted(places):
        if not edges or place - edges[-1] > _JOIN:
            edges.append(place)
    return edges


def _covered(rules: list[_Rule], at: list[float], along: list[float]) -> set[tuple[int, int]]:
    """Returns which sides of cells are ruled, as the numbers of an edge in `at` and of a step in `along`."""
    found: set[tuple[int, int]] = set()
    for rule in rules:
        edge = bisect_right(at, rule.at) - 1
        if edge + 1 < len(at) and at[edge + 1] - rule.at < rule.at - at[edge]:
            edge += 1
        for step in range(
            max(bisect_right(along, rule.first) - 1, 0), min(bisect_left(along, rule.last), len(along) - 1)
        ):
            shared = min(rule.last, along[step + 1]) - max(rule.first, along[step])
            if shared >= _RULED * (along[step + 1] - along[step]):
                found.add((edge, step))
    return found


def _extent(
    row: int,
    column: int,
    places: list[int],
    below: set[tuple[int, int]],
    beside: set[tuple[int, int]],
    size: tuple[int, int],
) -> tuple[int, int]:
    """Returns over how many columns and rows a cell goes: up to the next lines."""
    rows, columns = size
    wide = 1
    while column + wide < columns and (column + wide, row) not in beside and places[row * columns + column + wide] < 0:
        wide += 1
    high = 1
    while row + high < rows and all(
        (row + high, x) not in below and places[(row + high) * columns + x] < 0 for x in range(column, column + wide)
    ):
        if any((x, row + high) in beside for x in range(column + 1, column + wide)):
            break
        high += 1
    return wide, high


def fill(found: Sequence[Grid], boxes: Sequence[Box]) -> list[tuple[Grid, dict[int, list[int]]]]:
    """Returns the grids that are tables with the numbers of the boxes in each cell, by the number of the cell.

    A grid whose text is in one row or one column is a frame or a figure.
    """
    filled: list[tuple[Grid, dict[int, list[int]]]] = [(grid, {}) for grid in found[:_MOST_GRIDS]]
    for number, (left, top, right, bottom) in enumerate(boxes) if filled else ():
        x, y = (left + right) / 2, (top + bottom) / 2
        for grid, cells in filled:
            slot = grid.slot_at(x, y)
            if slot is not None:
                cells.setdefault(slot, []).append(number)
                break
    return [
        (grid, cells)
        for grid, cells in filled
        if len({grid.slots[slot].row for slot in cells}) > 1 and len({grid.slots[slot].column for slot in cells}) > 1
    ]
