"""Finds text whose letters are drawn one by one and far apart, so that each looks like a word."""

from __future__ import annotations

from collections.abc import Sequence

WIDER = 1.6  # spaces between words whose letters are drawn one by one
_ENOUGH = 10  # words from which on those of a page tell
_SINGLE = 0.6  # of the words of a page; with more of a single letter, its letters are drawn one by one
_PIECE = 0.5  # of those of a line on such a page


def are_letters(words: Sequence[str], enough: int = _ENOUGH) -> bool:
    """Whether words are the letters of words: those of a page, or with `enough` of 1 those of a line on such a page."""
    if len(words) < enough:
        return False
    least = (_PIECE if enough == 1 else _SINGLE) * len(words)
    if list(map(len, words)).count(1) < least:  # on nearly all pages, at C speed
        return False
    return enough == 1 or sum(len(word) == 1 and word.isalpha() for word in words) >= least
