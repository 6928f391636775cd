"""A request that arrived whole, in one piece, and its one response: no ASGI between the parser and the call.

It knows no route and no call; the door that was asked for it returned what serves it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from ...exchange import Serve
from ...reply import Headers, Reply
from ..whole_body import WholeBody
from .asgi_request import Connection
from .head import CLOSE, STATUS_LINES, Fields, lines

logger = logging.getLogger("diptych")

# A larger body is written by itself, since joining it to the head would copy it.
_JOINED_BYTES = 65536
_BODYLESS = (204, 304)
_TEXT = b"Internal Server Error"
_LENGTH = b"%d" % len(_TEXT)
_FAILED = Reply(500, [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", _LENGTH)], _TEXT)


class WholeRequest(WholeBody):
    """A request whose head has arrived, and whose body is expected in the same piece."""

    # Defaults are class attributes, since an instance is created for every request and few requests change them.
    amend: Callable[[Headers], Headers] | None = None
    trails = begun = complete = received = False
    task: asyncio.Task[None] | None = None
    serve: Serve | None = None

    def __init__(
        self,
        connection: Connection,
        verb: str,
        path: str,
        query: bytes,
        headers: Fields,
        fields: Mapping[bytes, bytes],
        keep_alive: bool,
    ) -> None:
        self._connection, self.keep_alive = connection, keep_alive
        self.verb, self.path, self.query = verb, path, query
        self.headers, self.fields = headers, fields
        self.host, self.peer, self.auth = connection.host, connection.peer, connection.auth

    # The connection's side.

    def on_body(self, data: bytes) -> None:
        """Stores a piece of the body; a body in chunks has several."""
        self.collect(data)

    def on_end(self) -> None:
        """Called when the body is complete."""
        self.received = True
        self.join()

    def on_left(self) -> None:
        """Called when the client has left."""
        self.leave()

    async def run(self) -> None:
        """Serves the request; the response is completed or cut in any case."""
        serve, self.serve = self.serve, None  # breaks a reference cycle
        try:
            if serve is not None:
                await serve()
        except asyncio.CancelledError:
            pass
        except Exception as wrong:
            logger.error("serving a request failed", exc_info=wrong)
        finally:  # a done callback would cost another turn of the loop
            self._connection.state.tasks.discard(self.task)
            self.task = None
        if not self.complete and not self.left:
            self._give_up()

    def _give_up(self) -> None:
        if self.begun:
            self.left = True
            self._connection.transport.close()
        else:
            self.keep_alive = False
            self.answer(_FAILED)

    # The call's side.

    async def gone(self) -> None:
        """Returns when the client has left."""
        if not self.left:
            # Reading stops while a pipelined request waits, and then the client's disconnect would not be noticed.
            self._connection.resume_reading()
            await super().gone()

    def answer(self, reply: Reply, trailers: Headers | None = None) -> None:
        """Writes the whole response, unless the client has left; HTTP/1.1 has no trailers here."""
        if self.left or self.begun:
            return
        connection = self._connection
        status, headers, body = reply
        if self.amend is not None:
            headers = self.amend(headers)
        fields = b"".join([b"%b: %b\r\n" % pair for pair in headers])
        if fields.count(b"\n") != len(headers) or fields.count(b"\r") != len(headers):
            lines(headers)  # raises: a line break in a value would forge headers
        self.begun = True
        if self.verb == "HEAD" or status in _BODYLESS:
            body = b""
        state, write = connection.state, connection.transport.write
        if state.draining:
            self.keep_alive = False
        end = b"\r\n" if self.keep_alive else CLOSE
        if len(body) <= _JOINED_BYTES:
            write(b"%b%b%b%b%b" % (STATUS_LINES[status], state.default_lines, fields, end, body))
        else:
            write(b"%b%b%b%b" % (STATUS_LINES[status], state.default_lines, fields, end))
            write(body)
        self.complete = True
        connection.finished(self)
