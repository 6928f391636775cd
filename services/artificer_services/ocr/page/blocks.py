"""The words of a page as blocks in reading order: paragraphs, headings, items of lists and tables.

Pure. Words come from a text layer or from OCR; ruled lines come from the boxes of drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from .bidi import has_backwards, in_logical_order, is_backwards
from .boxes import union
from .columns import Part, parts
from .doubled import repeats
from .layout import Block, BlockKind, Box, Cell, Line, Word
from .letters import WIDER, are_letters
from .lists import Bullets, is_mark
from .paragraphs import Row, blocks_of, body_size, leveled, row_of
from .plausibility import script_of
from .rules import Grid, fill, grids
from .strips import GAP, Piece, lines_of, piece

_FROM_RIGHT = ("Han", "Japanese", "Hangul")  # scripts whose columns of upright letters follow from right to left
_TALL = 1.5  # a word of several letters that is so many times as high as it is wide is turned
_REACH = 2.5  # em to the right of a list's mark that are no gap between columns


def arrange(
    lines: Sequence[Line], paths: Sequence[Box], width: float, height: float, body: float = 0.0
) -> tuple[Block, ...]:
    """Returns the words of a page of `width` by `height` as blocks in reading order.

    `paths` are the boxes of its drawings, `body` is the size of the document's running text, 0 for the page's own.
    Turned words come last.
    """
    found = [line for line in lines if line.words]
    twice = repeats([line.text for line in found], [line.box for line in found], [_size(line) for line in found])
    found = [line for number, line in enumerate(found) if number not in twice]
    turned = [line for line in found if _is_turned(line)]
    upright = [line for line in found if not _is_turned(line)]
    page = _Page(_parted(_together(upright)), grids(paths, width, height), Bullets(paths), body)
    beside = [Block(kind=BlockKind.PARAGRAPH, box=line.box, lines=(line,)) for line in turned]
    from_right = script_of("".join(line.text for line in turned)) in _FROM_RIGHT
    beside.sort(key=lambda block: (-block.box.right if from_right else block.box.left, *block.box))
    return (*leveled(page.blocks()), *beside)


class _Page:
    """The upright words of a page."""

    def __init__(self, lines: list[Line], ruled: list[Grid], bullets: Bullets, body: float) -> None:
        words = [word for line in lines for word in line.words]
        self._backwards = is_backwards("".join(word.text for word in words))
        self._body = body or body_size(lines)
        self._bullets = bullets
        self._tables: list[Block] = []
        self._lines: list[Line] = []
        self._pieces: list[Piece] = []
        filled = fill(ruled, [word.box for word in words])
        within = {number for _, cells in filled for numbers in cells.values() for number in numbers}
        for line in _outside(lines, within):
            self._pieces.append(self._piece(line, len(self._lines)))
            self._lines.append(line)
        for grid, cells in filled:
            size = words[next(iter(cells.values()))[0]].size
            self._pieces.append(piece(self._mirrored(grid.box), size, len(self._lines) + len(self._tables)))
            self._tables.append(self._ruled(grid, {at: [words[one] for one in cells[at]] for at in cells}))

    def blocks(self) -> list[Block]:
        return [block for part in parts(self._pieces) for block in self._part(part)]

    def _part(self, part: Part) -> list[Block]:
        if part.table:
            return [self._aligned(part)]
        blocks: list[Block] = []
        cells = [[item] for (cell,) in part.rows for item in cell if self._table(item)]
        rows = [[item for item in cell if not self._table(item)] for (cell,) in part.rows]
        ordered = sorted([*cells, *(row for row in rows if row)], key=lambda cell: cell[0].core_top) if cells else rows
        for is_table, group in groupby(ordered, key=lambda cell: self._table(cell[0])):
            if is_table:
                blocks += (self._tables[cell[0].number - len(self._lines)] for cell in group)
            else:
                blocks += blocks_of([self._row(cell) for cell in group], self._body)
        return blocks

    def _row(self, cell: Sequence[Piece]) -> Row:
        line, place = self._line(cell), _around(cell)
        return row_of(line, place, bullet=self._bullets.before(line.box, place.size, backwards=self._backwards))

    def _table(self, item: Piece) -> bool:
        return item.number >= len(self._lines)

    def _piece(self, line: Line, number: int) -> Piece:
        size = _size(line)
        marks = len(line.words) == 1 and is_mark(line.words[0].text)
        return piece(self._mirrored(line.box), size, number, _REACH * size if marks else 0.0)

    def _mirrored(self, box: Box) -> Box:
        """Returns a box so that text from right to left goes from left to right."""
        return Box(-box.right, box.top, -box.left, box.bottom) if self._backwards else box

    def _line(self, cell: Sequence[Piece]) -> Line:
        """Returns the words of pieces on one line."""
        return self._joined([word for item in cell for word in self._lines[item.number].words])

    def _joined(self, words: list[Word]) -> Line:
        box = union([word.box for word in words])
        if any(has_backwards(word.text) for word in words):
            ordered = sorted(words, key=lambda word: word.box.left + word.box.right)
            order = in_logical_order([word.text for word in ordered], backwards=self._backwards)
            words = [ordered[number] for number in order]
        return Line(box, tuple(words))

    def _ruled(self, grid: Grid, cells: dict[int, list[Word]]) -> Block:
        """Returns a table whose cells are those of a grid."""
        rows: list[list[Cell]] = [[] for _ in range(len(grid.ys) - 1)]
        lines: list[Line] = []
        for number, slot in enumerate(grid.slots):
            found = [self._joined(line) for line in self._by_lines(cells.get(number, []))]
            lines += found
            text = " ".join(line.text for line in found)
            rows[slot.row].append(Cell(text, slot.box, slot.columns, slot.rows))
        if self._backwards:
            rows = [row[::-1] for row in rows]
        return Block(kind=BlockKind.TABLE, box=grid.box, lines=tuple(lines), rows=tuple(map(tuple, rows)))

    def _by_lines(self, words: list[Word]) -> list[list[Word]]:
        pieces = [piece(self._mirrored(word.box), word.size, number) for number, word in enumerate(words)]
        return [[words[item.number] for item in line] for line in lines_of(pieces)] if pieces else []

    def _aligned(self, part: Part) -> Block:
        """Returns a table whose columns are aligned."""
        lines: list[Line] = []
        rows: list[tuple[Cell, ...]] = []
        for row in part.rows:
            cells: list[Cell] = []
            for cell in row:
                found = [self._line(line) for line in lines_of(cell)] if cell else []
                lines += found
                box = union([line.box for line in found]) if found else Box(0.0, 0.0, 0.0, 0.0)
                cells.append(Cell(" ".join(line.text for line in found), box))
            rows.append(tuple(cells))
        box = union([line.box for line in lines])
        return Block(kind=BlockKind.TABLE, box=box, lines=tuple(lines), rows=tuple(rows))


def _together(lines: list[Line]) -> list[Line]:
    """Returns lines whose letters were drawn one by one, and so are words, as words."""
    if not are_letters([word.text for line in lines for word in line.words]):
        return lines
    return [
        Line(line.box, (_word(line.words),)) if are_letters([w.text for w in line.words], 1) else line for line in lines
    ]


def _parted(lines: list[Line]) -> list[Line]:
    """Returns lines parted where a gutter may be: OCR has the cells of a row of a table as one line."""
    found: list[Line] = []
    for line in lines:
        least = GAP * _size(line)
        first = 0
        for number, (one, other) in enumerate(pairwise(line.words), 1):
            if max(other.box.left - one.box.right, one.box.left - other.box.right) >= least:
                found.append(_line_of(line.words[first:number]))
                first = number
        found.append(_line_of(line.words[first:]) if first else line)
    return found


def _line_of(words: tuple[Word, ...]) -> Line:
    return Line(union([word.box for word in words]), words)


def _word(letters: Sequence[Word]) -> Word:
    text, box = "".join(letter.text for letter in letters), union([letter.box for letter in letters])
    confidence = min(letter.confidence for letter in letters)
    return letters[0]._replace(text=text, box=box, confidence=confidence, size=letters[0].size * WIDER)


def _outside(lines: list[Line], within: set[int]) -> list[Line]:
    """Returns lines without the words in `within`, by their numbers in all lines."""
    if not within:
        return lines
    kept: list[Line] = []
    number = 0
    for line in lines:
        words = tuple(word for at, word in enumerate(line.words, number) if at not in within)
        number += len(line.words)
        if len(words) == len(line.words):
            kept.append(line)
        elif words:
            kept.append(_line_of(words))
    return kept


def _size(line: Line) -> float:
    return max(word.size for word in line.words) or (line.box.bottom - line.box.top) * 0.8


def _around(cell: Sequence[Piece]) -> Piece:
    """Returns the pieces of a line as one, with the height of the first."""
    return cell[0]._replace(left=min(item.left for item in cell), right=max(item.right for item in cell))


def _is_turned(line: Line) -> bool:
    """Whether the words of a line are below one another, or higher than they are wide."""
    first, last = line.words[0].box, line.words[-1].box
    if len(line.words) > 1 and max(first.left, last.left) < min(first.right, last.right):
        return min(first.bottom, last.bottom) <= max(first.top, last.top)
    return all(
        word.box.bottom - word.box.top > _TALL * (word.box.right - word.box.left) and len(word.text) > 2
        for word in line.words
    )
