"""Pages that are turned to be read: where things are before and after."""

from __future__ import annotations

import math

import pytest

from artificer_services.ocr.page.layout import Block, BlockKind, Box, Line, Word
from artificer_services.ocr.page.turning import Turn, put_back, turn_lines

TURNS = [Turn(600, 800, rotation, skew) for rotation in (0, 90, 180, 270) for skew in (0.0, 7.5, -14.0)]


@pytest.mark.parametrize(("rotation", "corner"), [(0, (10, 20)), (90, (780, 10)), (180, (590, 780)), (270, (20, 590))])
def test_a_corner_turns_clockwise_with_the_page(rotation: int, corner: tuple[float, float]) -> None:
    turned = Turn(600, 800, rotation).upright(Box(10, 20, 10, 20))
    assert (turned.left, turned.top) == corner


def test_a_line_that_falls_to_the_right_is_level_once_turned_back() -> None:
    fall = math.tan(math.radians(5))
    words = tuple(Word("word", Box(x, 400 + x * fall, x + 40, 410 + x * fall), 0.9) for x in range(100, 500, 50))
    (line,) = turn_lines([Line(Box(100, 400, 500, 455), words)], Turn(600, 800, skew=-5))
    tops = [word.box.top for word in line.words]
    assert max(tops) - min(tops) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_there_and_back_changes_nothing(turn: Turn) -> None:
    box = Box(30, 50, 130, 75)
    assert turn.back(turn.upright(box)) == pytest.approx(box)
    line = Line(box, (Word("word", box, 0.9, 12),))
    turned = turn_lines([line], turn)
    (block,) = put_back([Block(kind=BlockKind.PARAGRAPH, box=turned[0].box, lines=turned)], turn)
    assert block.box == pytest.approx(box)
    assert block.lines[0].words[0].box == pytest.approx(box)
