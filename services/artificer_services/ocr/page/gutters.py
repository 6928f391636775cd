"""The gutters between columns: white space between the same two columns of successive strips.

Pure geometry: knows boxes and sizes of letters, but no text.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .strips import GAP, Strip, distance, lines_of

NEAR = 1.0  # em between the cores of lines up to which they belong together; it is about 0.5 within a paragraph.
# As much more than usual ends a table, a header and a footer.
ROWS = 3  # with text on both sides of a gutter; fewer happen to be one below the other
_FEW, _WIDE = 2, 1.5  # rows that are enough for a gutter which is so wide, in em
_FAR = 3.0  # em more than usual between the cores of lines from which on columns end
_TRACKED = 64  # gutters at a time; a page with more has no columns


@dataclass(slots=True)
class Gutter:
    """White space from `left` to `right` in the strips from `first` to `last`."""

    left: float
    right: float
    first: int
    last: int
    support: int  # rows with text on both sides
    top: int  # the first of the strips above that belong to one of the columns


def bands(strips: list[Strip], *, page: bool) -> list[Gutter]:
    """Returns gutters that do not share strips, from top to bottom; of those that would, the one with the most rows.

    `page` tells whether the strips are those of a whole page, with its header and footer.
    """
    chosen: list[Gutter] = []
    taken: set[int] = set()
    for gutter in sorted(_gutters(strips, page=page), key=lambda gutter: (-gutter.support, gutter.first)):
        if gutter.first not in taken and gutter.last not in taken:
            within = range(gutter.first, gutter.last + 1)
            if taken.isdisjoint(within):
                taken.update(within)
                chosen.append(gutter)
    for gutter in chosen:
        _extend(gutter, strips, taken)
    return sorted(chosen, key=lambda gutter: gutter.first)


def usual_white(strips: list[Strip]) -> float:
    """Returns the median of the white space between strips, in em."""
    found = sorted(distance(one, other) for one, other in pairwise(strips))
    return found[len(found) // 2] if found else 0.0


def _gutters(strips: list[Strip], *, page: bool) -> list[Gutter]:
    """Returns the gutters with enough rows on both sides."""
    done: list[Gutter] = []
    tracked: list[Gutter] = []
    last = len(strips) - 1
    usual = usual_white(strips)
    for number, strip in enumerate(strips):
        if tracked:
            above = distance(strips[number - 1], strip)
            alone = page and (number == 1 or number == last) and above > usual + NEAR  # below a header or a footer
            if above > usual + _FAR or alone:
                done += tracked
                tracked = []
        if tracked or len(strip.spans) > 1:
            ended, tracked = _follow(tracked, strip, number)
            done += ended
    return [gutter for gutter in done + tracked if gutter.support >= ROWS or _is_wide(gutter, strips)]


def _is_wide(gutter: Gutter, strips: list[Strip]) -> bool:
    """Whether a gutter of only two rows is wide enough to be seen as one."""
    return gutter.support == _FEW and gutter.right - gutter.left >= _WIDE * strips[gutter.first].size


def _follow(tracked: list[Gutter], strip: Strip, number: int) -> tuple[list[Gutter], list[Gutter]]:
    """Returns the gutters that end above a strip, and those that go on in it or begin there, from left to right."""
    free = _free(strip)
    least = GAP * strip.size / 2
    if len(tracked) == len(free) - 2 and _go_on(tracked, free[1:-1], strip, number, least):
        return [], tracked
    ended: list[Gutter] = []
    kept: list[Gutter] = []
    used: set[int] = set()
    at = 0
    for gutter in tracked:
        while at < len(free) - 1 and free[at][1] <= gutter.left:
            at += 1
        best, width = at, 0.0
        for place in range(at, min(at + 2, len(free))):
            shared = min(free[place][1], gutter.right) - max(free[place][0], gutter.left)
            if shared > width:
                best, width = place, shared
        if width < least:
            ended.append(gutter)
            continue
        gutter.left, gutter.right = max(free[best][0], gutter.left), min(free[best][1], gutter.right)
        if 0 < best < len(free) - 1:
            gutter.last = number
            gutter.support += _lines(strip, best)
            used.add(best)
        kept.append(gutter)
    for place in range(1, len(free) - 1):
        if place not in used and len(kept) < _TRACKED:
            kept.append(Gutter(*free[place], number, number, _lines(strip, place), number))
    return ended, sorted(kept, key=lambda gutter: gutter.left)


def _go_on(tracked: list[Gutter], spaces: list[tuple[float, float]], strip: Strip, number: int, least: float) -> bool:
    """Let each gutter go on in the white space at its place, as in most rows of a table; returns whether all can."""
    shared = [
        (max(gutter.left, left), min(gutter.right, right))
        for gutter, (left, right) in zip(tracked, spaces, strict=True)
    ]
    if any(right - left < least for left, right in shared):
        return False
    for place, (gutter, space) in enumerate(zip(tracked, shared, strict=True), 1):
        gutter.left, gutter.right = space
        gutter.last = number
        gutter.support += _lines(strip, place)
    return True


def _free(strip: Strip) -> list[tuple[float, float]]:
    """Returns the white spaces of a strip from left to right, with those outside."""
    edges = [float("-inf"), *(edge for span in strip.spans for edge in span), float("inf")]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _lines(strip: Strip, place: int) -> int:
    """Returns the number of lines that are beside one another at a white space of a strip."""
    left, right = strip.cells[place - 1], strip.cells[place]
    return 1 if len(left) == 1 or len(right) == 1 else min(len(lines_of(left)), len(lines_of(right)))


def _extend(gutter: Gutter, strips: list[Strip], taken: set[int]) -> None:
    """Extend a gutter by the lines above and below it that belong to the column which is longer there."""
    number = gutter.first - 1
    while number >= 0 and number not in taken and distance(strips[number], strips[number + 1]) <= NEAR:
        if strips[number].spans[0][0] < gutter.right and strips[number].spans[-1][1] > gutter.left:
            break
        gutter.top = number
        number -= 1
    number = gutter.last + 1
    while number < len(strips) and number not in taken and distance(strips[number - 1], strips[number]) <= NEAR:
        if strips[number].spans[0][0] < gutter.right and strips[number].spans[-1][1] > gutter.left:
            break
        gutter.last = number
        number += 1
    taken.update(range(gutter.top, gutter.last + 1))
