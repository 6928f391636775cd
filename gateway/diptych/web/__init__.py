"""The RPC protocols of the HTTP port, chosen by content type: gRPC, gRPC-Web and Connect, for the same servicers.

The door is `Web`, one ASGI app made at start-up. It knows no FastAPI and no listener, and nothing of REST but which of
its paths REST has a route for.
"""

from __future__ import annotations

from collections.abc import Collection

from ..call import Calls
from ..codec import Codec
from ..exchange import Exchange, Receive, Scope, Send
from ..methods import MethodTable
from ..reply import Reply
from ..settings import Settings
from . import enveloped
from .desk import Desk
from .entries import Entry, entries, unknown
from .kinds import Kind, Protocol, kind_of
from .wires import GrpcWire, WebTextWire, WebWire, Wire

__all__ = ["Web"]

_WIRES: dict[Protocol, type[Wire]] = {
    Protocol.GRPC: GrpcWire,
    Protocol.WEB: WebWire,
    Protocol.WEB_TEXT: WebTextWire,
}


class Web:
    """Serves every method at `/{package.Service}/{Method}`.

    `claimed` are the paths of that shape which REST has a route for: there, JSON without a header of Connect's is
    REST's.
    """

    def __init__(
        self, calls: Calls, codec: Codec, methods: MethodTable, settings: Settings, *, claimed: Collection[str] = ()
    ) -> None:
        self._desk = Desk(calls, settings)
        self._settings = settings
        self._claimed = frozenset(claimed)
        self.entries: dict[str, Entry] = entries(calls, codec, methods, settings)
        """What is served, by path."""

    @property
    def stopping(self) -> bool:
        """Set when running calls are being cancelled, so that whoever still waits is told why."""
        return self._desk.stopping

    @stopping.setter
    def stopping(self, stopping: bool) -> None:
        self._desk.stopping = stopping

    def takes(self, scope: Scope, path: str) -> bool:
        """Whether a request for a path of `entries` is for here; `path` is below the place the app is mounted at."""
        kind = _kind(scope)
        return scope["method"] == "POST" and kind is not None and kind.protocol in _WIRES

    def speaks(self, scope: Scope, path: str) -> bool:
        """Whether a request for a path that nobody serves speaks a protocol of this room, which words the refusal."""
        if scope["method"] != "POST" or path.count("/") != 2:
            return False
        kind = _kind(scope)
        return kind is not None and kind.protocol in _WIRES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root, path = scope.get("root_path"), scope["path"]
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        entry = self.entries.get(path) or unknown(path, self._settings)
        exchange = Exchange(scope, receive, send)
        kind = _kind(scope)
        if kind is None:
            raise NotImplementedError
        if kind.protocol is Protocol.GRPC and scope["http_version"] != "2":
            await exchange.reply(_NEEDS_HTTP2)
            return
        wire = _WIRES[kind.protocol](kind, exchange.headers, send)
        await enveloped.serve(self._desk, exchange, entry, kind, wire)


def _kind(scope: Scope) -> Kind | None:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return kind_of(value)
    return None


_WHY = b"gRPC needs HTTP/2: this connection is HTTP/1.1, where gRPC-Web and Connect can be spoken"
_NEEDS_HTTP2 = Reply(505, [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(_WHY))], _WHY)
