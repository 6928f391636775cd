"""The limits of one HTTP/2 connection, and the budgets that stop floods.

It knows no frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_FRAME_BYTES = 64 * 1024
"""The largest accepted frame: four times the minimum of RFC 9113, so that uploads need fewer turns of the loop."""
MAX_HEADER_BYTES = 64 * 1024
"""The largest field block, encoded and decoded; the HTTP/1.1 parser has the same limit."""
MAX_BLOCK_BYTES = 1024 * 1024
"""The largest field block that is refused on its own stream; a larger one ends the connection."""
MAX_CONTINUATIONS = MAX_BLOCK_BYTES // (16 * 1024)
"""CONTINUATION frames of one field block: enough for the largest one in frames of the default size (CVE-2024-27316)."""
STREAM_WINDOW_BYTES = 512 * 1024
"""How much a client may send on one stream before the application reads any of it."""
CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024
"""How much all streams of a connection may hold unread, so that a few stalled uploads do not stop the others."""
_UNREAD_BYTES = 256 * 1024 * 1024
PARKED_BYTES = 64 * 1024
"""With more than this unsent on a stream, the application waits in `send`."""


class Unread:
    """Request bytes that no application has read yet, of all connections of one listener."""

    __slots__ = ("bytes", "most")

    def __init__(self, most: int) -> None:
        self.bytes, self.most = 0, most


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits that are settings. Times are seconds."""

    max_streams: int = 1000
    """Concurrent requests of one connection, including running ones whose client has left."""
    idle_seconds: float = 75.0
    """How long a connection without a request is kept."""
    ping_seconds: float | None = None
    """How long a peer may be silent before it gets a PING, and how long it has to answer; None sends no PINGs."""
    unread: Unread = field(default_factory=lambda: Unread(_UNREAD_BYTES))
    """What all connections hold unread; a stream whose data exceed its maximum is reset."""


class Budget:
    """A token bucket, which reads the clock only when it is empty."""

    __slots__ = ("_burst", "_clock", "_filled", "_left", "_per_second")

    def __init__(self, burst: int, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._left, self._filled = float(burst), clock()

    def spend(self) -> bool:
        """Takes one token; returns False if none is left."""
        self._left -= 1
        if self._left >= 0:
            return True
        now = self._clock()
        self._left = min(float(self._burst), self._left + (now - self._filled) * self._per_second)
        self._filled = now
        return self._left >= 0

    def earn(self, events: int) -> None:
        """Adds tokens for work that legitimately causes such events."""
        left = self._left + events
        self._left = left if left < self._burst else self._burst  # not min(): a call, on every request
