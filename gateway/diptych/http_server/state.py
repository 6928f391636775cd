"""What all connections of one listener share: which are open, which tasks run, and the Date of responses.

It knows no protocol.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import Any

from .refusals import Refusals


class ListenerState:
    """One listener's. uvicorn's WebSocket protocol takes it for its own `ServerState`."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        """The tasks of running requests, which a stop waits for."""
        self.lifespan: dict[str, Any] = {}
        """The lifespan's state, for the scopes of requests."""
        self.draining = False
        """True once a stop has begun."""
        self.refusals = Refusals()
        self.refresh()

    def refresh(self) -> None:
        """Makes the headers of every response anew; called at least every second."""
        date = formatdate(usegmt=True).encode()
        self.default_headers: list[tuple[bytes, bytes]] = [(b"date", date)]
        """The date (RFC 9110 section 6.6.1)."""
        self.default_lines = b"date: %b\r\n" % date
        """The same as lines of an HTTP/1.1 head."""
