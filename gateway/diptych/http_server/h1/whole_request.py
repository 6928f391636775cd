"""A request that arrived whole, in one piece, and its one response: no ASGI between the parser and the call.

It knows no route and no call; the door that was asked for it returned what serves it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from ...reply import Headers, Reply
from ..whole_body import WholeBody
from .asgi_request import Connection
from .head import CLOSE, JOINED_BYTES, STATUS_LINES, Fields, lines

logger = logging.getLogger("diptych")

_BODYLESS = (204, 304)
_TEXT = b"Internal Server Error"
_LENGTH = b"%d" % len(_TEXT)
_FAILED = Reply(500, [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", _LENGTH)], _TEXT)


class WholeRequest(WholeBody):
    """A request whose head has arrived, and whose body is expected in the same piece."""

    trails = False

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
        self.client = connection.client
        self.body, self._pieces = b"", None
        self.left = self.begun = self.complete = False
        self.amend: Callable[[Headers], Headers] | None = None
        self.authority: bytes | None = None
        self.serve = self.task = None

    # The connection's side.

    def on_body(self, data: bytes) -> None:
        """Stores a piece of the body; a body in chunks has several."""
        self.collect(data)

    def on_end(self) -> None:
        """Called when the body is complete."""
        self.join()

    def on_left(self) -> None:
        """Called when the client has left."""
        self.leave()

    async def run(self) -> None:
        """Serves the request; the response is completed or cut in any case."""
        serve = self.begin()
        try:
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

    def answer(self, reply: Reply, trailers: Headers | None = None) -> None:
        """Writes the whole response, unless the client has left; HTTP/1.1 has no trailers here."""
        if self.left or self.begun:
            return
        connection = self._connection
        status, headers, body = reply
        if self.amend is not None:
            headers = self.amend(headers)
        if len(headers) == 2:  # nearly always: the type and the length
            (name, value), (other, its) = headers
            fields = b"".join((name, b": ", value, b"\r\n", other, b": ", its, b"\r\n"))
        else:
            fields = b"".join([b"%b: %b\r\n" % pair for pair in headers])
        if fields.count(b"\n") != len(headers) or fields.count(b"\r") != len(headers):
            lines(headers)  # raises: a line break in a value would forge headers
        self.begun = True
        if self.verb == "HEAD" or status in _BODYLESS:
            body = b""
        state, write = connection.state, connection.transport.write
        if connection.retiring:
            self.keep_alive = False
        end = b"\r\n" if self.keep_alive else CLOSE
        if len(body) <= JOINED_BYTES:
            write(b"".join((STATUS_LINES[status], state.default_lines, fields, end, body)))
        else:
            write(b"".join((STATUS_LINES[status], state.default_lines, fields, end)))
            write(body)
        self.complete = True
        connection.finished(self)
