"""Sockets at a stop: those whose handshake is not over, and those whose client does not close.

It knows no protocol, but that a connection has a transport.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from collections.abc import Collection
from itertools import chain
from typing import Any

from ..tls import Room

# How long a client that was told goodbye, and has been sent everything, has to close.
_LINGER_SECONDS = 0.5
# How long asyncio may take for what is a turn or two of its loop.
_GONE_SECONDS = 1.0
_TICK_SECONDS = 0.01


class Opening:
    """Connections that are being made: whoever serves them has not heard of them yet."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._making: set[asyncio.Task[Any]] = set()

    def __bool__(self) -> bool:
        """Whether there are any that `end` has not ended."""
        return bool(self._making)

    def note(self) -> None:
        """Called where a protocol is made. On asyncio's own loops that is a task, which ends with the handshake."""
        making = asyncio.current_task()  # uvloop has none, and closes by itself what is left
        if making is not None:
            self._making.add(making)
            making.add_done_callback(self._making.discard)
            making.add_done_callback(self._room.attempt())

    def end(self) -> None:
        """Close those there are."""
        for making in list(self._making):
            making.cancel()


class ConnectionDrain:
    """TLS closes once the client has said so too, and one that is idle does not even read that it is asked to."""

    def __init__(self, opening: Opening, *connections: Collection[Any]) -> None:
        """Over what is `opening` and all `connections`, however they change."""
        self._opening, self._connections = opening, connections
        self._since: dict[Any, float] = {}

    def look(self) -> None:
        """Cut those who have had their time to close, and everything else."""
        now = asyncio.get_running_loop().time()
        for connection in chain(*self._connections):
            if connection.transport.is_closing():
                since = self._since.setdefault(connection, now)
                if now - since >= _LINGER_SECONDS and not _unsent(connection.transport):
                    connection.transport.abort()

    async def end(self) -> None:
        """Close what is left, and return when the sockets are closed."""
        self._opening.end()
        if not await self._gone(_LINGER_SECONDS):
            for connection in chain(*self._connections):
                connection.transport.abort()
            await self._gone(_GONE_SECONDS)

    async def _gone(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        for _ in range(3):  # what the loop has begun to close, and what it has accepted
            await asyncio.sleep(0)
        while self._opening or any(self._connections):
            if loop.time() >= until:
                return False
            await asyncio.sleep(_TICK_SECONDS)
        return True


def _unsent(transport: asyncio.Transport) -> bool:
    """Whether there are bytes that the client's machine has not taken; TLS does not tell what its transport holds."""
    try:
        waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, AttributeError):  # it is closed, or asyncio's TLS was told so twice and has forgotten it
        return False
    return any(waiting)
