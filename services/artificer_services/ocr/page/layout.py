"""A page as words, lines and blocks with their places: what readers of pages produce and output formats print.

All boxes are in points (1/72 inch) of the page as it is displayed, from its top left corner, with y growing downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle; `left <= right` and `top <= bottom`."""

    left: float
    top: float
    right: float
    bottom: float


class Word(NamedTuple):
    """One word. `size` is its font size in points, estimated for words read by OCR; `confidence` is 0..1."""

    text: str
    box: Box
    confidence: float
    size: float = 0.0
    bold: bool = False
    italic: bool = False


class Line(NamedTuple):
    """The words of a line in reading order, that is in logical order for scripts written from right to left."""

    box: Box
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


class Cell(NamedTuple):
    """A cell of a table, which spans `columns` and `rows`."""

    text: str
    box: Box
    columns: int = 1
    rows: int = 1


class BlockKind(StrEnum):
    PARAGRAPH = "paragraph"
    HEADING = "heading"
    LIST_ITEM = "list_item"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines that belong together. `level` is that of a heading, 1 for the highest, or the depth of a list's
    item, 1 for the outermost; else it is 0.
    """

    kind: BlockKind
    box: Box
    lines: tuple[Line, ...]
    level: int = 0
    rows: tuple[tuple[Cell, ...], ...] = ()  # of a table


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLayout:
    """The blocks of a page in reading order. `width` and `height` are those of the displayed page in points.

    `dpi` is the resolution of the image file that the page is, 0 if it is none or its resolution is unknown.
    """

    width: float
    height: float
    blocks: tuple[Block, ...]
    rotation: int = 0  # degrees by which the content was turned clockwise to read it: 0, 90, 180 or 270
    dpi: int = 0

    @property
    def word_count(self) -> int:
        return sum(len(line.words) for block in self.blocks for line in block.lines)
