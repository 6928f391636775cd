"""The bounds of a stream's large messages, while they are incomplete or in use: their memory, and how slow they may be.

It knows no message. Small messages are free: a stream holds few bytes of them, and its client may be silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..origin import Lease
from ..status import StatusError
from .body_timeouts import BodyTimeouts, Patience, too_slow
from .inbound import Inbound

FREE_BYTES = 65536
"""What a stream may hold of its messages without being counted or timed."""


class MessageBounds:
    """Counts a stream's message in its call's lease, from its first bytes until the next message is asked for."""

    __slots__ = ("_lease", "_patience", "_timeouts", "held")

    def __init__(self, timeouts: BodyTimeouts, lease: Lease | None) -> None:
        self._timeouts, self._lease = timeouts, lease
        self._patience: Patience | None = None
        self.held = 0
        """The bytes that are counted."""

    def hold(self, size: int) -> None:
        """Counts `size` bytes in the place of those before. Raises UNAVAILABLE if they exceed the cap."""
        if size < FREE_BYTES:
            size = 0
        lease, more = self._lease, size - self.held
        if lease is None or not more:
            return
        if more > 0:
            lease.take(more)
        else:
            lease.give(-more)
        self.held = size

    async def piece(self, inbound: Inbound, held: int, declared: int = 0) -> bytes | None:
        """Returns the next piece of a body of which `held` bytes belong to an incomplete message of `declared` bytes.

        Raises UNAVAILABLE if these exceed the cap, DEADLINE_EXCEEDED if too slow, and what `inbound` raises.
        """
        self.hold(held)
        if held < FREE_BYTES:
            self._patience = None
            return await inbound.piece()
        patience = self._patience = self._patience or Patience(self._timeouts)
        patience.size = max(held, declared)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(patience.left):
                piece = await inbound.piece()
        except TimeoutError:
            raise too_slow() from None
        patience.waited(loop.time() - began)
        if piece is not None:
            patience.came(len(piece))
        return piece


class MessageWatch:
    """Bounds the pace of a message that a listener receives by itself; `late` is called if it is too slow."""

    __slots__ = ("_late", "_loop", "_patience", "_since", "_timeouts", "_timer", "held")

    def __init__(self, timeouts: BodyTimeouts, late: Callable[[StatusError], None]) -> None:
        self._timeouts, self._late, self._loop = timeouts, late, asyncio.get_running_loop()
        self._patience: Patience | None = None
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.held = 0
        """The bytes of the incomplete message."""

    def arrived(self, held: int) -> None:
        """Called after each read, with the bytes of the incomplete message."""
        more, self.held = held - self.held, held
        self.stop()
        if held < FREE_BYTES:
            self._patience = None
            return
        patience, now = self._patience, self._loop.time()
        if patience is None:
            patience = self._patience = Patience(self._timeouts)
        else:
            patience.waited(now - self._since)
        patience.size, self._since = held, now
        patience.came(more)
        self._timer = self._loop.call_later(patience.left, self._expire)

    def _expire(self) -> None:
        self._late(too_slow())

    def stop(self) -> None:
        """Waits for nothing any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
