"""One HTTP exchange over ASGI: reads the body, sends one response or stream, notices a client's disconnect.

It knows no message and no call. REST, gRPC-Web, Connect and gRPC all use it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from ..compression import Coding, Deflater
from ..origin import Origin, ProtocolName, peer_of
from ..reply import Headers, Reply
from ..status import Status
from .aside import LARGE_BYTES, aside
from .body import BodyDecoder, Disconnected, Receive, coding_of, counted, read, read_whole, too_large
from .body_timeouts import BodyTimeouts, Patience, Pieces, steps_of, too_slow
from .inbound import Inbound
from .message_bounds import FREE_BYTES, MessageBounds, MessageWatch
from .whole import AUTH, PREFIX, Client, Door, Serve, WholeRequest

__all__ = [
    "AUTH",
    "CUT",
    "FREE_BYTES",
    "LARGE_BYTES",
    "ON_LEFT",
    "PREFIX",
    "TRAILERS_ONLY",
    "BodyDecoder",
    "BodyTimeouts",
    "Client",
    "Disconnected",
    "Door",
    "Exchange",
    "Inbound",
    "MessageBounds",
    "MessageWatch",
    "Patience",
    "Pieces",
    "Receive",
    "Scope",
    "Send",
    "Serve",
    "StreamCut",
    "WholeRequest",
    "aside",
    "coding_of",
    "counted",
    "joined",
    "origin_of",
    "raw_path",
    "read",
    "read_whole",
    "steps_of",
    "too_large",
    "too_slow",
]

CUT = "diptych.cut"
"""The scope key of the listener's function that closes the connection and leaves the response incomplete."""

ON_LEFT = "diptych.on_left"
"""The scope key of the listener's function that takes a callback for the client's disconnect, if the listener learns of
it before the body is read."""

TRAILERS_ONLY = "diptych.trailers_only"
"""The key of `http.response.start` for a response without a body, whose head may be sent with its trailers as one field
block: gRPC's Trailers-Only. Clients retry no call that has response headers apart from its status (gRFC A6)."""

Scope = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[None]]


class StreamCut(Exception):
    """A stream that cannot tell its error failed after it had begun.

    It passes through the middleware to the listener, which closes the connection.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.code.name}: {status.message}")


class Exchange:
    """The exchange of one ASGI scope."""

    __slots__ = (
        *("_deflater", "_send", "_trails", "begun", "head", "headers", "receive", "scope", "status", "trailers"),
        "warnings",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self._send = scope, receive, send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """The request's headers by name, with the last value of repeated ones; `header` joins them."""
        self.head = scope["method"] == "HEAD"
        self.begun = False
        self._deflater: Deflater | None = None
        self._trails = False
        self.trailers: Headers = []
        """What `write` sends after the end of a stream, if the client takes trailers."""
        self.status = 0
        """The status of the response, once it has begun."""
        self.warnings: list[str] = []

    def header(self, name: bytes) -> bytes | None:
        """Returns a request header's value, as `joined` does."""
        return joined(self.scope["headers"], name)

    async def reply(self, reply: Reply) -> None:
        """Sends a whole response; does nothing if a response has begun."""
        if self.begun:
            return
        self.begun, self.status = True, reply.status
        await self._send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await self._send({"type": "http.response.body", "body": b"" if self.head else reply.body})

    async def begin(self, status: int, headers: Headers, deflater: Deflater | None = None) -> None:
        """Begins a stream, whose body `deflater` compresses. It has trailers if the client asks by `te: trailers`.

        The listener cuts one that does not end with `write(..., more=False)`.
        """
        self.begun, self.status, self._deflater = True, status, deflater
        self._trails = self._takes_trailers()
        start = {"type": "http.response.start", "status": status, "headers": headers, "trailers": self._trails}
        await self._send(start)

    def _takes_trailers(self) -> bool:
        named = self.headers.get(b"te", b"").lower().split(b",")  # RFC 9110 section 10.1.4
        takes = any(one.strip() == b"trailers" for one in named)
        return takes and "http.response.trailers" in (self.scope.get("extensions") or ())  # None is allowed

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Writes to the stream; waits while the client reads too slowly."""
        deflater = self._deflater
        if deflater is not None and (data or not more):
            data = deflater.write(data) if more else deflater.end(data)
        await self._send({"type": "http.response.body", "body": b"" if self.head else data, "more_body": more})
        if self._trails and not more:
            await self._send({"type": "http.response.trailers", "headers": self.trailers})

    async def cut(self) -> None:
        """Leaves the response incomplete: resets the stream of HTTP/2, and closes a connection of HTTP/1.1."""
        cut = self.scope.get(CUT)
        if cut is not None:
            # Middleware may complete the response after the app has failed, so the connection is cut below it. The
            # empty write returns once the listener has the data before it.
            await self.write(b"")
            cut()

    def inbound(self, coding: Coding | None = None) -> Inbound:
        """Returns a reader of the request's body as it arrives."""
        return Inbound(self.receive, self.scope.get(ON_LEFT), coding=coding)

    async def gone(self) -> None:
        """Returns when the client has disconnected; discards what it still sends."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def joined(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Returns the values of a header; repeated ones are joined to a list (RFC 9110 section 5.3)."""
    found = [value for key, value in headers if key == name]
    return b", ".join(found) if found else None


def raw_path(scope: Scope) -> str:
    """Returns the percent-encoded path below the app's mount point."""
    raw = scope.get("raw_path")
    path: str = raw.partition(b"?")[0].decode("latin-1") if raw is not None else quote(scope["path"])
    root = scope.get("root_path")
    if root:
        prefix = quote(root)
        if path.startswith(prefix + "/"):
            return path[len(prefix) :]
    return path


def origin_of(scope: Scope, protocol: ProtocolName) -> Origin:
    """Returns a request's origin. The listener puts the identity in a client's certificate into the scope."""
    client = scope.get("client")
    found = Origin(protocol) if client is None else Origin(protocol, peer_of(client[0], client[1]))
    if (auth := scope.get(AUTH)) is not None:
        found.auth = auth
    return found
