"""How long a client has taken nothing of what waits for it.

It knows no HTTP: a connection says when something waits, and ends the client that is late.
"""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios


def unacknowledged(transport: asyncio.Transport) -> int:
    """Returns how many bytes the kernel holds that the client has not acknowledged.

    asyncio's TLS transport does not report its own buffer. The kernel accepts more only once much of its own is free,
    so the transport's count stands still while a slow client reads.
    """
    try:
        waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, AttributeError):  # closed already; asyncio's TLS drops the socket on a second close
        return 0
    return int.from_bytes(waiting, sys.byteorder)


class Stall:
    """What one connection's client has not taken, and since when that is as much."""

    __slots__ = ("_episode", "_left", "_since")

    def __init__(self) -> None:
        self._episode: object = None
        self._left, self._since = 0, 0.0

    def over(self, episode: object, transport: asyncio.Transport, now: float, seconds: float) -> bool:
        """Whether the client has taken nothing for so long.

        During one episode nothing of a response is written, so if fewer bytes wait, the client has read some. More may
        wait, for answers to PINGs, which must not keep a client that does not read.
        """
        left = transport.get_write_buffer_size() + unacknowledged(transport)
        if episode is not self._episode or left < self._left:
            self._episode, self._since = episode, now
        self._left = left
        return now - self._since >= seconds
