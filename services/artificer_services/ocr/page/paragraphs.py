"""The lines of a column as paragraphs, headings and items of lists.

Pure: decides by sizes, bold letters, distances, indents and the marks of lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from .boxes import union
from .layout import Block, BlockKind, Line
from .lists import BULLET, is_bullet, is_mark, number_of
from .spacing import ends_block, usual_distance
from .strips import Piece

_SIZES = ((1.7, 1), (1.35, 2), (1.2, 3))  # of the body's, from which on a line is a heading, and its level
_BOLD = 1.05  # of the body's size, from which on a bold line is a heading of level 3
_DEEPEST = 4  # level of a bold heading in the body's size
_HEADING_LINES, _HEADING_CHARS = 4, 200
_BOLD_LINES, _BOLD_CHARS = 2, 100
_SAME_SIZE = 1.1  # by which the sizes of headings of one level may differ
_OTHER_SIZE = 1.12  # by which the sizes of a block's lines may differ
_SHORT = 0.25  # of a column's width that a line which ends a paragraph leaves empty
_INDENT = (0.8, 5.0)  # em, of the first line of a paragraph
_LEVEL = 0.7  # em, by which a deeper item is indented
_ENDS = (".", "!", "?", ":", "\u3002", "\u061f")


class Row(NamedTuple):
    """A line with its place in a column that is read from left to right."""

    line: Line
    place: Piece
    size: float
    bold: bool
    bullet: bool = False  # whether a bullet is drawn before it


def row_of(line: Line, place: Piece, *, bullet: bool = False) -> Row:
    """Returns a line with the size of most of its letters and whether all are bold."""
    sizes: Counter[float] = Counter()
    for word in line.words:
        sizes[round(word.size, 1)] += len(word.text)
    size = max(sizes, key=lambda size: (sizes[size], size)) if sizes else 0.0
    return Row(line, place, size or place.size, all(word.bold for word in line.words), bullet)


def body_size(lines: Iterable[Line]) -> float:
    """Returns the size of most letters, 0 if none is known."""
    sizes: Counter[float] = Counter()
    for line in lines:
        for word in line.words:
            sizes[round(word.size, 1)] += len(word.text)
    return max(sizes, key=lambda size: sizes[size]) if sizes else 0.0


def blocks_of(rows: Sequence[Row], body: float) -> list[Block]:
    """Returns the lines of a column as blocks; `body` is the size of running text, 0 if it is unknown."""
    if not rows:
        return []
    usual = usual_distance([row.place for row in rows])
    column = min(row.place.left for row in rows), max(row.place.right for row in rows)
    bold = all(row.bold for row in rows) and len(rows) > _BOLD_LINES
    groups: list[list[Row]] = [[rows[0]]]
    for number in range(1, len(rows)):
        after = rows[number + 1] if number + 1 < len(rows) else None
        if _begins(groups[-1], rows[number], after, usual, column):
            groups.append([])
        groups[-1].append(rows[number])
    blocks: list[Block] = []
    indents: list[float] = []
    for group in groups:
        level = _heading(group, body, plain_bold=bold)
        kind = BlockKind.HEADING if level else BlockKind.PARAGRAPH
        if not level and _mark(group[0]):
            kind = BlockKind.LIST_ITEM
            level = _depth(indents, group[0].place)
        else:
            indents.clear()
        lines = tuple(row.line for row in group)
        blocks.append(Block(kind=kind, box=union([line.box for line in lines]), lines=lines, level=level))
    return blocks


def leveled(blocks: Sequence[Block]) -> list[Block]:
    """Returns blocks with the same level for headings of about the same size, as OCR measures sizes to some percent."""
    found = list(blocks)
    larger = [
        (body_size(block.lines), at)
        for at, block in enumerate(blocks)
        if block.kind is BlockKind.HEADING and block.level < _DEEPEST
    ]
    size, level = 0.0, 0
    for measured, at in sorted(larger, reverse=True):
        if measured * _SAME_SIZE < size:
            level = 0
        if not level:
            size, level = measured, found[at].level
        found[at] = replace(found[at], level=level)
    return found


def _begins(group: list[Row], row: Row, after: Row | None, usual: float, column: tuple[float, float]) -> bool:
    """Whether a line begins a block after those of `group`."""
    before = group[-1]
    if ends_block(before.place, row.place, usual):
        return True
    if max(before.size, row.size) > _OTHER_SIZE * min(before.size, row.size) or before.bold != row.bold:
        return True
    left, right = column
    short = right - before.place.right > _SHORT * (right - left)
    item = _mark(group[0])
    mark = _mark(row)
    if mark and (is_bullet(mark) or short or _follows(item, mark)):
        return True
    em = row.size
    if item:
        return short and row.place.left < group[0].place.left + _LEVEL * em
    indent = row.place.left - before.place.left
    if _INDENT[0] * em < indent < _INDENT[1] * em and before.place.left - left < _LEVEL * em:
        return after is None or abs(after.place.left - before.place.left) < _LEVEL * em
    return short and before.line.words[-1].text.endswith(_ENDS) and len(group) > 1


def _mark(row: Row) -> str:
    """Returns the mark of a list's item with which a line begins."""
    words = row.line.words
    if len(words) > 1 and is_mark(words[0].text):
        return words[0].text
    return BULLET if row.bullet else ""


def _follows(item: str, mark: str) -> bool:
    """Whether a mark is that of a first item or follows `item`; other numbers begin a line by chance."""
    number, before = number_of(mark), number_of(item)
    if number is None:
        return bool(item) and before is None
    return number == 1 or (before is not None and number == before + 1)


def _heading(group: list[Row], body: float, *, plain_bold: bool) -> int:
    """Returns the level of a heading, 0 for other blocks."""
    text = " ".join(row.line.text for row in group)
    if not body or len(group) > _HEADING_LINES or len(text) > _HEADING_CHARS or sum(map(str.isalpha, text)) < 2:
        return 0
    size = max(row.size for row in group)
    for least, level in _SIZES:
        if size >= least * body:
            return level
    larger = size >= _BOLD * body
    short = len(group) <= _BOLD_LINES and len(text) <= _BOLD_CHARS and (larger or text[-1] not in ".,;:")
    if not (short and not plain_bold and all(row.bold for row in group)) or size < 0.9 * body:
        return 0
    return 3 if larger else _DEEPEST


def _depth(indents: list[float], place: Piece) -> int:
    """Returns how deep an item is, by the indents of the items before it, and adds its own."""
    step = _LEVEL * place.size
    while indents and place.left < indents[-1] - step:
        indents.pop()
    if not indents or place.left > indents[-1] + step:
        indents.append(place.left)
    return len(indents)
