"""The RPC protocols of the HTTP port, chosen by content type: gRPC, gRPC-Web and Connect, for the same servicers.

`RpcApp` is the ASGI app, built at start-up. It knows no FastAPI and no listener, and of REST only which of its paths
have a REST route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

from ...codec import Codec
from ...exchange import Exchange, Receive, Scope, Send
from ...metadata import HeaderPolicy
from ...methods import MethodTable
from ...origin import ProtocolName
from ...reply import Reply
from ...settings import Settings
from ...status import Code, Status
from ..session import Session
from .connect_errors import ConnectErrors
from .connect_stream import ConnectWire
from .connect_unary import ConnectCall
from .entries import Entry, entries, unknown
from .enveloped import EnvelopedCall
from .kinds import ACCEPT_POST, OWN_HEADERS, Kind, WireProtocol, kind_of
from .wires import GrpcWire, WebTextWire, WebWire, Wire

__all__ = ["VERSION", "RpcApp"]

VERSION = b"connect-protocol-version"
"""The header that names Connect's version."""


class RpcApp:
    """Serves every method at `/{package.Service}/{Method}`.

    `claimed` are the paths of that shape that have a REST route: a request that fits both goes to REST unless it names
    Connect's version in its header or query.
    """

    def __init__(
        self,
        session: Session,
        codec: Codec,
        methods: MethodTable,
        settings: Settings,
        *,
        claimed: Collection[str] = (),
    ) -> None:
        self._session, self._settings = session, settings
        self._claimed = frozenset(claimed)
        self._errors = ConnectErrors(codec)
        self._wires: Mapping[WireProtocol, Callable[[Kind, Mapping[bytes, bytes], Send], Wire]] = {
            WireProtocol.GRPC: GrpcWire,
            WireProtocol.WEB: WebWire,
            WireProtocol.WEB_TEXT: WebTextWire,
            WireProtocol.CONNECT_STREAM: partial(ConnectWire, errors=self._errors),
        }
        self._policies = {
            protocol: HeaderPolicy.of(settings.metadata_allow, (*settings.metadata_deny, *dropped))
            for protocol, dropped in OWN_HEADERS.items()
        }
        self.entries: dict[str, Entry] = entries(session.calls, codec, methods, settings)
        """The served methods, by path."""

    def serves(self, scope: Scope, path: str) -> bool:
        """Whether this app serves a request for a path in `entries`; `path` is relative to the mount point."""
        if path not in self._claimed:
            return True
        if scope["method"] == "GET":
            # Compared as bytes, since unquoting would decode the message too.
            return b"connect=v1" in scope["query_string"].split(b"&")
        kind = _kind(scope)
        if scope["method"] != "POST" or kind is None:
            return False
        return kind.protocol is not WireProtocol.CONNECT or not kind.json or _names_connect(scope)

    def recognizes(self, path: str, content_type: bytes | None, *, connect: bool) -> bool:
        """Whether a POST for an unknown path uses one of these protocols, so that this app writes the error.

        `connect` is whether it names Connect's version.
        """
        if content_type is None or (content_type == b"application/json" and not connect):
            return False
        kind = kind_of(content_type)
        if kind is None or (path.count("/") != 2 and kind.protocol is not WireProtocol.GRPC):
            return False
        return connect or kind.protocol is not WireProtocol.CONNECT

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        root, path = scope.get("root_path"), scope["path"]
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        entry = self._entry(path)
        exchange = Exchange(scope, receive, send)
        if scope["method"] != "POST":
            if scope["method"] == "GET" and entry.safe:
                return self._connect(exchange, entry, None)
            return self._unmatched(exchange, self._errors.reply(_wrong_verb(scope["method"], entry)))
        kind = _kind(scope)
        if kind is None or not _fits(kind, entry):
            return self._unmatched(exchange, self._errors.reply(_wrong_type(entry)))
        if kind.protocol is WireProtocol.CONNECT:
            return self._connect(exchange, entry, kind)
        if kind.protocol is WireProtocol.GRPC and scope["http_version"] != "2":
            return self._unmatched(exchange, _NEEDS_HTTP2, "grpc")
        return self._enveloped(exchange, entry, kind, send)

    def grpc(self, exchange: Exchange, kind: Kind, send: Send) -> Awaitable[None]:
        """Serves a gRPC request of a port that serves gRPC only."""
        return self._enveloped(exchange, self._entry(exchange.scope["path"]), kind, send)

    def _entry(self, path: str) -> Entry:
        return self.entries.get(path) or unknown(path, self._settings)

    def _enveloped(self, exchange: Exchange, entry: Entry, kind: Kind, send: Send) -> Awaitable[None]:
        wire = self._wires[kind.protocol](kind, exchange.headers, send)
        policy, session = self._policies[kind.protocol], self._session
        return session.serve(EnvelopedCall(exchange, entry, kind, wire, policy, session))

    def _connect(self, exchange: Exchange, entry: Entry, kind: Kind | None) -> Awaitable[None]:
        policy, session = self._policies[WireProtocol.CONNECT], self._session
        return session.serve(ConnectCall(exchange, entry, kind, self._errors, policy, session))

    async def _unmatched(self, exchange: Exchange, reply: Reply, protocol: ProtocolName = "connect") -> None:
        self._session.unmatched(exchange.scope, protocol, reply.status)
        await exchange.reply(reply)


def _kind(scope: Scope) -> Kind | None:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return kind_of(value)
    return None


def _names_connect(scope: Scope) -> bool:
    return any(name == VERSION for name, _ in scope["headers"])


def _fits(kind: Kind, entry: Entry) -> bool:
    """Whether Connect's content type, unary or streaming, fits the method; gRPC's and gRPC-Web's fit both."""
    if not entry.known or kind.protocol not in (WireProtocol.CONNECT, WireProtocol.CONNECT_STREAM):
        return True
    return entry.streaming is (kind.protocol is WireProtocol.CONNECT_STREAM)


def _wrong_type(entry: Entry) -> Status:
    taken = ACCEPT_POST[entry.streaming]
    return Status(
        code=Code.INVALID_ARGUMENT,
        message=f"unsupported content type for '{entry.path}'; expected one of {taken}",
        http=415,
        headers=(("accept-post", taken),),
    )


def _wrong_verb(verb: str, entry: Entry) -> Status:
    allowed = "GET, POST" if entry.safe else "POST"
    return Status(
        code=Code.UNIMPLEMENTED,
        message=f"method {verb} is not allowed for '{entry.path}'; expected {allowed}",
        http=405,
        headers=(("allow", allowed),),
    )


_WHY = b"gRPC requires HTTP/2; over HTTP/1.1, use gRPC-Web or Connect"
_NEEDS_HTTP2 = Reply(505, [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(_WHY))], _WHY)
