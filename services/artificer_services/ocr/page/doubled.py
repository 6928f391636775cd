"""Finds text that is drawn twice to look bold or to have a shadow."""

from __future__ import annotations

from collections.abc import Sequence

from .layout import Box

_NEAR = 0.12  # of the size; the same text at this distance is drawn twice


def repeats(texts: Sequence[str], boxes: Sequence[Box], sizes: Sequence[float]) -> set[int]:
    """Returns the numbers of the texts that repeat another at nearly the same place."""
    if len(set(texts)) == len(texts):
        return set()
    same: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        same.setdefault(text, []).append(number)
    doubled: set[int] = set()
    for numbers in same.values():
        if len(numbers) > 1:
            doubled |= _near(boxes, numbers, max(_NEAR * max(sizes[number] for number in numbers), 0.1))
    return doubled


def _near(boxes: Sequence[Box], numbers: list[int], step: float) -> set[int]:
    places: set[tuple[int, int]] = set()
    doubled: set[int] = set()
    for number in numbers:
        x, y = boxes[number].left / step, boxes[number].top / step
        # A place within half a step of a boundary is near those on both sides.
        near = [(int(x + across), int(y + down)) for across in (0, 0.5) for down in (0, 0.5)]
        if not places.isdisjoint(near):
            doubled.add(number)
        else:
            places.update(near)
    return doubled
