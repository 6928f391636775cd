"""A connection too many: told so, and closed. It knows no HTTP beyond the words it is given."""

from __future__ import annotations

import asyncio

# How long it has to read them: a socket closed with unread bytes would take them with it.
_PARTING_SECONDS = 0.5


class TurnedAway(asyncio.Protocol):
    """What is left of it."""

    def __init__(self, transport: asyncio.Transport, answer: bytes) -> None:
        transport.write(answer)
        self._timer: asyncio.TimerHandle | None = None
        if transport.can_write_eof():
            transport.write_eof()
            self._timer = asyncio.get_running_loop().call_later(_PARTING_SECONDS, transport.abort)
        else:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has read them, or had its time."""
        if self._timer is not None:
            self._timer.cancel()
