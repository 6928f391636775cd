"""Where a text may be divided: its headings, paragraphs, sentences and words, and the headings above a place.

Pure. Places are counted in atoms, short runs of characters that are never divided.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SENTENCE_END = "。！？"  # of scripts that write no space behind it
# At most 17 characters; longer words are divided between atoms.
_ATOM = re.compile(rf"[^\s{_SENTENCE_END}]{{1,16}}[{_SENTENCE_END}]?|[{_SENTENCE_END}]")
# CommonMark 0.31, section 4.2. The closing sequence is cut off later: in here it would need backtracking.
_HEADING = re.compile(r"^ {0,3}(#{1,6})(?=[ \t]|$)(.*)$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_SENTENCE = re.compile(rf"(?<=[.!?…{_SENTENCE_END}])[\"'”’)\]]*\s+|(?<=[{_SENTENCE_END}])|\n")
_LONGEST_TITLE = 200  # characters


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading's line, and the titles from the outermost to its own."""

    start: int
    end: int
    titles: tuple[str, ...]


def atoms(text: str) -> tuple[array[int], array[int]]:
    """Returns the first characters of the atoms, and the characters behind their last ones."""
    starts, ends = array("l"), array("l")
    for found in _ATOM.finditer(text):
        starts.append(found.start())
        ends.append(found.end())
    return starts, ends


def headings(text: str) -> Iterator[Heading]:
    """Yields the headings of a Markdown text: `#` lines outside of code blocks."""
    fences = [(found.start(), found.end()) for found in _FENCE.finditer(text)]
    fence = 0
    open_: list[tuple[int, str]] = []
    for found in _HEADING.finditer(text):
        while fence < len(fences) and fences[fence][1] <= found.start():
            fence += 1
        title = _title(found[2])
        if not title or (fence < len(fences) and fences[fence][0] <= found.start()):
            continue
        level = len(found[1])
        open_ = [*(one for one in open_ if one[0] < level), (level, title)]
        yield Heading(found.start(), found.end(), tuple(one for _, one in open_))


def _title(line: str) -> str:
    title = line.strip()
    bare = title.rstrip("#")
    return (bare.rstrip() if not bare or bare[-1] in " \t" else title)[:_LONGEST_TITLE]


class Borders:
    """The borders of a text whose atoms begin at `starts` and end at `ends`."""

    def __init__(self, text: str, starts: array[int], ends: array[int]) -> None:
        self._text, self._headings = text, list(headings(text))
        self._places = [one.start for one in self._headings]
        sections = [
            one.start
            for before, one in zip([None, *self._headings], self._headings, strict=False)
            # A heading directly below another one belongs to it.
            if before is None or text[before.end : one.start].strip()
        ]
        self.sections = _at(starts, sections)
        self.paragraphs = _at(starts, (found.end() for found in _PARAGRAPH.finditer(text)))
        self.sentences = _at(starts, (found.end() for found in _SENTENCE.finditer(text)))
        self.words = array("l", (at for at in range(1, len(starts)) if starts[at] > ends[at - 1]))

    def titles(self, start: int, end: int) -> tuple[str, ...]:
        """Returns the headings above the first text between two characters, those that open it included."""
        at = bisect_right(self._places, start)
        while at < len(self._headings):
            one, before = self._headings[at], self._headings[at - 1].end if at else start
            if one.start >= end or self._text[max(start, before) : one.start].strip():
                break
            at += 1
        return self._headings[at - 1].titles if at else ()


def last_border(borders: array[int], above: int, most: int) -> int | None:
    """Returns the last border that is above `above` and at most `most`, or None."""
    at = bisect_right(borders, most)
    return borders[at - 1] if at and borders[at - 1] > above else None


def first_border(borders: array[int], least: int, below: int) -> int | None:
    """Returns the first border that is at least `least` and below `below`, or None."""
    at = bisect_left(borders, least)
    return borders[at] if at < len(borders) and borders[at] < below else None


def _at(starts: array[int], places: Iterable[int]) -> array[int]:
    """Returns the atoms that begin at or behind characters, without repetition."""
    found = array("l")
    for place in places:
        atom = bisect_left(starts, place)
        if not found or found[-1] < atom:
            found.append(atom)
    return found
