"""A request body as it arrives, for calls whose client streams: read only as fast as its reader asks.

It knows no message: pieces of bytes go out as they came, or decompressed.
"""

from __future__ import annotations

import asyncio

from .body import Disconnected, Gunzip, Receive

# How much of a compressed body is made plain at a time, in bytes: a bomb is stepped through, never held.
_STEP = 65536


class Inbound:
    """Reads a body until it is closed, one piece ahead of its reader; nothing else may call `receive` meanwhile.

    HTTP/1.1 shows that a client has left only after everything it sent, so `gone` may return late for a client that
    sent more than was read.
    """

    def __init__(self, receive: Receive, *, gzip: bool = False) -> None:
        self._receive = receive
        self._gunzip = Gunzip() if gzip else None
        self._piece: bytes | None = None
        self._ended = self._left = False
        self._filled, self._taken = asyncio.Event(), asyncio.Event()
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pump = asyncio.ensure_future(self._run())

    def close(self) -> None:
        """Stop reading."""
        self._pump.cancel()
        self._gone.cancel()

    async def _run(self) -> None:
        while (message := await self._receive())["type"] != "http.disconnect":
            if self._ended:
                continue
            self._piece = message.get("body", b"")
            self._ended = not message.get("more_body")
            self._taken.clear()
            self._filled.set()
            if not self._ended:
                await self._taken.wait()
        self._left = True
        self._filled.set()
        if not self._gone.done():
            self._gone.set_result(None)

    async def piece(self) -> bytes | None:
        """The next piece, never empty; None at the end.

        Raises `Disconnected` when the client left before it, and INVALID_ARGUMENT for broken gzip.
        """
        gunzip = self._gunzip
        while True:
            if gunzip is not None and (plain := gunzip.step(_STEP)):
                return plain
            raw = await self._raw()
            if raw is None:
                if gunzip is not None:
                    gunzip.end()
                return None
            if gunzip is not None:
                gunzip.feed(raw)
            elif raw:
                return raw

    async def _raw(self) -> bytes | None:
        await self._filled.wait()
        if self._piece is not None:
            piece, self._piece = self._piece, None
            if not self._ended and not self._left:
                self._filled.clear()
            self._taken.set()
            return piece
        if self._ended:
            return None
        raise Disconnected

    async def gone(self) -> None:
        """Returns when the client has gone away."""
        await asyncio.shield(self._gone)
