"""How much one HTTP/2 connection may ask of the server, and the budgets that floods run into.

It knows no frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_FRAME_BYTES = 64 * 1024
"""The largest frame taken: four times the protocol's least, so that uploads take fewer turns."""
MAX_HEADER_BYTES = 64 * 1024
"""The largest field block, on the wire and decoded, as the HTTP/1.1 parser has it."""
MAX_BLOCK_BYTES = 1024 * 1024
"""The largest field block that is read to its end, to be refused; a larger one ends the connection."""
MAX_CONTINUATIONS = MAX_BLOCK_BYTES // (16 * 1024)
"""Frames that may continue a field block: those of the largest, in frames of HTTP/2's default size (CVE-2024-27316)."""
STREAM_WINDOW_BYTES = 512 * 1024
"""What a client may send on one stream before the application has read any of it."""
CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024
"""What all streams of a connection may hold unread; a few stalled uploads do not stop their siblings."""
PARKED_BYTES = 64 * 1024
"""Above this much unsent on a stream, the application waits in `send`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is a setting. Times are seconds."""

    max_streams: int = 1000
    """Requests of one connection at once, running ones whose client has left included."""
    idle_seconds: float = 75.0
    """How long a connection without a request is kept."""
    ping_seconds: float | None = None
    """After how long a silence the peer is asked for a sign of life, and how long it has for it; None asks never."""


class Budget:
    """A number of events that comes back with time. Reads the clock only where it has run out."""

    __slots__ = ("_burst", "_clock", "_filled", "_left", "_per_second")

    def __init__(self, burst: int, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._left, self._filled = float(burst), clock()

    def spend(self) -> bool:
        """Take one; false where none is left."""
        self._left -= 1
        if self._left >= 0:
            return True
        now = self._clock()
        self._left = min(float(self._burst), self._left + (now - self._filled) * self._per_second)
        self._filled = now
        return self._left >= 0

    def earn(self, events: int) -> None:
        """Give some back, for work that honestly causes such events."""
        left = self._left + events
        self._left = left if left < self._burst else self._burst  # min() is a call, and this is on every request's way
