"""Divides a text into chunks: of so many tokens, at borders that a reader would choose, with the headings above each.

Pure. A chunk may go over a page break, and says from which page to which. Its span is exact:
`text[span.start : span.end] == chunk.text`.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ..models.tokens import estimate
from ..reading.values import Page
from .borders import Borders, atoms, first_border, last_border
from .values import Chunk, Span

# How full a chunk must be to end before a section, and before a paragraph or a sentence.
_SECTION_FILLED, _FILLED = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A document's text, and where its pages begin: their numbers and first characters."""

    text: str
    pages: tuple[tuple[int, int], ...] = ()


def manuscript(pages: Sequence[Page]) -> Manuscript:
    """Returns the text of pages, with an empty line between two."""
    parts: list[str] = []
    starts: list[tuple[int, int]] = []
    length = 0
    for page in pages:
        if page.number:
            starts.append((page.number, length))
        parts.append(page.text.rstrip("\n") + "\n\n")
        length += len(parts[-1])
    return Manuscript(storable("".join(parts).rstrip("\n")), tuple(starts))


def storable(text: str) -> str:
    """Returns a text with as many characters that both databases take: no NUL and no half of a surrogate pair."""
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text


def divide(source: Manuscript, chunk_tokens: int, overlap: int) -> Iterator[Chunk]:
    """Yields the chunks of a text: of at most `chunk_tokens`, each repeating up to `overlap` tokens of the one before.

    Nothing of an earlier section is repeated, so that a chunk's headings hold for all of it up to the next heading.
    Every character that is not white space is in a chunk. `chunk_tokens` is at least 32, `overlap` at most half of it.
    """
    cutter = _Cutter(source.text, chunk_tokens, overlap)
    starts, numbers = [start for _, start in source.pages], [number for number, _ in source.pages]

    def page_of(place: int) -> int:
        return numbers[max(bisect_right(starts, place) - 1, 0)] if numbers else 0

    for index, (start, end) in enumerate(cutter.spans()):
        text = source.text[start:end]
        yield Chunk(
            index=index,
            text=text,
            span=Span(start, end, page_of(start), page_of(end - 1)),
            headings=cutter.borders.titles(start, end),
            token_count=estimate(text),
        )


class _Cutter:
    def __init__(self, text: str, size: int, overlap: int) -> None:
        self._text, self._size, self._overlap = text, size, overlap
        self._starts, self._ends = atoms(text)
        counts = (estimate(text[start:end]) for start, end in zip(self._starts, self._ends, strict=True))
        self._total = array("l", accumulate(counts, initial=0))  # tokens before each atom
        self.borders = Borders(text, self._starts, self._ends)

    def spans(self) -> Iterator[tuple[int, int]]:
        first = covered = 0
        while covered < len(self._starts):
            last = self._fit(first)
            if last <= covered:  # what is repeated leaves no room for the next atom
                first = covered
                last = self._fit(first)
            if last < len(self._starts):
                last = self._end(first, covered, last)
            yield self._starts[first], self._ends[last - 1]
            first, covered = self._resume(first, last), last

    def _fit(self, first: int) -> int:
        """Returns the atom behind the last one that fits into a chunk; a chunk has at least one."""
        last = max(bisect_right(self._total, self._total[first] + self._size) - 1, first + 1)
        # The tokens of a text may be more than the sum of its parts', if a long word is divided.
        while last > first + 1 and estimate(self._text[self._starts[first] : self._ends[last - 1]]) > self._size:
            last -= 1
        return last

    def _end(self, first: int, covered: int, most: int) -> int:
        """Returns the best border at which a chunk from `first` may end."""
        borders = self.borders
        for kind, filled in (
            (borders.sections, _SECTION_FILLED),
            (borders.paragraphs, _FILLED),
            (borders.sentences, _FILLED),
            (borders.words, 0.0),
        ):
            least = bisect_left(self._total, self._total[first] + filled * self._size)
            found = last_border(kind, max(covered, least - 1), most)
            if found is not None:
                return found
        return most

    def _resume(self, first: int, last: int) -> int:
        """Returns the atom with which the chunk behind `last` begins."""
        least = max(bisect_left(self._total, self._total[last] - self._overlap), first + 1)
        section = last_border(self.borders.sections, least, last)
        if section is not None:
            return section
        for kind in (self.borders.sentences, self.borders.words):
            found = first_border(kind, least, last)
            if found is not None:
                return found
        return last
