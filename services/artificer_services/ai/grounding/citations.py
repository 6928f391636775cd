"""Finds what supports the sentences of an answer, while it arrives: by the model's marks, or by the words.

Pure. A mark such as "[2]" names a passage; the sentence of it that shares most words is quoted. Of a sentence without a
mark, the words decide, so that citations are right also where a small model writes no marks. A sentence with a number
that no passage has is never cited by its words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..library.values import Passage
from .sentences import Sentence, Weights, is_number, sentences, words

_MARK = re.compile(r"\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_UNFINISHED = re.compile(r"\[[\d,; ]*")
_SUPPORT = 0.55  # of the weight of a sentence's words, from which on a passage supports it
_LEAST = 0.25  # below which a marked passage is quoted as a whole, since no sentence of it is meant
_WRONG = 0.3  # by which the support of another passage exceeds that of the marked one if the mark is wrong
_GAIN = 0.15  # that a second sentence must add to be quoted too
_ASKED = 0.5  # of a word's weight that the question has too and the passage has not
_TIE = 0.2  # of the question's words, to choose between sentences that support a short answer alike
_LONGEST = 2000  # characters of an answer without an end of a sentence, which are then one


@dataclass(frozen=True, slots=True)
class Support:
    """A part of passage `number`'s text, and of the answer that it supports."""

    number: int
    start: int
    end: int
    answer_start: int
    answer_end: int
    by_model: bool


@dataclass(frozen=True, slots=True)
class _Quote:
    number: int
    start: int
    end: int
    words: frozenset[str]
    around: frozenset[str]  # those of its headings
    single: bool


class Citations:
    """The citations of one answer. `add` takes the answer piece by piece."""

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        self._lengths = [len(passage.chunk.text) for passage in passages]
        divided = [sentences(passage.chunk.text) for passage in passages]
        self._weights = Weights(one.text for parts in divided for one in parts)
        self._asked = frozenset(words(question))
        self._quotes = [
            quote
            for number, (passage, parts) in enumerate(zip(passages, divided, strict=True), 1)
            for quote in _quotes(number, passage, parts)
        ]
        self._having: dict[str, list[int]] = defaultdict(list)  # the quotes with a word, by their positions
        for at, quote in enumerate(self._quotes):
            for word in quote.words | quote.around:
                self._having[word].append(at)
        self._fits: Mapping[int, float] = self._shares(self._asked)  # how well quotes fit the question
        self._pending = ""
        self._begun = 0  # the first character of `_pending` in the answer

    def add(self, text: str) -> list[Support]:
        """Returns what supports the sentences that end with this text."""
        self._pending += text
        parts = sentences(self._pending)
        ended = parts[:-1]
        if ended and _UNFINISHED.fullmatch(parts[-1].text):
            ended = ended[:-1]  # a mark of the sentence before may be on its way
        if not ended and len(self._pending) > _LONGEST:
            ended = parts
        return self._taken(ended)

    def finish(self) -> list[Support]:
        """Returns what supports the rest of the answer."""
        return self._taken(sentences(self._pending))

    def _taken(self, ended: Sequence[Sentence]) -> list[Support]:
        found = [support for one in ended for support in self._of(one)]
        if ended:
            self._begun += ended[-1].end
            self._pending = self._pending[ended[-1].end :]
        return found

    def _of(self, sentence: Sentence) -> Iterator[Support]:
        plain = _MARK.sub(" ", sentence.text)
        said = frozenset(words(plain))
        marked = [number for number in dict.fromkeys(_numbers(sentence.text)) if 0 < number <= len(self._lengths)]
        every = self._shares(said)
        shares = {number: self._best(every, {number}) for number in marked}
        other, share = self._best(every, set(range(1, len(self._lengths) + 1)) - shares.keys())
        known = max((one for _, one in shares.values()), default=0.0)
        # Small models write wrong numbers: the words of another passage count more than the mark.
        if other is not None and share >= max(_SUPPORT, known + _WRONG) and self._tells(said, other):
            yield self._cited(sentence, other.number, other.start, other.end, by_model=False)
            return
        for number, (quote, known) in shares.items():
            meant = (0, self._lengths[number - 1]) if quote is None or known < _LEAST else (quote.start, quote.end)
            yield self._cited(sentence, number, *meant, by_model=True)

    def _cited(self, sentence: Sentence, number: int, start: int, end: int, *, by_model: bool) -> Support:
        begun = self._begun
        return Support(number, start, end, begun + sentence.start, begun + sentence.end, by_model)

    def _best(self, shares: Mapping[int, float], numbers: Collection[int]) -> tuple[_Quote | None, float]:
        """Returns the quote of these passages with the largest share, and the share."""
        best: _Quote | None = None
        most = share_of_best = 0.0
        for at, share in shares.items():
            quote = self._quotes[at]
            score = share + _TIE * self._fits.get(at, 0.0) - (0.0 if quote.single else _GAIN)
            if score > most and quote.number in numbers:
                best, most, share_of_best = quote, score, share
        return best, share_of_best

    def _shares(self, said: frozenset[str]) -> dict[int, float]:
        """Returns which part of some words' weight each quote has, by its position.

        A word of the question that the quote lacks counts less. By an index of words, since fifty passages have ten
        thousand quotes.
        """
        held: dict[int, float] = defaultdict(float)
        asked: dict[int, float] = defaultdict(float)  # of `held`, the words of the question
        for word in said:
            weight = self._weights.of(word)
            for at in self._having.get(word, ()):
                held[at] += weight
                if word in self._asked:
                    asked[at] += weight
        plain, every_asked = self._weights.total(said - self._asked), self._weights.total(said & self._asked)
        found: dict[int, float] = {}
        for at in sorted(held):  # a set has no order; of equal ones the first wins
            known = asked.get(at, 0.0)
            found[at] = held[at] / (plain + known + _ASKED * (every_asked - known))
        return found

    def _tells(self, said: frozenset[str], quote: _Quote) -> bool:
        """Whether the words are enough to tell a sentence by, and all numbers are the quote's."""
        numbers = {word for word in said if is_number(word)}
        if not numbers <= quote.words | quote.around | self._asked:
            return False
        shared = said & quote.words
        return len(shared) > 1 or any(self._weights.is_rare(word) for word in shared)


def best_sentence(question: str, passages: Sequence[Passage]) -> tuple[int, str] | None:
    """Returns the sentence of the passages that shares most words with a question, with its passage's number.

    Headings count half. None if no word is shared.
    """
    divided = [sentences(passage.chunk.text) for passage in passages]
    weights = Weights(one.text for parts in divided for one in parts)
    asked = frozenset(words(question))
    best: tuple[int, str] | None = None
    most = 0.0
    for number, (passage, parts) in enumerate(zip(passages, divided, strict=True), 1):
        heading = _heading_words(passage, parts)
        for one in parts:
            if one.text.startswith("#"):
                continue
            own = frozenset(words(one.text))
            score = weights.total(asked & own) + weights.total(asked & heading - own) / 2
            if asked & own and score > most:
                best, most = (number, one.text), score
    return best


def _quotes(number: int, passage: Passage, parts: Sequence[Sentence]) -> Iterator[_Quote]:
    """Yields the sentences of a passage and each two neighbours; headings are no quotes."""
    around = _heading_words(passage, parts)
    told = [(one, frozenset(words(one.text))) for one in parts if not one.text.startswith("#")]
    for one, own in told:
        yield _Quote(number, one.start, one.end, own, around, single=True)
    for (one, own), (other, others) in pairwise(told):
        yield _Quote(number, one.start, other.end, own | others, around, single=False)


def _heading_words(passage: Passage, parts: Sequence[Sentence]) -> frozenset[str]:
    own = [one.text for one in parts if one.text.startswith("#")]
    return frozenset(word for heading in (*passage.chunk.headings, *own) for word in words(heading))


def _numbers(text: str) -> Iterator[int]:
    for mark in _MARK.finditer(text):
        yield from map(int, re.findall(r"\d+", mark.group(1)))
