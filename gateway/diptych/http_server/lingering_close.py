"""A lingering close (RFC 9112 section 9.6): sends a last response and gives the client time to read it.

It knows no HTTP.
"""

from __future__ import annotations

import asyncio

from .stalls import unacknowledged

# Closing a socket with unread bytes sends a reset, which discards the response on the client's side.
_LINGER_SECONDS = 0.5
# How long a client may go on sending: one that sends before it reads has not seen the response yet.
_SENDING_SECONDS = 5.0
# How long a client may take to read what was written before.
_MOST_SECONDS = 75.0


class LingeringClose(asyncio.Protocol):
    """The protocol of a connection that is being closed. `others` holds all of them, so that a stop can abort them.

    `most` is how many seconds the client may take to read, by default 75. Without `half`, our end stays open as long:
    some protocols have an end of their own, which clients answer before they expect the connection's. So it does over
    TLS, of which asyncio cannot close one half, unless `unread` says that the client has nothing more to send.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        answer: bytes,
        others: set[LingeringClose],
        *,
        most: float | None = None,
        half: bool = True,
        unread: bool = True,
    ) -> None:
        self.transport, self._others = transport, others
        self._timer: asyncio.TimerHandle | None = None
        self._waited, self._most = 0.0, _MOST_SECONDS if most is None else most
        self._sending = False
        others.add(self)
        transport.write(answer)
        transport.resume_reading()  # bytes that are unread at the end cause the reset, too
        if not half or (unread and not transport.can_write_eof()):
            self._linger()
            return
        if not transport.can_write_eof():
            transport.close()
            return
        try:
            transport.write_eof()
        except OSError:  # the peer has left, which only the write shows
            transport.abort()
            return
        self._linger()

    def _linger(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._look)

    def _look(self) -> None:
        self._waited += _LINGER_SECONDS
        sending, self._sending = self._sending, False
        unread = self.transport.get_write_buffer_size() or unacknowledged(self.transport)
        if (unread and self._waited < self._most) or (sending and self._waited < _SENDING_SECONDS):
            self._linger()
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Discards what the client still sends."""
        self._sending = True

    def shutdown(self) -> None:
        """Aborts the connection."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has closed, or its time was up."""
        self._others.discard(self)
        if self._timer is not None:
            self._timer.cancel()
