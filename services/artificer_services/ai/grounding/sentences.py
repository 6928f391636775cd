"""Divides texts into sentences and words, to find the sentence of a passage that another text repeats.

Pure. Needs no model and no list of a language's words: a word that many sentences have weighs little. Positions count
code points.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# A sentence ends behind its closing quotes and citation marks. The abbreviations of all languages are not known: an end
# that is none only makes a quote shorter.
_END = re.compile(
    r"""(?:[.!?\u2026]+["'\u201d\u2019)\]*_]*(?:\s*\[\d[\d,; ]*\])*(?=\s|$))"""
    r"""|[\u3002\uff01\uff1f]+["'\u201d\u2019\u300d)\]]*(?:\s*\[\d[\d,; ]*\])*"""
    r"""|\n\s*\n|\n(?=\s*(?:[-*+#>|]|\d+[.)]\s))"""
)
_ABBREVIATED = re.compile(
    r"(?:^|[\s(\"'])(?:[^\W\d_]|[^\W\d_]\.[^\W\d_]|Dr|Mr|Mrs|Ms|St|No|vs|etc|ca|cf|bzw|Nr|Abs|Art)\.$"
)
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+")
_WIDE = re.compile("[\u2e80-\u9fff\uf900-\ufaff]")  # scripts without spaces between words
_ENDINGS = ("ings", "ing", "ies", "ied", "ed", "es", "s", "y", "e")
_SHORTEST = 3  # letters that an ending leaves
_RARE = 2


class Sentence(NamedTuple):
    """A sentence and where it stands; the text is stripped."""

    start: int
    end: int
    text: str


def sentences(text: str) -> list[Sentence]:
    """Returns the sentences of a text, headings and items of lists among them."""
    found: list[Sentence] = []
    start = 0
    for end in (*_ends(text), len(text)):
        piece = text[start:end]
        stripped = piece.strip()
        if stripped:
            at = start + len(piece) - len(piece.lstrip())
            found.append(Sentence(at, at + len(stripped), stripped))
        start = end
    return found


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        if match.group().startswith(".") and _ABBREVIATED.search(text[max(0, match.start() - 8) : match.start() + 1]):
            continue
        yield match.end()


def words(text: str) -> list[str]:
    """Returns the words of a text, reduced to their stems; numbers as they are, and pairs of Chinese characters."""
    found: list[str] = []
    for match in _WORD.finditer(text.casefold()):
        word = match.group()
        if _WIDE.search(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            found.append(_stem(word))
    return found


def is_number(word: str) -> bool:
    """Whether a word of `words` is a number."""
    return word[0].isdigit()


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word[: -len(ending)]
    return word


class Weights:
    """How much words tell, by how few of some sentences have them (inverse document frequency)."""

    def __init__(self, texts: Iterable[str]) -> None:
        every = [set(words(text)) for text in texts]
        self._count = len(every)
        self._having = Counter(word for one in every for word in one)

    def of(self, word: str) -> float:
        """Returns the weight of a word; that of one which no sentence has is the highest."""
        return math.log(1 + (self._count + 1) / (self._having[word] + 0.5))

    def total(self, some: Iterable[str]) -> float:
        """Returns the sum of the weights of words."""
        return sum(self.of(word) for word in some)

    def is_rare(self, word: str) -> bool:
        """Whether at most two of the sentences have a word, and it is no short one, as the words of grammar are."""
        return self._having[word] <= _RARE and (len(word) > _SHORTEST or is_number(word))
