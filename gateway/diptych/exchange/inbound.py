"""Reads a request body piece by piece, for client streams, only as fast as its reader asks.

It knows no message: it returns bytes as they arrive, or decompressed.
"""

from __future__ import annotations

import asyncio

from .body import Disconnected, Gunzip, Receive

# Bytes decompressed per step, so that a decompression bomb is never held in memory.
_STEP = 65536


class Inbound:
    """Reads a body one piece ahead of its reader, until `close`; nothing else may call `receive` meanwhile.

    Over HTTP/1.1 a disconnect shows only after everything the client sent, so `gone` may return late if the client
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
        """Stops reading."""
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
        """Returns the next piece, which is never empty, or None at the end.

        Raises `Disconnected` if the client disconnected before it, and INVALID_ARGUMENT for malformed gzip.
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
        """Returns when the client has disconnected."""
        await asyncio.shield(self._gone)
