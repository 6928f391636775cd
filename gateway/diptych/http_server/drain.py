"""Closes the sockets that outlast a stop: unfinished handshakes, and clients that do not close.

It knows no protocol, only that a connection has a transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import chain
from typing import Any

from ..tls import Admission
from .stalls import unacknowledged

# How long a client has to close once it has been sent everything.
_LINGER_SECONDS = 0.5
# How long asyncio may take to close an aborted transport, which is a turn or two of its loop.
_GONE_SECONDS = 1.0
_TICK_SECONDS = 0.01


class Opening:
    """Connections that are accepted but not yet known to a protocol, such as TLS handshakes under way."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._making: set[asyncio.Task[Any]] = set()

    def __bool__(self) -> bool:
        """Returns whether there are any."""
        return bool(self._making)

    def note(self) -> None:
        """Called when a protocol is created, which asyncio's own loops do in a task that ends with the handshake."""
        making = asyncio.current_task()  # uvloop has no such task, and closes unfinished handshakes itself
        if making is not None:
            self._making.add(making)
            making.add_done_callback(self._making.discard)
            making.add_done_callback(self._admission.attempt())

    def end(self) -> None:
        """Closes them."""
        for making in list(self._making):
            making.cancel()


class ConnectionDrain:
    """Aborts connections whose client does not close: TLS waits for its close_notify, which idle clients never send."""

    def __init__(self, opening: Opening, *connections: Collection[Any]) -> None:
        """`opening` and `connections` are live collections."""
        self._opening, self._connections = opening, connections
        self._since: dict[Any, float] = {}

    def look(self) -> None:
        """Aborts connections that have had their time to close and have received everything."""
        now = asyncio.get_running_loop().time()
        for connection in chain(*self._connections):
            if connection.transport.is_closing():
                since = self._since.setdefault(connection, now)
                if now - since >= _LINGER_SECONDS and not unacknowledged(connection.transport):
                    connection.transport.abort()

    async def end(self) -> None:
        """Closes the rest; returns when the sockets are closed."""
        self._opening.end()
        if not await self._gone(_LINGER_SECONDS):
            for connection in chain(*self._connections):
                connection.transport.abort()
            await self._gone(_GONE_SECONDS)

    async def _gone(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        for _ in range(3):  # callbacks of transports that are closing, and of connections just accepted
            await asyncio.sleep(0)
        while self._opening or any(self._connections):
            if loop.time() >= until:
                return False
            await asyncio.sleep(_TICK_SECONDS)
        return True
