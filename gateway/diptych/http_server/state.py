"""What all connections of one listener share: which are open, which tasks run, and the Date of responses.

It knows no protocol.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from time import time
from typing import Any


class ListenerState:
    """One listener's. uvicorn's WebSocket protocol takes it for its own `ServerState`."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        """The tasks of running requests, which a stop waits for."""
        self.lifespan: dict[str, Any] = {}
        """The lifespan's state, for the scopes of requests."""
        self.draining = False
        """True once a stop has begun; every response then closes its HTTP/1.1 connection."""
        self._second = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._line = b""

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every response: the date (RFC 9110 section 6.6.1)."""
        self._look()
        return self._headers

    @property
    def default_lines(self) -> bytes:
        """The same as lines of an HTTP/1.1 head."""
        self._look()
        return self._line

    def _look(self) -> None:
        second = int(time())
        if second != self._second:
            self._second = second
            date = formatdate(second, usegmt=True).encode()
            self._headers = [(b"date", date)]
            self._line = b"date: %b\r\n" % date
