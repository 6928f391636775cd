"""Reads a request body piece by piece, for client streams, little further than its reader has read.

It knows no message: it returns bytes as they arrive, or decompressed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ..compression import Coding
from .body import BodyDecoder, Disconnected, Receive

OnLeft = Callable[[Callable[[], None]], None]

# Bytes held for a reader that does not read. ASGI reports a disconnect only after the body, so a client that leaves is
# noticed only while it has sent less than this.
_AHEAD_BYTES = 65536
# Bytes decompressed per step, so that a decompression bomb is never held in memory.
_STEP = 65536


class Inbound:
    """Reads a body up to 64 KiB and a piece ahead of its reader, until `close`.

    Nothing else may call `receive` meanwhile.

    `on_left` is the listener's function that takes a callback for the client's disconnect. Without it, `gone` returns
    late if the client sent more than is read ahead.
    """

    def __init__(self, receive: Receive, on_left: OnLeft | None = None, *, coding: Coding | None = None) -> None:
        self._receive = receive
        self._decoder = None if coding is None else BodyDecoder(coding)
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = self._left = False
        self._filled, self._consumed = asyncio.Event(), asyncio.Event()
        self._disconnected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pump = asyncio.ensure_future(self._run())
        if on_left is not None:
            on_left(self._leave)

    def close(self) -> None:
        """Stops reading."""
        self._pump.cancel()
        self._disconnected.cancel()

    async def _run(self) -> None:
        while (message := await self._receive())["type"] != "http.disconnect":
            if self._ended:
                continue
            if body := message.get("body", b""):
                self._pieces.append(body)
                self._held += len(body)
            self._ended = not message.get("more_body")
            self._filled.set()
            while self._held >= _AHEAD_BYTES and not self._ended:
                self._consumed.clear()
                await self._consumed.wait()
        self._leave()

    def _leave(self) -> None:
        self._left = True
        self._filled.set()
        if not self._disconnected.done():
            self._disconnected.set_result(None)

    async def piece(self) -> bytes | None:
        """Returns the next piece, which is never empty, or None at the end.

        Raises `Disconnected` if the client disconnected before it, and INVALID_ARGUMENT for malformed compression.
        """
        decoder = self._decoder
        while True:
            if decoder is not None and (plain := decoder.step(_STEP)):
                return plain
            raw = await self._raw()
            if raw is None:
                if decoder is not None:
                    decoder.end()
                return None
            if decoder is None:
                return raw
            decoder.feed(raw)

    async def _raw(self) -> bytes | None:
        while not self._pieces:
            if self._ended:
                return None
            if self._left:
                raise Disconnected
            self._filled.clear()
            await self._filled.wait()
        piece = self._pieces.popleft()
        self._held -= len(piece)
        self._consumed.set()
        return piece

    async def gone(self) -> None:
        """Returns when the client has disconnected."""
        await asyncio.shield(self._disconnected)
