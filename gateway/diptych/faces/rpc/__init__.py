"""The RPC protocols of the HTTP port, chosen by content type: gRPC, gRPC-Web and Connect, for the same servicers.

`RpcApp` is the ASGI app, built at start-up. It knows no FastAPI and no listener, and of REST only which of its paths
have a REST route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from ...codec import Codec
from ...exchange import Exchange, Receive, Scope, Send, Serve, WholeRequest, raw_path
from ...methods import MethodTable
from ...origin import ProtocolName
from ...reply import Reply
from ...settings import Settings
from ...status import Status
from ..session import Session
from .connect_errors import ConnectErrors
from .connect_stream import VERSION
from .connect_unary import ConnectCall, WholeConnectCall
from .entries import Entry, entries, unknown
from .enveloped import EnvelopedCall, WholeEnvelopedCall
from .forms import Forms
from .kinds import Kind, WireProtocol, kind_of
from .plain_answers import NEEDS_HTTP2, wrong_type, wrong_verb

__all__ = ["VERSION", "RpcApp"]


class _NoCall(NamedTuple):
    """The answer to a request that uses none of the protocols, though its path is a method's."""

    reply: Reply
    protocol: ProtocolName = "connect"


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
        self._forms = Forms(settings, self._errors)
        self.entries: dict[str, Entry] = entries(session.calls, codec, methods, settings)
        """The served methods, by path."""

    def serves(self, scope: Scope, path: str) -> bool:
        """Whether this app serves a request for a path in `entries`; `path` is relative to the mount point."""
        if _hides_slash(raw_path(scope)):
            return False
        if path not in self._claimed:
            return True
        return _names_rpc(scope["method"], scope["query_string"], dict(scope["headers"]))

    def takes(self, request: WholeRequest, path: str) -> bool:
        """Whether this app serves a request that has arrived whole; `path` is decoded, and one of `entries`."""
        if _hides_slash(request.path):
            return False
        return path not in self._claimed or _names_rpc(request.verb, request.query, request.fields)

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
        exchange = Exchange(scope, receive, send)
        call = self._call(exchange, send)
        return self._unmatched(exchange, call) if isinstance(call, _NoCall) else self._session.serve(call)

    async def refuse(self, status: Status, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answers a request of one of these protocols with its form of an error; returns False for any other request.

        What is refused by other rules than a call's, such as its host, is answered so: the client reads nothing else.
        """
        exchange = Exchange(scope, receive, send)
        path = _path(raw_path(scope))
        if path in self.entries:
            if not self.serves(scope, path):
                return False
        elif scope["method"] != "POST" or not self.recognizes(
            path, exchange.headers.get(b"content-type"), connect=VERSION in exchange.headers
        ):
            return False
        call = self._call(exchange, send)
        if isinstance(call, _NoCall):
            return False
        self._session.unmatched(scope, call.origin.protocol, status.http_status)
        await call.fail(status, None)
        return True

    def _call(self, exchange: Exchange, send: Send) -> EnvelopedCall | ConnectCall | _NoCall:
        """Returns the call that a request makes, or the answer to one that uses none of these protocols."""
        scope, session = exchange.scope, self._session
        entry = self._entry(_path(raw_path(scope)))
        if scope["method"] != "POST":
            if scope["method"] == "GET" and entry.safe:
                return ConnectCall(exchange, entry, None, self._errors, self._forms.connect_policy, session)
            return _NoCall(wrong_verb(scope["method"], entry))
        form = self._forms.of(exchange.headers.get(b"content-type"))
        if form is None or not _fits(form.kind, entry):
            return _NoCall(wrong_type(entry))
        if form.kind.protocol is WireProtocol.CONNECT:
            return ConnectCall(exchange, entry, form.kind, self._errors, self._forms.connect_policy, session)
        if form.kind.protocol is WireProtocol.GRPC and scope["http_version"] != "2":
            return _NoCall(NEEDS_HTTP2, "grpc")
        return EnvelopedCall(exchange, entry, form, session, send)

    def grpc(self, exchange: Exchange, send: Send) -> Awaitable[None] | None:
        """Serves a request of a port that serves gRPC only; returns None if its content type is not gRPC's."""
        form = self._forms.of(exchange.headers.get(b"content-type"))
        if form is None or form.kind.protocol is not WireProtocol.GRPC:
            return None
        entry = self._entry(_path(raw_path(exchange.scope)))
        return self._session.serve(EnvelopedCall(exchange, entry, form, self._session, send))

    def door(self, request: WholeRequest, path: str) -> Serve | None:
        """Returns what serves a request that this app takes without ASGI; None for streams and what it refuses."""
        entry = self.entries[path]
        if entry.streaming:
            return None
        if request.verb == "GET" and entry.safe:
            return self._whole_connect(request, entry, None)
        form = self._forms.of(request.fields.get(b"content-type"))
        if form is None or request.verb != "POST" or (form.kind.json and entry.json is None):
            return None
        protocol = form.kind.protocol
        if protocol is WireProtocol.CONNECT:
            return self._whole_connect(request, entry, form.kind)
        if protocol is WireProtocol.CONNECT_STREAM or (protocol is WireProtocol.GRPC and not request.trails):
            return None
        return partial(self._session.serve_whole, WholeEnvelopedCall(request, entry, form))

    def grpc_door(self, request: WholeRequest) -> Serve | None:
        """Does the same for any request of a port that serves gRPC only."""
        entry = self.entries.get(_path(request.path))
        if entry is None or entry.streaming or request.verb != "POST":
            return None
        form = self._forms.of(request.fields.get(b"content-type"))
        if form is None or form.kind.protocol is not WireProtocol.GRPC or (form.kind.json and entry.json is None):
            return None
        return partial(self._session.serve_whole, WholeEnvelopedCall(request, entry, form))

    def _whole_connect(self, request: WholeRequest, entry: Entry, kind: Kind | None) -> Serve:
        call = WholeConnectCall(request, entry, kind, self._errors, self._forms.connect_policy)
        return partial(self._session.serve_whole, call)

    def _entry(self, path: str) -> Entry:
        return self.entries.get(path) or unknown(path, self._settings)

    async def _unmatched(self, exchange: Exchange, answer: _NoCall) -> None:
        self._session.unmatched(exchange.scope, answer.protocol, answer.reply.status)
        await exchange.reply(answer.reply)


def _hides_slash(path: str) -> bool:
    """Whether a percent-encoded path has an encoded slash, which does not separate (RFC 3986 section 2.2)."""
    return "%" in path and "%2f" in path.lower()


def _path(path: str) -> str:
    """Returns the decoded path; one with an encoded slash stays encoded, so that no method has it."""
    return unquote(path) if "%" in path and not _hides_slash(path) else path


def _names_rpc(verb: str, query: bytes, fields: Mapping[bytes, bytes]) -> bool:
    """Whether a request for a path that has a REST route too names one of these protocols."""
    if verb == "GET":
        # Compared as bytes, since unquoting would decode the message too.
        return b"connect=v1" in query.split(b"&")
    kind = kind_of(fields.get(b"content-type", b""))
    if verb != "POST" or kind is None:
        return False
    return kind.protocol is not WireProtocol.CONNECT or not kind.json or VERSION in fields


def _fits(kind: Kind, entry: Entry) -> bool:
    """Whether Connect's content type, unary or streaming, fits the method; gRPC's and gRPC-Web's fit both."""
    if not entry.known or kind.protocol not in (WireProtocol.CONNECT, WireProtocol.CONNECT_STREAM):
        return True
    return entry.streaming is (kind.protocol is WireProtocol.CONNECT_STREAM)
