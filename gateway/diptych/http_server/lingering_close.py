"""The end of a connection whose client is told why: it has some time to read that. It knows no HTTP."""

from __future__ import annotations

import asyncio

# A socket closed with unread bytes, or that gets more, would take the answer with it.
_LINGER_SECONDS = 0.5


class LingeringClose(asyncio.Protocol):
    """What is left of one. `others` are all that there are, for who has no time to wait for them."""

    def __init__(self, transport: asyncio.Transport, answer: bytes, others: set[LingeringClose]) -> None:
        self.transport, self._others = transport, others
        self._timer: asyncio.TimerHandle | None = None
        others.add(self)
        transport.write(answer)
        if not transport.can_write_eof():
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:  # the peer has gone, which only the write shows
            transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.abort)

    def shutdown(self) -> None:
        """Be gone."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has read it, or had its time."""
        self._others.discard(self)
        if self._timer is not None:
            self._timer.cancel()
