"""One request of an HTTP/2 connection, as an ASGI call: receive, send, and its end.

It parses no frames; `connection` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from ...exchange import CUT, ON_LEFT, TRAILERS_ONLY, StreamCut
from . import frames, head
from .connection import Connection
from .frames import ErrorCode
from .head import Head
from .limits import PARKED_BYTES
from .outgoing import Outgoing

logger = logging.getLogger("diptych")

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_START, _BODY, _TRAILERS = "http.response.start", "http.response.body", "http.response.trailers"


class Stream:
    """One request, as the connection and the application see it."""

    __slots__ = (
        "__weakref__",
        "_bodyless",
        "_chunks",
        "_connection",
        "_defaults",
        "_expects",
        "_gone",
        "_held",
        "_left",
        "_length",
        "_loop",
        "_needs_trailers",
        "_read_to_end",
        "_readers",
        "_takes_trailers",
        "_trailers",
        "_trails",
        "_writers",
        "expected",
        "id",
        "out",
        "remote_closed",
        "task",
        "uncredited",
        "unread",
        "window",
    )

    def __init__(
        self,
        connection: Connection,
        loop: asyncio.AbstractEventLoop,
        stream_id: int,
        request: Head,
        window: int,
        out: Outgoing,
        defaults: list[tuple[bytes, bytes]],
    ) -> None:
        self.id = stream_id
        self.out = out
        self.window = window
        self.unread = self.uncredited = 0
        self.expected = request.content_length
        self.remote_closed = False
        self.task: asyncio.Task[None] | None = None
        """The task of the application; its creator sets it to None at the end, to break the reference cycle."""
        self._connection, self._loop, self._defaults = connection, loop, defaults
        self._takes_trailers = request.takes_trailers
        self._bodyless = request.method == "HEAD"
        self._chunks: list[bytes] = []
        self._read_to_end = self._gone = False
        self._left: Callable[[], None] | None = None
        self._readers: list[asyncio.Future[None]] = []
        self._writers: list[asyncio.Future[None]] = []
        self._expects = _START
        self._length: int | None = None
        self._trailers: list[bytes] = []
        self._held: bytes | None = None
        self._trails = self._needs_trailers = False

    # The connection's side.

    def on_data(self, data: bytes) -> None:
        """Stores a piece of the body."""
        self._chunks.append(data)
        _wake(self._readers)

    def on_end(self) -> None:
        """Called when the body is complete."""
        _wake(self._readers)

    def on_writable(self) -> None:
        """Called when little enough is parked to write more."""
        _wake(self._writers)

    def on_reset(self) -> None:
        """Called when the client has reset the stream or left."""
        self._gone = True
        self._chunks.clear()
        if self._left is not None:
            self._left()
        _wake(self._readers)
        _wake(self._writers)

    # The application's side.

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Runs the application; the stream is ended in any case."""
        scope[CUT], scope[ON_LEFT] = self.cut, self.on_left
        try:
            await app(scope, self.receive, self.send)
        except StreamCut:
            self.cut()
        except asyncio.CancelledError:
            self._fail(ErrorCode.CANCEL)
        except Exception as wrong:
            logger.error("the application failed", exc_info=wrong)
            await self._give_up()
        else:
            if self._expects == _TRAILERS and not (self._gone or self._needs_trailers):  # middleware has dropped them
                self._trail((), False)
                self._connection.sent(self)
            if not self._gone and not self.out.ended:
                logger.error("the application returned without completing its response")
                await self._give_up()
        finally:
            # Breaks the reference cycle of scope and stream, which would otherwise live until a garbage collection.
            scope.pop(CUT, None)
            scope.pop(ON_LEFT, None)
            self._left = None

    def on_left(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once the client has reset the stream or left, even while nothing reads the body."""
        self._left = callback
        if self._gone:
            callback()

    def cut(self) -> None:
        """Resets the stream, so that the client sees the response fail; later sends are discarded."""
        self._fail(ErrorCode.INTERNAL_ERROR)

    def _fail(self, code: ErrorCode) -> None:
        if not self._gone and not self.out.ended:
            self._connection.abort(self, code)
        self.on_reset()

    async def _give_up(self) -> None:
        if self._gone or self._expects != _START:
            self.cut()
            return
        await self.send({"type": _START, "status": 500, "headers": [_TEXT]})
        await self.send({"type": _BODY, "body": b"Internal Server Error"})

    async def receive(self) -> Message:
        """ASGI's `receive`: returns the next piece of the body, or the disconnect."""
        while True:
            if self._gone or self.out.ended:
                return {"type": "http.disconnect"}
            if self._chunks or (self.remote_closed and not self._read_to_end):
                break
            await self._wait(self._readers)
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._read_to_end = self.remote_closed
        if body:
            self._connection.credit(self, len(body))
        return {"type": "http.request", "body": body, "more_body": not self.remote_closed}

    async def send(self, message: Message) -> None:
        """ASGI's `send`: writes a part of the response, after waiting for a slow client."""
        connection = self._connection
        while not self._gone and (self.out.parked_bytes > PARKED_BYTES or connection.write_paused):
            await self._wait(self._writers)
        if self._gone:
            await asyncio.sleep(0)  # an application that awaits nothing else could not be told
            return
        kind = message["type"]
        if kind != self._expects:
            raise RuntimeError(f"Expected ASGI message '{self._expects}', but got '{kind}'.")
        if kind == _START:
            self._start(message)
        elif kind == _BODY:
            self._body(message.get("body", b""), message.get("more_body", False))
        else:
            self._trail(message["headers"], message.get("more_trailers", False))
        connection.sent(self)
        if self.out.ended and self._readers:
            _wake(self._readers)

    def _start(self, message: Message) -> None:
        status: int = message["status"]
        block = [head.status_bytes(status)]
        whole = message.get(TRAILERS_ONLY, False)
        # Clients would take the defaults for trailing metadata.
        for field in (*(() if whole else self._defaults), *message.get("headers", ())):
            coded = head.field_bytes(field)
            block.append(coded)
            name = field[0]
            if len(name) == 14 and name.lower() == b"content-length":
                self._length = int(field[1])
            elif len(name) == 12 and name.lower() == b"content-type" and field[1].startswith(b"application/grpc"):
                self._takes_trailers = self._needs_trailers = True  # they have gRPC's status
        if message.get("trailers", False):
            self._trails = True
        if status in (204, 304):
            self._bodyless = True
        self._expects = _BODY
        if whole:
            self._held = b"".join(block)
            return
        connection = self._connection
        connection.out.append(frames.header_frames(self.id, b"".join(block), 0, connection.max_frame))

    def _body(self, body: bytes, more: bool) -> None:
        if self._held is not None:  # it ends with its head
            self._expects = _TRAILERS
            return
        if self._bodyless:
            body = b""
        elif self._length is not None:
            self._length -= len(body)
            if self._length < 0:
                raise RuntimeError("Response content longer than Content-Length")
            if self._length and not more:
                raise RuntimeError("Response content shorter than Content-Length")
        if more or not self._trails:
            self.out.write(self._connection, body, last=not more)
            if not more:
                self._expects = "nothing"
        else:
            self.out.write(self._connection, body, last=False)
            self._expects = _TRAILERS

    def _trail(self, headers: Any, more: bool) -> None:
        if self._takes_trailers:
            self._trailers += map(head.field_bytes, headers)
        if more:
            return
        self._expects = "nothing"
        block = (self._held or b"") + b"".join(self._trailers)
        connection = self._connection
        if block:
            self.out.end(connection, frames.header_frames(self.id, block, frames.END_STREAM, connection.max_frame))
        else:
            self.out.write(connection, b"", last=True)

    async def _wait(self, waiters: list[asyncio.Future[None]]) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # it may have been woken in the same turn
                waiters.remove(waiter)
            raise


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    while waiters:
        waiter = waiters.pop()
        if not waiter.done():
            waiter.set_result(None)
