"""The text of a page in reading order.

Pure: gets the runs of a text layer with their places and gives plain text, with a blank line between blocks and a tab
between the cells of a table's row. Removes text that is drawn twice to look bold.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .bidi import has_backwards, is_backwards, joined
from .columns import Part, parts
from .content import TextRun
from .doubled import repeats
from .layout import Box
from .letters import WIDER, are_letters
from .lists import is_mark
from .rules import Grid, fill, grids
from .spacing import ends_block, usual_distance
from .strips import Piece, is_initial, lines_of, piece
from .turning import Turn

_REACH = 2.5  # em to the right of a list's mark that are no gap between columns
_GAP = 0.15  # of the size; a wider gap between pieces of a line is a space


def text_of(runs: Sequence[TextRun], width: float, height: float, paths: Sequence[Box] = ()) -> str:
    """Returns the text of the runs of a page of `width` by `height` points; `paths` are the boxes of its drawings."""
    runs = _together(_once([run for run in runs if run.text.strip()]))
    if not runs:
        return ""
    directions: dict[int, list[TextRun]] = {}
    for run in runs:
        directions.setdefault(run.turned, []).append(run)
    texts = []
    for turned in sorted(directions):
        found = directions[turned]
        turn = Turn(width, height, (360 - turned) % 360)
        boxes = [turn.upright(run.box) if turned else run.box for run in found]
        tables = grids([turn.upright(path) if turned else path for path in paths], *turn.size)
        texts.append(_Page(found, boxes, tables).text())
    return "\n\n".join(texts)


def _once(runs: list[TextRun]) -> list[TextRun]:
    """Returns the runs without those that repeat another at nearly the same place."""
    doubled = repeats([run.text for run in runs], [run.box for run in runs], [run.size for run in runs])
    return [run for number, run in enumerate(runs) if number not in doubled]


def _together(runs: list[TextRun]) -> list[TextRun]:
    """Returns runs whose letters were drawn one by one, and so are parted by spaces, as words."""
    if not are_letters([word for run in runs for word in run.text.split()]):
        return runs
    return [
        run._replace(text=run.text.replace(" ", ""), size=run.size * WIDER) if are_letters(run.text.split(), 1) else run
        for run in runs
    ]


class _Page:
    """The text of one direction on a page, which is turned so that this text is upright."""

    def __init__(self, runs: list[TextRun], boxes: list[Box], tables: list[Grid]) -> None:
        self._texts = [run.text for run in runs]
        self._runs = len(runs)
        self._backwards = is_backwards("".join(self._texts))
        self._pieces = [
            piece(self._mirrored(box), run.size, number, _REACH * run.size if is_mark(run.text.strip()) else 0.0)
            for number, (run, box) in enumerate(zip(runs, boxes, strict=True))
        ]
        filled = fill(tables, boxes)
        for grid, cells in filled:
            number = len(self._texts)
            self._texts.append(self._table(grid, cells))
            size = self._pieces[next(iter(cells.values()))[0]].size
            self._pieces.append(piece(self._mirrored(grid.box), size, number))
        if filled:
            within = {number for _, cells in filled for numbers in cells.values() for number in numbers}
            self._pieces = [item for item in self._pieces if item.number not in within]

    def text(self) -> str:
        found = [Part([[[item]] for item in self._pieces])] if _in_order(self._pieces) else parts(self._pieces)
        return "\n\n".join(self._part(part) for part in found)

    def _mirrored(self, box: Box) -> Box:
        """Returns a box so that text from right to left goes from left to right."""
        return Box(-box.right, box.top, -box.left, box.bottom) if self._backwards else box

    def _part(self, part: Part) -> str:
        if part.table:
            return "\n".join("\t".join(self._cell(cell) for cell in row) for row in part.rows)
        lines: list[str] = []
        usual = usual_distance([cell[0] for (cell,) in part.rows])
        before: Piece | None = None
        for (cell,) in part.rows:
            first = cell[0]
            if before and (max(first.number, before.number) >= self._runs or ends_block(before, first, usual)):
                lines.append("")
            lines.append(self._line(cell))
            before = first
        return "\n".join(lines)

    def _cell(self, cell: list[Piece]) -> str:
        if len(cell) == 1:
            return self._texts[cell[0].number].strip()
        return " ".join(self._line(line) for line in lines_of(cell)) if cell else ""

    def _table(self, grid: Grid, cells: dict[int, list[int]]) -> str:
        columns = len(grid.xs) - 1
        rows = [[""] * columns for _ in range(len(grid.ys) - 1)]
        for slot, numbers in cells.items():
            found = grid.slots[slot]
            column = columns - found.column - found.columns if self._backwards else found.column
            rows[found.row][column] = self._cell([self._pieces[number] for number in numbers])
        return "\n".join("\t".join(row) for row in rows)

    def _line(self, line: list[Piece]) -> str:
        """Returns the text of a line in logical order."""
        if len(line) == 1:
            return self._texts[line[0].number].strip()
        if self._backwards:
            line = line[::-1]
        texts = [self._texts[line[0].number]]
        for before, item in pairwise(line):
            apart = max(item.left - before.right, before.left - item.right)
            if is_initial(before, item):
                apart = 0.0
            elif is_mark(texts[-1].strip()):
                apart = item.size
            text = self._texts[item.number]
            if apart > _GAP * min(before.size, item.size) and not texts[-1][-1].isspace() and not text[0].isspace():
                texts.append(" ")
            texts.append(text)
        return (joined(texts) if any(has_backwards(text) for text in texts) else "".join(texts)).strip()


def _in_order(pieces: list[Piece]) -> bool:
    """Whether each piece is below the one before, as in most pages with one column."""
    bottom = float("-inf")
    for item in pieces:
        if item.core_top < bottom:
            return False
        bottom = item.core_bottom
    return True
