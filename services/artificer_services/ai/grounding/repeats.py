"""Notices that a model repeats itself: small ones do so until their limit of tokens.

Pure. A sentence that comes again says nothing new, and what follows it is the same again.
"""

from __future__ import annotations

from .sentences import sentences, words

_WORDS = 4  # of a sentence; shorter ones, such as the items of a list, may come again
_LONGEST = 2000  # characters without an end of a sentence, which are then one


class Repeats:
    """The sentences of one answer."""

    def __init__(self) -> None:
        self._known: set[tuple[str, ...]] = set()
        self._pending = ""

    def add(self, text: str) -> bool:
        """Returns whether one of the sentences that end with this text has been written before."""
        self._pending += text
        parts = sentences(self._pending)
        ended = parts if len(self._pending) > _LONGEST else parts[:-1]
        if ended:
            self._pending = self._pending[ended[-1].end :]
        known = [self._is_known(tuple(words(one.text))) for one in ended]  # all of them, since each is remembered
        return any(known)

    def _is_known(self, sentence: tuple[str, ...]) -> bool:
        known = len(sentence) >= _WORDS and sentence in self._known
        self._known.add(sentence)
        return known
