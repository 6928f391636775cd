"""How many tokens each caller may use per minute.

A bucket per caller, which refills steadily. What a request will cost is not known before it ends, so a caller with
anything left is admitted, and may go into debt; the next request waits until the debt is paid. Counted in this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .errors import TokensExhausted

_MOST = 10_000  # callers that are remembered
_KEPT = 8_000  # of those if there are more: the ones that have used the most, so that few charges have to choose


class Budgets:
    """The buckets of all callers. `per_minute` is what each may use; 0 sets no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._used: dict[str, tuple[float, float]] = {}  # by caller: the tokens used, and when that was so

    @property
    def remembered(self) -> int:
        """The number of callers whose use is known."""
        return len(self._used)

    def check(self, caller: str) -> None:
        """Raise TokensExhausted, with the seconds until it passes, if the caller has used up its tokens."""
        if self._per_minute and (over := self._now_used(caller) - self._per_minute) >= 0:
            seconds = max(1.0, (over + 1) * 60 / self._per_minute)
            text = f"the limit of {self._per_minute:,} tokens per minute is used up; try again in {seconds:.0f} seconds"
            raise TokensExhausted(text, seconds)

    def charge(self, caller: str, tokens: int) -> None:
        """Record what a request has used."""
        if self._per_minute and tokens:
            self._used[caller] = (self._now_used(caller) + tokens, self._clock())
            if len(self._used) > _MOST:
                self._forget()

    def _now_used(self, caller: str) -> float:
        used, when = self._used.get(caller, (0.0, 0.0))
        return max(0.0, used - (self._clock() - when) * self._per_minute / 60)

    def _forget(self) -> None:
        used = {caller: self._now_used(caller) for caller in self._used}
        most = sorted(used, key=lambda caller: used[caller], reverse=True)[:_KEPT]
        self._used = {caller: self._used[caller] for caller in most if used[caller]}
