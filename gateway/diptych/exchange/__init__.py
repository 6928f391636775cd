"""One HTTP exchange over ASGI: read the body, answer once, write a stream, notice that the client left.

It knows no message and no call. Whatever speaks HTTP to clients (REST, gRPC-Web, Connect, gRPC) does it through here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from ..origin import Origin, ProtocolName, peer_of
from ..reply import Headers, Reply
from ..status import Status
from .body import Disconnected, Gunzip, Receive, coding_of, read, too_large
from .body_timeouts import BodyPatience, Pieces
from .inbound import Inbound

__all__ = [
    "AUTH",
    "CUT",
    "BodyPatience",
    "Disconnected",
    "Exchange",
    "Gunzip",
    "Inbound",
    "Pieces",
    "Receive",
    "Scope",
    "Send",
    "StreamCut",
    "coding_of",
    "origin_of",
    "raw_path",
    "read",
    "too_large",
]

CUT = "diptych.cut"
"""The scope's key for the listener's function that closes the connection and leaves the response incomplete."""

AUTH = "diptych.auth"
"""The scope's key for the connection's `auth_context()`, where it is not plain text."""

Scope = MutableMapping[str, Any]
Send = Callable[[Any], Awaitable[None]]


class StreamCut(Exception):
    """A stream that had begun has failed.

    It is raised through whatever middleware there is, and whoever serves the app closes the connection.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.code.name}: {status.message}")


class Exchange:
    """What is done with one scope."""

    __slots__ = ("_send", "begun", "head", "headers", "receive", "scope", "status", "warnings")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self._send = scope, receive, send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """The request's headers by name, for those that stand once; `header` has lists whole."""
        self.head = scope["method"] == "HEAD"
        self.begun = False
        self.status = 0
        """The status of the response, once it has begun."""
        self.warnings: list[str] = []

    def header(self, name: bytes) -> bytes | None:
        """A request header's value; several of one name are one list (RFC 9110 section 5.3)."""
        found = [value for key, value in self.scope["headers"] if key == name]
        return b", ".join(found) if found else None

    async def reply(self, reply: Reply) -> None:
        """Answer whole; nothing where an answer has begun."""
        if self.begun:
            return
        self.begun, self.status = True, reply.status
        await self._send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await self._send({"type": "http.response.body", "body": b"" if self.head else reply.body})

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin a stream. What is not ended with `write(..., more=False)` is cut by the listener."""
        self.begun, self.status = True, status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Write to the stream; waits while the client is behind."""
        await self._send({"type": "http.response.body", "body": b"" if self.head else data, "more_body": more})

    async def cut(self, data: bytes) -> None:
        """Write the last of a stream that failed, and cut the connection behind it."""
        await self.write(data)
        cut = self.scope.get(CUT)
        if cut is not None:
            # Middleware may complete a response whatever the app does, so that it is cut below it; nothing more is sent
            # but after what was sent before has been handed on.
            await self.write(b"")
            cut()

    async def gone(self) -> None:
        """Returns when the client has gone away; what it still sends is thrown away."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


def raw_path(scope: Scope) -> str:
    """The percent-encoded path below the place the app is mounted at."""
    raw = scope.get("raw_path")
    path: str = raw.partition(b"?")[0].decode("latin-1") if raw is not None else quote(scope["path"])
    root = scope.get("root_path")
    if root:
        prefix = quote(root)
        if path.startswith(prefix + "/"):
            return path[len(prefix) :]
    return path


def origin_of(scope: Scope, protocol: ProtocolName) -> Origin:
    """Where a request came from. The listener says in the scope what a client's certificate has proven."""
    client = scope.get("client")
    found = Origin(protocol) if client is None else Origin(protocol, peer_of(client[0], client[1]))
    if (auth := scope.get(AUTH)) is not None:
        found.auth = auth
    return found
