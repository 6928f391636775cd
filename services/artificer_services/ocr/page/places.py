"""Moves and measures words and lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .layout import Box, Line


def bounds(items: Sequence[Line]) -> Box:
    """Returns the smallest box around some lines; at least one is needed."""
    boxes = [item.box for item in items]
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def scaled(lines: Iterable[Line], factor: float, left: float = 0.0, top: float = 0.0) -> tuple[Line, ...]:
    """Returns lines, and the sizes of their letters, multiplied by `factor` and then moved right and down."""

    def moved(box: Box) -> Box:
        return Box(
            round(box.left * factor + left, 2),
            round(box.top * factor + top, 2),
            round(box.right * factor + left, 2),
            round(box.bottom * factor + top, 2),
        )

    return tuple(
        Line(
            moved(line.box),
            tuple(word._replace(box=moved(word.box), size=round(word.size * factor, 1)) for word in line.words),
        )
        for line in lines
    )
