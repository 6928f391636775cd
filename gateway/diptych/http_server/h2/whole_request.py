"""A request of an HTTP/2 connection that arrived whole, in one read, and its one response, without ASGI.

It parses no frames, and knows no route and no call; the door that was asked for it returned what serves it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ...exchange import Client
from ...reply import Headers, Reply
from ..state import ListenerState
from ..whole_body import WholeBody
from . import frames, head
from .connection import Connection
from .frames import ErrorCode
from .head import Head
from .limits import STREAM_WINDOW_BYTES
from .outgoing import Outgoing

logger = logging.getLogger("diptych")

_FAILED = Reply(500, [(b"content-type", b"text/plain; charset=utf-8")], b"Internal Server Error")


class Owner(Protocol):
    """The requests of its connection, as one of them sees them."""

    connection: Connection
    state: ListenerState
    client: Client

    @property
    def default_block(self) -> bytes:
        """The headers of every response in HPACK."""

    def start(self, whole: WholeRequest) -> None:
        """Serves a request that has arrived whole."""

    def ended(self, task: asyncio.Task[None] | None) -> None:
        """Called when a request is no longer running."""


class WholeRequest(WholeBody):
    """A request whose head has arrived, and whose body is expected in the same read."""

    trails = True

    def __init__(self, owner: Owner, stream_id: int, request: Head, send_window: int) -> None:
        self._owner, self.id, self.head = owner, stream_id, request
        self.out = Outgoing(stream_id, send_window)
        self.expected = request.content_length
        self.verb, self.path, self.query = request.method, request.encoded_path, request.query
        self.headers, self.fields = request.headers, request.fields
        self.client = owner.client
        self.body, self._pieces = b"", None
        self.left = self.begun = self.remote_closed = False
        self.unread = self.uncredited = 0
        self.window = STREAM_WINDOW_BYTES
        self.amend: Callable[[Headers], Headers] | None = None
        self.authority: bytes | None = None
        self.serve = self.task = None

    # The connection's side.

    def on_data(self, data: bytes) -> None:
        """Stores a piece of the body."""
        self.collect(data)

    def on_end(self) -> None:
        """Starts to serve the request, since its body is complete."""
        self.join()
        if self.unread:
            self._owner.connection.credit(self, self.unread)
        self._owner.start(self)

    def on_writable(self) -> None:
        """Nothing waits to write: the response was written by one step."""

    def on_reset(self) -> None:
        """Called when the client has reset the stream or left."""
        self.leave()

    def cut(self) -> None:
        """Resets the stream unless its response is written."""
        self._abort(ErrorCode.INTERNAL_ERROR)

    def _abort(self, code: ErrorCode) -> None:
        if not self.left and not self.begun:
            self._owner.connection.abort(self, code)
        self.on_reset()

    async def run(self) -> None:
        """Serves the request; the stream is ended in any case."""
        serve = self.begin()
        try:
            await serve()
        except asyncio.CancelledError:
            self._abort(ErrorCode.CANCEL)
        except Exception as wrong:
            logger.error("serving a request failed", exc_info=wrong)
        finally:  # a done callback would cost another turn of the loop
            self._owner.ended(self.task)
            self.task = None
        if not self.begun:
            self.answer(_FAILED)

    # The call's side.

    def answer(self, reply: Reply, trailers: Headers | None = None) -> None:
        """Writes the whole response, unless the client has left; what the windows do not allow yet is parked."""
        if self.left or self.begun:
            return
        owner, (status, headers, body) = self._owner, reply
        connection, coded = owner.connection, head.field_bytes
        most = connection.max_frame
        plain = len(headers) == 1  # the content type: without initial metadata, gRPC's Trailers-Only loses nothing
        if self.amend is not None:
            headers = self.amend(headers)
        if trailers is not None and not body and plain:
            # Without the default headers, which clients would take for trailing metadata.
            block = b"".join([head.status_bytes(status), *map(coded, headers), *map(coded, trailers)])
            whole = frames.header_frames(self.id, block, frames.END_STREAM, most)
            self.begun = True
            self.out.end(connection, whole)
            connection.sent(self)
            return
        block = b"".join([head.status_bytes(status), owner.default_block, *map(coded, headers)])
        first = frames.header_frames(self.id, block, 0, most)
        last = b""
        if trailers is not None:
            last = frames.header_frames(self.id, b"".join(map(coded, trailers)), frames.END_STREAM, most)
        self.begun = True  # only now: a header that HTTP/2 cannot have has raised
        if self.verb == "HEAD" or status in (204, 304):
            body = b""
        self.out.whole(connection, first, body, last)
        connection.sent(self)
