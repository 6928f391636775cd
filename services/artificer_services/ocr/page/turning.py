"""Pages that lie sideways, upside down or askew: maps places between the page as displayed and as it is read.

Pure. A box keeps its shape when a page is straightened by a few degrees and only its centre moves: boxes of single
words stay tight, and mapping there and back changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .boxes import union
from .layout import Block, Box, Line


@dataclass(frozen=True, slots=True)
class Turn:
    """How a page of `width` by `height`, in any unit, is turned to be read, in degrees clockwise.

    `rotation` is 0, 90, 180 or 270 and comes first, `skew` is the small angle that straightens lines.
    """

    width: float
    height: float
    rotation: int = 0
    skew: float = 0.0

    @property
    def size(self) -> tuple[float, float]:
        """The width and height of the page when turned."""
        return (self.height, self.width) if self.rotation in (90, 270) else (self.width, self.height)

    def scaled(self, by: float) -> Turn:
        """Returns the same turn in another unit of length."""
        return replace(self, width=self.width * by, height=self.height * by)

    def upright(self, box: Box) -> Box:
        """Returns where a box of the displayed page is once the page is turned."""
        return self._move(_quarters(box, self.rotation, self.width, self.height), self.skew)

    def back(self, box: Box) -> Box:
        """Returns where a box of the turned page is on the displayed page."""
        return _quarters(self._move(box, -self.skew), -self.rotation, *self.size)

    def _move(self, box: Box, skew: float) -> Box:
        if not skew:
            return box
        sine, cosine = math.sin(math.radians(skew)), math.cos(math.radians(skew))
        width, height = self.size
        across, down = (box.left + box.right - width) / 2, (box.top + box.bottom - height) / 2
        right, lower = across * cosine - down * sine - across, across * sine + down * cosine - down
        return Box(box.left + right, box.top + lower, box.right + right, box.bottom + lower)


def turn_lines(lines: Sequence[Line], turn: Turn) -> tuple[Line, ...]:
    """Returns lines of the displayed page as they are once it is turned."""
    if not turn.rotation and not turn.skew:
        return tuple(lines)
    turned = []
    for line in lines:
        words = tuple(word._replace(box=turn.upright(word.box)) for word in line.words)
        turned.append(Line(union([word.box for word in words]), words))
    return tuple(turned)


def put_back(blocks: Sequence[Block], turn: Turn) -> tuple[Block, ...]:
    """Returns blocks of the turned page with their places on the displayed page."""
    if not turn.rotation and not turn.skew:
        return tuple(blocks)
    return tuple(
        replace(
            block,
            box=turn.back(block.box),
            lines=tuple(_line_back(line, turn) for line in block.lines),
            rows=tuple(tuple(cell._replace(box=turn.back(cell.box)) for cell in row) for row in block.rows),
        )
        for block in blocks
    )


def put_lines_back(lines: Sequence[Line], turn: Turn) -> tuple[Line, ...]:
    """Returns lines of the turned page with their places on the displayed page."""
    return tuple(_line_back(line, turn) for line in lines) if turn.rotation or turn.skew else tuple(lines)


def _line_back(line: Line, turn: Turn) -> Line:
    words = tuple(word._replace(box=turn.back(word.box)) for word in line.words)
    return Line(union([word.box for word in words]) if words else turn.back(line.box), words)


def _quarters(box: Box, degrees: int, width: float, height: float) -> Box:
    """Turn a box of a page of `width` by `height` clockwise, with the page, by a multiple of 90 degrees."""
    left, top, right, bottom = box
    match degrees % 360:
        case 90:
            return Box(height - bottom, left, height - top, right)
        case 180:
            return Box(width - right, height - bottom, width - left, height - top)
        case 270:
            return Box(top, width - right, bottom, width - left)
        case _:
            return box
