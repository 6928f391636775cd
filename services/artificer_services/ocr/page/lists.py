"""The marks with which items of lists begin."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from .layout import Box

BULLET = "•"
_BULLETS = "•‣⁃∙◦▪▫■□●○◆◇►▶➢➤✓✔❖·"
_MARK = re.compile(rf"[{_BULLETS}\uf0b7\uf0a7]|[-–—*+>»›]|\(?\d{{1,3}}[.)]|\(?[a-z]\)|\(?[ivx]{{1,4}}\)|[a-z]\.")
_BULLET_SIDES = (2.0, 7.0)  # points
_BULLET_GAP = 1.5  # of the letters' size
_MOST_BULLETS = 300  # of a page; with more, they are the points of a figure
_NUMBER = re.compile(r"\d+")


def is_mark(word: str) -> bool:
    """Whether a word is the bullet or the number of an item."""
    return len(word) <= 5 and _MARK.fullmatch(word) is not None


def is_bullet(word: str) -> bool:
    """Whether a word can be nothing else but a bullet."""
    return len(word) == 1 and (word in _BULLETS or word in "\uf0b7\uf0a7")


def number_of(mark: str) -> int | None:
    """Returns the number of an item, None if it has a bullet or a letter."""
    found = _NUMBER.search(mark)
    return int(found[0]) if found else None


class Bullets:
    """The bullets of a page that are drawings, as browsers print them."""

    def __init__(self, paths: Sequence[Box]) -> None:
        boxes = [box for box in paths if _is_drawn_bullet(box)]
        self._boxes = sorted(boxes, key=_middle) if len(boxes) <= _MOST_BULLETS else []
        self._middles = [_middle(box) for box in self._boxes]

    def before(self, line: Box, size: float, *, backwards: bool) -> bool:
        """Whether one is beside the beginning of a line whose letters have this size."""
        at = bisect_left(self._middles, line.top)
        while at < len(self._boxes) and self._middles[at] < line.bottom:
            box = self._boxes[at]
            gap = box.left - line.right if backwards else line.left - box.right
            if 0 < gap < _BULLET_GAP * size:
                return True
            at += 1
        return False


def _middle(box: Box) -> float:
    return (box.top + box.bottom) / 2


def _is_drawn_bullet(box: Box) -> bool:
    wide, high = box.right - box.left, box.bottom - box.top
    return _BULLET_SIDES[0] <= wide <= _BULLET_SIDES[1] and abs(wide - high) < _BULLET_SIDES[0] / 2
