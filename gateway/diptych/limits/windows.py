"""Rates counted in this process's memory: one look-up and a few additions per call, without locks or tasks.

It knows no caller; a key is a string. The asyncio storage of the `limits` library is not used because it starts a task
per call that visits every key: 0.13 ms a call with one key, 5 ms with ten thousand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple, Protocol


class Count(NamedTuple):
    """The outcome for one call. `seconds` is the time until the count resets, or until a refused call may retry."""

    allowed: bool
    left: int
    seconds: float


class Window(Protocol):
    """The calls of one rule, by key."""

    def hit(self, key: str) -> Count:
        """Counts a call if it is within the rate."""


class _Remembered:
    """Cells by key in two generations; the older one is dropped two to four windows after its last use."""

    def __init__(self, most: int) -> None:
        self._most, self._turn = most, 0
        self._young: dict[str, Any] = {}
        self._old: dict[str, Any] = {}

    def find(self, key: str, turn: int) -> Any | None:
        """Returns the key's cell and moves it to the young generation; `turn` increases by one every two windows."""
        if turn != self._turn:
            self._old = self._young if turn == self._turn + 1 else {}
            self._young, self._turn = {}, turn
        cell = self._young.get(key)
        if cell is None:
            cell = self._old.pop(key, None)
            if cell is not None:
                self._young[key] = cell
        return cell

    def keep(self, key: str, cell: Any) -> Any:
        """Adds a cell; if there are too many, the older generation is dropped early."""
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young
        self._young[key] = cell
        return cell

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class Sliding:
    """Two counters per key: this window's, and the previous one's weighted by the part that still overlaps."""

    def __init__(self, calls: int, seconds: int, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._calls, self._seconds, self._clock = calls, seconds, clock
        self.cells = _Remembered(most)
        """Counters by key."""

    def hit(self, key: str) -> Count:
        """Counts a call if it is within the rate."""
        return self._met(key, 1)

    def look(self, key: str) -> Count:
        """Returns the outcome that a call would have, without counting it."""
        return self._met(key, 0)

    def _met(self, key: str, calls: int) -> Count:
        at = self._clock() / self._seconds
        window = int(at)
        part = at - window
        cell = self.cells.find(key, window >> 1)
        if cell is None:
            cell = self.cells.keep(key, [window, 0, 0])
        elif cell[0] != window:
            cell[2] = cell[1] if cell[0] == window - 1 else 0
            cell[0], cell[1] = window, 0
        used = int(cell[1] + cell[2] * (1 - part))
        if used >= self._calls:
            return Count(False, 0, self._until(part, cell[1], cell[2]))
        cell[1] += calls
        return Count(True, self._calls - used - calls, (1 - part) * self._seconds)

    def _until(self, part: float, now: int, before: int) -> float:
        if now >= self._calls:
            return (1 - part) * self._seconds
        # The previous window's weight falls with time, until it leaves room for one more call.
        return max(0.0, 1 - (self._calls - now) / before - part) * self._seconds


class Moving:
    """The time of every call in the window: exact, but its memory grows with the rate."""

    def __init__(self, calls: int, seconds: int, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._calls, self._seconds, self._clock = calls, seconds, clock
        self.cells = _Remembered(most)
        """Times of calls by key."""

    def hit(self, key: str) -> Count:
        """Counts a call if it is within the rate."""
        now = self._clock()
        came: deque[float] | None = self.cells.find(key, int(now / self._seconds) >> 1)
        if came is None:
            came = self.cells.keep(key, deque())
        since = now - self._seconds
        while came and came[0] <= since:
            came.popleft()
        if len(came) >= self._calls:
            return Count(False, 0, came[0] - since)
        came.append(now)
        return Count(True, self._calls - len(came), came[0] - since)


STRATEGIES: dict[str, Callable[[int, int, int], Window]] = {"sliding": Sliding, "moving": Moving}
"""The implementation of each `limits.strategy`."""
