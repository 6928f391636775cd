"""What one request to a model took: times, and tokens.

Pure but for the clock. Knows no metric.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .values import Delta, Usage


class Measured:
    """The measures of one request, as its parts arrive."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.used = Usage()
        self.finished = False
        self._clock = clock
        self._admitted = self._first = self._last = 0.0
        self._parts = 0
        self._said: Usage | None = None

    def admitted(self) -> None:
        """The model begins."""
        self._admitted = self._clock()

    def arrived(self, deltas: Sequence[Delta]) -> None:
        """Parts of the answer have arrived."""
        self._last = self._clock()
        if not self._parts:
            self._first = self._last
        self._parts += len(deltas)
        if (last := deltas[-1]).finish is not None:
            self.finished = True
            self._said = last.usage

    @property
    def began(self) -> bool:
        """Whether a part of the answer has arrived."""
        return self._parts > 0

    def usage(self, prompt: Callable[[], int]) -> Usage:
        """Returns the tokens of an answer that has ended, and keeps them as `used`.

        Where the model did not say, each part counts as a token, and `prompt` estimates the prompt's.
        """
        self.used = self._said or Usage(prompt=prompt(), completion=self._parts - self.finished)
        return self.used

    def embedded(self, tokens: int) -> None:
        """Add the tokens of texts that were embedded."""
        self.used = Usage(prompt=self.used.prompt + tokens)

    @property
    def first_token_seconds(self) -> float | None:
        """The time from the admission to the first part; None if none arrived."""
        return self._first - self._admitted if self._parts else None

    @property
    def tokens_per_second(self) -> float:
        """The tokens after the first per second; 0 if there are too few to say."""
        seconds, tokens = self._last - self._first, self.used.completion - 1
        return tokens / seconds if tokens > 0 and seconds > 0 else 0.0
