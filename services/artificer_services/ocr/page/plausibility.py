"""How much a text looks like a language: by pairs of letters, with tables for 53 languages in 14 scripts.

Pure, and cheap enough for every page: it takes a sample, and all languages of a script are added up at once, each in
its own bits of one number. `codegen/bigrams.py` makes the tables.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise, repeat
from operator import mul
from typing import NamedTuple

_SAMPLE = 450  # characters in all, from _PARTS places
_PARTS = 3
_ENOUGH = 40  # letters; fewer say nothing
_UNKNOWN = 0.9  # the quality of text of which nothing is known: numbers, ideographs, a few words
_WORST = 0.05
_STEP, _FIRST_COST, _MISSING = 0.3, 33, 17.0  # of the tables: bits per unit, the character for 0, bits of no pair
_LANE = 24  # bits of one language's sum

# Cost in bits per pair of letters, and the quality at that cost. Measured on words by their frequency in 36 languages:
# sound text costs 7 to 10 bits, 10 only in languages without a table, and text with exchanged letters 10.4 to 13.
_QUALITIES = ((7.5, 0.99), (9.5, 0.88), (11.5, 0.4), (13.0, 0.05))
DOUBTFUL = 0.86  # quality below which a text may be none

_WORD = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0900-\u0dff\u0e31-\u0e4e][^\W\d_]*)*")
_ODD = re.compile(r"[!\"#$%&'()*+/:;<>?@\[\\\]^`{}~\u00a1-\u00bf]")
_BAD = "\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f\x7f-\x9f"
_MEANINGLESS = re.compile(rf"[{_BAD}]")
_BROKEN = re.compile(rf"(?<=[^\W\d_])[{_BAD}]|[{_BAD}](?=[^\W\d_])")

# First code points of scripts, as far as they matter here (Unicode blocks); "" for all others.
_RANGES = (
    (0x41, "Latin"),
    (0x250, ""),
    (0x370, "Greek"),
    (0x400, "Cyrillic"),
    (0x530, ""),
    (0x590, "Hebrew"),
    (0x600, "Arabic"),
    (0x700, ""),
    (0x750, "Arabic"),
    (0x780, ""),
    (0x900, "Devanagari"),
    (0x980, "Bengali"),
    (0xA00, "Gurmukhi"),
    (0xA80, "Gujarati"),
    (0xB00, ""),
    (0xB80, "Tamil"),
    (0xC00, "Telugu"),
    (0xC80, "Kannada"),
    (0xD00, "Malayalam"),
    (0xD80, ""),
    (0xE00, "Thai"),
    (0xE80, ""),
    (0x1100, "Hangul"),
    (0x1200, ""),
    (0x1E00, "Latin"),
    (0x1F00, "Greek"),
    (0x2000, ""),
    (0x3040, "Japanese"),
    (0x3100, "Han"),
    (0x3130, "Hangul"),
    (0x3190, "Han"),
    (0xAC00, "Hangul"),
    (0xD7B0, ""),
    (0xF900, "Han"),
    (0xFB00, "Latin"),
    (0xFB1D, "Hebrew"),
    (0xFB50, "Arabic"),
    (0xFE00, ""),
    (0xFE70, "Arabic"),
    (0xFF00, ""),
    (0x20000, "Han"),
    (0x40000, ""),
)
_STARTS = [start for start, _ in _RANGES]


@dataclass(frozen=True, slots=True)
class Plausibility:
    """How much a text looks like a language: `quality` is 0..1 and below 1, `language` the nearest one by its code."""

    quality: float
    script: str = ""
    language: str = ""

    @property
    def doubtful(self) -> bool:
        return self.quality < DOUBTFUL


def plausibility(text: str) -> Plausibility:
    """Returns how much a text looks like a language, by a sample."""
    sample = _sample(text)
    words = _WORD.findall(sample.lower())
    letters = sum(map(len, words))
    visible = len("".join(sample.split()))
    if letters < _ENOUGH:
        odd = len(_ODD.findall(sample))  # as where each letter is mapped to a sign
        return Plausibility((0.5 if odd > _ENOUGH and odd > visible / 2 else _UNKNOWN) * _intact(sample))
    script = script_of("".join(words))
    table = _tables().get(script)
    if table is None:
        return Plausibility(_UNKNOWN * _intact(sample), script)
    languages, costs, missing = table
    joined = f" {' '.join(words)} "
    pairs = Counter(pairwise(joined))
    found = sum(map(mul, map(costs.get, pairs, repeat(missing)), pairs.values()))
    lanes = [(found >> (_LANE * lane)) & ((1 << _LANE) - 1) for lane in range(len(languages))]
    best = min(lanes)
    quality = _quality(best * _STEP / (len(joined) - 1)) * _intact(sample)
    return Plausibility(round(quality, 4), script, languages[lanes.index(best)])


def count_broken(text: str) -> int:
    """Returns how many characters without a meaning are within words; those that stand alone are mostly bullets."""
    return len(_BROKEN.findall(text))


def script_of(letters: str) -> str:
    """Returns the script of most letters, empty if it is none of those known here."""
    counts: Counter[str] = Counter()
    for char, count in Counter(letters).items():
        place = bisect_right(_STARTS, ord(char)) - 1
        counts[_RANGES[place][1] if place >= 0 else ""] += count
    # Japanese mixes Kana with ideographs.
    if counts["Japanese"]:
        counts["Japanese"] += counts.pop("Han", 0)
    return counts.most_common(1)[0][0] if counts else ""


def _sample(text: str) -> str:
    if len(text) <= _SAMPLE:
        return text
    part = _SAMPLE // _PARTS
    step = (len(text) - part) // (_PARTS - 1)
    return " ".join(text[start : start + part] for start in range(0, len(text) - part + 1, step))


def _intact(sample: str) -> float:
    """Returns a factor for the meaningless characters of a sample; those within words count twice."""
    if sample.isprintable() and "\ufffd" not in sample:
        return 1.0
    share = (len(_MEANINGLESS.findall(sample)) + count_broken(sample)) / max(len("".join(sample.split())), 1)
    return (1 - min(share, 1.0)) ** 2


def _quality(bits: float) -> float:
    before, quality = _QUALITIES[0]
    if bits <= before:
        return quality
    for after, lower in _QUALITIES[1:]:
        if bits <= after:
            return quality + (lower - quality) * (bits - before) / (after - before)
        before, quality = after, lower
    return _WORST


class _Table(NamedTuple):
    """The languages of a script, and the costs of its pairs: a number with a lane for each language."""

    languages: list[str]
    costs: dict[tuple[str, str], int]
    missing: int  # the costs of a pair that is not in `costs`


@cache
def _tables() -> dict[str, _Table]:
    tables: dict[str, _Table] = {}
    costs: dict[tuple[str, str], int] = {}
    for line in (files(__package__) / "bigrams.txt").read_text(encoding="utf-8").split("\n"):
        if "\t" in line:
            script, _, names = line.partition("\t")
            costs = {}
            languages = names.split()
            tables[script] = _Table(languages, costs, _lanes([round(_MISSING / _STEP)] * len(languages)))
        elif line:
            costs[line[0], line[1]] = _lanes([ord(char) - _FIRST_COST for char in line[2:]])
    return tables


def _lanes(units: Sequence[int]) -> int:
    return sum(unit << (_LANE * lane) for lane, unit in enumerate(units))
