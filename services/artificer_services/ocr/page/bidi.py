"""Text of scripts that are written from right to left, from the order of its letters on the page to that of reading.

Pure. PDF libraries give such text partly as it stands and partly as it is read, and differently. So the letters are
taken by their places, from left to right, and the bidirectional algorithm (UAX #9) is run in reverse: to run it on
text in visual order gives the logical order, except for numbers beside Latin words, where the two orders are not one
to one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby

from bidi import get_display  # type: ignore[import-untyped]  # no stubs

_BACKWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
_FORMS = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]")  # Arabic letters as they look within words
_BRACKET = re.compile(r"[()\[\]{}]")
_MIRROR = str.maketrans("()[]{}", ")(][}{")
_OPENING = "([{"
_RTL, _STRONG = ("R", "AL"), ("L", "R", "AL")


def has_backwards(text: str) -> bool:
    """Whether a text has letters that are written from right to left."""
    return not text.isascii() and _BACKWARDS.search(text) is not None


def is_backwards(text: str) -> bool:
    """Whether a text is mostly of letters that are written from right to left."""
    if text.isascii() or not (found := len(_BACKWARDS.findall(text))):
        return False
    return found * 2 > sum(unicodedata.bidirectional(char) in _STRONG for char in text)


def logical(letters: Iterable[tuple[str, float]]) -> str:
    """Returns the letters of a line, each with its distance from the left, in the order in which they are read."""
    groups = _groups(letters)
    groups.sort(key=lambda group: group[0])
    # As the whole is reversed, marks come before the letters of scripts that are.
    return _read("".join(text[::-1] if has_backwards(text) else text for _, text in groups))


def joined(texts: Iterable[str]) -> str:
    """Returns the parts of a line, from left to right, each in logical order, as one text in logical order."""
    return _read("".join(_reorder(text) if has_backwards(text) else text for text in texts))


def in_logical_order(words: Sequence[str], *, backwards: bool) -> list[int]:
    """Returns the numbers of words, which stand from left to right, in the order in which they are read.

    `backwards` tells which way a line of both kinds of words is read, if they are equally many.
    """
    kinds = [has_backwards(word) for word in words]
    count = sum(kinds)
    base = backwards if count * 2 == len(words) else count * 2 > len(words)
    order: list[int] = []
    numbers = range(len(words))[::-1] if base else range(len(words))
    for kind, found in groupby(numbers, key=kinds.__getitem__):
        group = list(found)
        if kind == base:
            order += group
        elif kind:
            order += group[::-1]
        else:
            # From the first Latin word on; numbers left of it are read after it.
            latin = [at for at, number in enumerate(group) if any(char.isalpha() for char in words[number])]
            until = latin[-1] + 1 if latin else 0
            order += [*group[:until][::-1], *group[until:]]
    return order


def _read(visual: str) -> str:
    text = _reorder(visual)
    text = _BRACKET.sub(lambda found: _bracket(text, found.start()), text)
    return _FORMS.sub(lambda found: _letter(found[0]), text)


def _reorder(text: str) -> str:
    """Returns a text in logical order as it stands, or the other way round."""
    return str(get_display(text, base_dir="R" if _base(text) else "L"))


def _groups(letters: Iterable[tuple[str, float]]) -> list[tuple[float, str]]:
    """Returns letters with their marks, each mark with the nearer one of the letters drawn before and after it."""
    groups: list[tuple[float, str]] = []
    waiting: list[tuple[float, str]] = []
    for char, place in letters:
        if unicodedata.combining(char[0]):
            waiting.append((place, char))
            continue
        text = char
        for at, mark in waiting:
            if groups and abs(at - groups[-1][0]) <= abs(at - place):
                groups[-1] = (groups[-1][0], groups[-1][1] + mark)
            else:
                text += mark
        waiting.clear()
        groups.append((place, text))
    if groups and waiting:
        groups[-1] = (groups[-1][0], groups[-1][1] + "".join(mark for _, mark in waiting))
        waiting.clear()
    return groups + waiting


def _base(text: str) -> bool:
    """Whether a line, in logical order or as it stands, is read from right to left."""
    strong = [kind in _RTL for char in text if (kind := unicodedata.bidirectional(char)) in _STRONG]
    return bool(strong) and ((strong[0] and strong[-1]) or sum(strong) * 2 > len(strong))


def _bracket(text: str, at: int) -> str:
    """Returns a bracket as it is read. Some programs write the one that looks the same when it stands reversed."""
    before, after = text[at - 1 : at].strip(), text[at + 1 : at + 2].strip()
    opens = not before and bool(after)
    closes = bool(before) and (not after or not after.isalnum()) and before != text[at]
    wrong = closes if text[at] in _OPENING else opens
    return text[at].translate(_MIRROR) if wrong else text[at]


def _letter(form: str) -> str:
    plain = unicodedata.normalize("NFKC", form)
    return form if plain[0] == " " else plain
