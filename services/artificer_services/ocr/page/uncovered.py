"""Finds the parts of a page whose pictures and drawings may have text that the text layer does not have.

Pure. A file chooses how many pictures, paths and runs a page has, so that everything here is linear in them: boxes are
added up on a grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .boxes import area, cover, overlap, union
from .content import PageContent
from .layout import Box

_GRID = 64
_MOST = 12  # regions of a page, the largest
_SMALL = 0.02  # of the page; a smaller picture is a logo, a seal or an icon
_THIN = 14.0  # points; anything lower or narrower is a line
_WRITTEN_ON = 0.03  # of a picture that text covers; from it on, the picture is the ground of the text
_HIGH = 0.15  # of the page's height; a higher part of such a picture without text may be a scan's
_GLYPH = (3.0, 60.0)  # height of outlined letters in points
_WIDTHS = 3  # of the letters of a row; cells, ticks and boxes to fill in are all alike
_ROW = 8  # letters of an outlined line; fewer in a row are ticks, markers or arrows


def picture_share(content: PageContent) -> float:
    """Returns the share of the page that all pictures cover together."""
    return cover(content.pictures, _page(content)) if content.pictures else content.cover


def uncovered(content: PageContent) -> tuple[Box, ...]:
    """Returns the parts of a page with pictures or outlined letters on which no text of the layer stands."""
    if not content.pictures and len(content.paths) < _ROW:
        return ()
    page = _page(content)
    boxes = [box for box in content.pictures if box.right - box.left > 1 and box.bottom - box.top > 1]
    boxes += letter_rows(content.paths)
    if not boxes:
        return ()
    found = sorted(_joined(boxes, page), key=area, reverse=True)[:_MOST]
    parts = [part for box in found for part in _without_text(box, content)]
    return tuple(_apart([part for part in parts if area(part) >= _SMALL * area(page) and _thick(part)]))


def is_outlined(content: PageContent) -> bool:
    """Whether drawings on a page are arranged as letters are, on more than a small part of it."""
    return any(
        area(box) >= _SMALL * area(_page(content)) for box in _joined(letter_rows(content.paths), _page(content))
    )


def letter_rows(paths: Iterable[Box]) -> list[Box]:
    """Returns boxes around rows of paths that are as large and as near one another as letters of a line.

    Each box is higher than its row, so that those of neighbouring lines touch.
    """
    rows: dict[int, list[Box]] = {}
    low, high = _GLYPH
    for box in paths:
        height, width = box.bottom - box.top, box.right - box.left
        if low <= height <= high and 0.3 <= width <= 3 * height:
            rows.setdefault(round(box.bottom / 4), []).append(box)
    found: list[Box] = []
    for row in rows.values():
        row.sort(key=lambda box: box.left)
        group = [row[0]]
        for box in row[1:]:
            if box.left - group[-1].right > 3 * (box.bottom - box.top):
                found += _line(group)
                group = []
            group.append(box)
        found += _line(group)
    return found


def _line(group: list[Box]) -> list[Box]:
    if len(group) < _ROW or len({round(box.right - box.left, 1) for box in group}) < _WIDTHS:
        return []
    box = union(group)
    height = box.bottom - box.top
    return [Box(box.left, box.top - height, box.right, box.bottom + height)]


def _joined(boxes: Sequence[Box], page: Box) -> list[Box]:
    """Returns boxes around groups of boxes that touch one another on the grid."""
    width, height = page.right / _GRID, page.bottom / _GRID
    rows = [0] * _GRID
    for box in boxes:
        bits = (1 << _cell(box.right, width) + 1) - (1 << _cell(box.left, width))
        for row in range(_cell(box.top, height), _cell(box.bottom, height) + 1):
            rows[row] |= bits
    labels = _labels(rows)
    groups: dict[int, Box] = {}
    for box in boxes:
        row, column = _cell((box.top + box.bottom) / 2, height), _cell((box.left + box.right) / 2, width)
        label = labels[row, column]
        part = overlap(box, page)
        if part:
            groups[label] = union((groups[label], part)) if label in groups else part
    return list(groups.values())


def _labels(rows: list[int]) -> dict[tuple[int, int], int]:
    """Returns the group of each marked cell; cells that share a side are of one group."""
    labels: dict[tuple[int, int], int] = {}
    for row in range(_GRID):
        for column in range(_GRID if rows[row] else 0):
            if not rows[row] >> column & 1 or (row, column) in labels:
                continue
            label, waiting = len(labels), [(row, column)]
            labels[row, column] = label
            while waiting:
                y, x = waiting.pop()
                for cell in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    inside = 0 <= cell[0] < _GRID and 0 <= cell[1] < _GRID
                    if inside and rows[cell[0]] >> cell[1] & 1 and cell not in labels:
                        labels[cell] = label
                        waiting.append(cell)
    return labels


def _cell(place: float, step: float) -> int:
    return min(max(int(place / step), 0), _GRID - 1)


def _without_text(box: Box, content: PageContent) -> list[Box]:
    """Returns a picture, or its high parts without text if text stands on it, as a letterhead does on a scan."""
    inside = [part for run in content.runs if run.text.strip() and (part := overlap(run.box, box))]
    if not inside or cover(inside, box) < _WRITTEN_ON:
        return [box]
    inside.sort(key=lambda part: part.top)
    parts: list[Box] = []
    end = box.top
    for part in [*inside, box._replace(top=box.bottom)]:
        if part.top - end >= _HIGH * content.height:
            parts.append(Box(box.left, end, box.right, part.top))
        end = max(end, part.bottom)
    return parts


def _page(content: PageContent) -> Box:
    return Box(0.0, 0.0, max(content.width, 1.0), max(content.height, 1.0))


def _apart(boxes: Iterable[Box]) -> list[Box]:
    """Returns boxes with those that overlap as one, so that nothing is read twice."""
    found: list[Box] = []
    for box in boxes:
        while touched := [other for other in found if overlap(other, box)]:
            found = [other for other in found if other not in touched]
            box = union([box, *touched])
        found.append(box)
    return found


def _thick(box: Box) -> bool:
    return min(box.right - box.left, box.bottom - box.top) >= _THIN
