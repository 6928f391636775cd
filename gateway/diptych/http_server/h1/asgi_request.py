"""One HTTP/1.1 request as an ASGI call: receive, send, and its end.

It parses nothing; the connection does.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Scope

from ...exchange import CUT, Client, StreamCut
from ..state import ListenerState
from .head import CLOSE, CONTINUE, JOINED_BYTES, STATUS_LINES, lines

logger = logging.getLogger("diptych")

# How much of a body is held for an application that does not read.
_AHEAD_BYTES = 65536
_START, _BODY, _TRAILERS = "http.response.start", "http.response.body", "http.response.trailers"
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_FAILED = b"Internal Server Error"


class Connection(Protocol):
    """The connection, as its requests see it."""

    transport: asyncio.Transport
    state: ListenerState
    client: Client
    write_paused: bool
    retiring: bool
    """Whether the next response closes the connection."""

    def finished(self, request: Any) -> None:
        """Called when the response is complete; the next request may begin."""

    def pause_reading(self) -> None:
        """Stops reading, since enough is held."""

    def resume_reading(self) -> None:
        """Reads again, which also notices a client that leaves."""

    async def writable(self) -> None:
        """Returns once the client has read enough of what was written, or has left."""


class AsgiRequest:
    """A request whose head has arrived; its body may still be on its way."""

    __slots__ = (
        *("_body", "_chunked", "_connection", "_event", "_expects", "_expects_continue", "_head", "_left_to_write"),
        *("_mute", "_scope", "_trails", "begun", "complete", "keep_alive", "left", "received"),
    )

    def __init__(self, connection: Connection, scope: Scope, *, expects_continue: bool, keep_alive: bool) -> None:
        self._connection, self._scope = connection, scope
        self._expects_continue, self.keep_alive = expects_continue, keep_alive
        self._body = bytearray()
        self._head = b""  # of the response, until it is written
        self._event = asyncio.Event()
        self.received = self.left = self.begun = self.complete = False
        self._expects = _START
        self._mute = scope["method"] == "HEAD"
        self._chunked = False
        self._left_to_write: int | None = None
        self._trails = False

    # The connection's side.

    def on_body(self, data: bytes) -> None:
        """Stores a piece of the body."""
        if self.complete or self.left:
            return
        self._body += data
        if len(self._body) > _AHEAD_BYTES:
            self._connection.pause_reading()
        self._event.set()

    def on_end(self) -> None:
        """Called when the body is complete."""
        self.received = True
        self._event.set()

    def on_left(self) -> None:
        """Called when the client has left."""
        self.left = True
        self._expects_continue = False
        self._event.set()

    # The application's side.

    async def run(self, app: ASGIApp) -> None:
        """Runs the application; the response is completed or cut in any case."""
        scope = self._scope
        scope[CUT] = self.cut
        try:
            await app(scope, self.receive, self.send)
        except (StreamCut, asyncio.CancelledError):
            self.cut()
        except Exception as wrong:
            logger.error("the application failed", exc_info=wrong)
            await self._give_up()
        else:
            if self._expects == _TRAILERS and not self.left:  # middleware has dropped them
                self._trail(())
            if not self.complete and not self.left:
                logger.error("the application returned without completing its response")
                await self._give_up()
        finally:
            # Breaks the reference cycle of scope and request, which would otherwise live until a garbage collection.
            scope.pop(CUT, None)

    def cut(self) -> None:
        """Closes the connection unless the response is complete; later sends are discarded."""
        if not self.complete:
            self._put(b"")
            self.on_left()
            self._connection.transport.close()

    async def _give_up(self) -> None:
        if self.begun or self.left:
            self.cut()
            return
        length = (b"content-length", b"%d" % len(_FAILED))
        await self.send({"type": _START, "status": 500, "headers": [_TEXT, length, (b"connection", b"close")]})
        await self.send({"type": _BODY, "body": _FAILED})

    async def receive(self) -> Message:
        """ASGI's `receive`: returns the next piece of the body, or the disconnect."""
        if self._expects_continue and not self._connection.transport.is_closing():
            self._expects_continue = False
            self._connection.transport.write(CONTINUE)
        if not self.left and not self.complete:
            self._connection.resume_reading()
            await self._event.wait()
            self._event.clear()
        if self.left or self.complete:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": not self.received}

    async def send(self, message: Message) -> None:
        """ASGI's `send`: writes a part of the response, after waiting for a slow client."""
        connection = self._connection
        if connection.write_paused and not self.left:
            await connection.writable()
        if self.left or connection.transport.is_closing():
            await asyncio.sleep(0)  # an application that awaits nothing else could not be told
        if self.left:
            return
        kind = message["type"]
        if kind != self._expects:
            raise RuntimeError(f"Expected ASGI message '{self._expects}', but got '{kind}'.")
        if kind == _START:
            self._start(message["status"], message.get("headers", ()))
            self._trails = message.get("trailers", False)
        elif kind == _TRAILERS:
            self._trail(message["headers"])
        else:
            self._write(message.get("body", b""), message.get("more_body", False))

    def _start(self, status: int, headers: Any) -> None:
        connection, fields = self._connection, list(headers)
        fixed = told = False
        for name, value in fields:
            name = name.lower()
            if name == b"content-length" and not self._chunked:
                fixed, self._left_to_write = True, int(value)
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self._chunked, self._left_to_write = True, None
            elif name == b"connection" and b"close" in value.lower():
                told, self.keep_alive = True, False
        if connection.retiring:
            self.keep_alive = False
        if status in (204, 304):
            self._mute = True
        head = [STATUS_LINES[status], connection.state.default_lines, lines(fields)]
        if not fixed and not self._chunked and not self._mute and self._scope["http_version"] == "1.1":
            self._chunked = True
            head.append(b"transfer-encoding: chunked\r\n")
        head.append(b"\r\n" if self.keep_alive or told else CLOSE)
        self.begun, self._expects, self._expects_continue = True, _BODY, False
        # A client whose deadline ends between two writes would have the status of an error, and not its body.
        self._head = b"".join(head)
        asyncio.get_running_loop().call_soon(self._put, b"")  # a stream's first message may be far

    def _put(self, data: bytes) -> None:
        """Writes a piece of the response, behind the head if that is not written yet."""
        head, self._head = self._head, b""
        if self.left:
            return
        write = self._connection.transport.write
        if head and len(data) > JOINED_BYTES:
            write(head)
            write(data)
        elif data or head:
            write(head + data)

    def _write(self, body: bytes, more: bool) -> None:
        if self._mute:
            self._put(b"")
        elif self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                chunk += b"0\r\n" if self._trails else b"0\r\n\r\n"
            self._put(chunk)
        else:
            self._count(len(body), more)
            self._put(body)
        if not more and self._trails:
            self._expects = _TRAILERS
        elif not more:
            self._finish()

    def _trail(self, headers: Any) -> None:
        """Writes the trailers, which only a body in chunks can have (RFC 9112 section 7.1.2)."""
        if self._chunked and not self._mute:
            self._put(lines(headers) + b"\r\n")
        self._finish()

    def _finish(self) -> None:
        self.complete, self._expects = True, "nothing"
        self._event.set()
        self._connection.finished(self)

    def _count(self, size: int, more: bool) -> None:
        if self._left_to_write is None:
            return  # the end of the connection ends the body: RFC 9112 section 6.1 has no chunks for HTTP/1.0
        left = self._left_to_write = self._left_to_write - size
        if left < 0:
            raise RuntimeError("Response content longer than Content-Length")
        if left and not more:
            raise RuntimeError("Response content shorter than Content-Length")
