"""Reads the body of a response in a task of its own, and hands over all that has arrived since.

A server sends a chunk of HTTP for every token, and a read has hundreds of them: the task goes through all without a
turn of the event loop, so that the consumer is woken once. It also keeps httpx2's cancel scopes, which must be entered
and left by one task, out of the consumer.
"""

from __future__ import annotations

import asyncio

import httpx2

_HELD = 1024 * 1024  # bytes that may wait for the consumer; then the socket is read no further
_LINGER_SECONDS = 1.0  # for the end of an answer after its last event, so that the connection can be used again


class TooLarge(Exception):
    """The body has more bytes than allowed."""


class Body:
    """The body of one response, of at most `most` bytes. Must be closed."""

    def __init__(self, response: httpx2.Response, most: int) -> None:
        self._response, self._most = response, most
        self._pieces: list[bytes] = []
        self._held = 0
        self._ended = False
        self._error: Exception | None = None
        self._wakes: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._task = asyncio.create_task(self._read())

    async def next(self) -> bytes:
        """Returns what has arrived, b"" at the end. Raises httpx2.HTTPError, OSError and TooLarge."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._wakes = asyncio.get_running_loop().create_future()
            await self._wakes
        pieces, self._pieces, self._held = self._pieces, [], 0
        self._room.set()
        return b"".join(pieces)

    async def rest(self) -> bytes:
        """Returns everything up to the end."""
        pieces = []
        while piece := await self.next():
            pieces.append(piece)
        return b"".join(pieces)

    async def close(self) -> None:
        """Close the connection, unless the body has been read to its end."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def release(self) -> asyncio.Task[None]:
        """Let the server end the body within a second; the connection is closed if it does not.

        Returns the task that waits for it, which the caller must hold.
        """
        if not self._task.done():
            timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, self._task.cancel)
            self._task.add_done_callback(lambda _: timer.cancel())
        return self._task

    async def _read(self) -> None:
        response, total = self._response, 0
        pieces = response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()
        try:
            async for piece in pieces:
                total += len(piece)
                if total > self._most:
                    raise TooLarge
                self._pieces.append(piece)
                self._held += len(piece)
                self._wake()
                if self._held > _HELD:
                    self._room.clear()
                    await self._room.wait()
        except (httpx2.HTTPError, OSError, TooLarge) as error:
            self._error = error
        finally:
            # First, so that the connection is back in the pool when the consumer sees the end.
            try:
                await pieces.aclose()
                await response.aclose()
            finally:
                self._ended = True
                self._wake()

    def _wake(self) -> None:
        if self._wakes is not None and not self._wakes.done():
            self._wakes.set_result(None)
