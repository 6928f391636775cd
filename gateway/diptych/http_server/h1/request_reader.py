"""llhttp's events become requests, served one at a time in the order in which they came.

A request that its door serves, and that arrives in one piece, is a `WholeRequest`; any other is an `AsgiRequest`. It
reads and writes nothing; `protocol` does.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import httptools
from starlette.types import Scope

from ...exchange import Client
from ..h2.limits import MAX_HEADER_BYTES
from .asgi_request import AsgiRequest
from .flow_control import FlowControl
from .head import BadHead, Fields, check, opens_websocket, size_of, target_of, without_upgrade
from .pipeline import Pipeline, Request
from .request_line import RequestLines
from .shared import Http1
from .whole_request import WholeRequest

_VERBS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}


class RequestReader(FlowControl):
    """The part of a connection's protocol that the parser calls. The rest sets `client` and `_scope`."""

    client: Client
    _scope: Scope  # what the scopes of the connection have in common

    def __init__(self, shared: Http1) -> None:
        super().__init__()
        self._shared, self.state = shared, shared.state
        self._parser: Any = self._new_parser()  # None once the connection is lost or handed over
        self._unread = 0  # bytes since the parser last completed something: a head, trailers, or a chunk's extension
        self._lines = RequestLines()
        self._target = b""
        self._fields: Fields = []
        self._amid_head = False
        self._valid_host = b""  # the last one, since clients send the same again
        self._websocket: tuple[str, Fields] | None = None  # the target and the fields of a handshake
        self._again = b""  # the head of a request that offers another protocol, without the offer
        self._receiving: Request | None = None
        self._line = Pipeline(self, shared.app)
        self.retiring = False

    def finished(self, request: Request) -> None:
        """Called when the response of a request is complete."""

    def none_waits(self) -> None:
        """Called when no request waits any longer."""

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # Data behind a request with `connection: close` is no error of that request.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._target, self._fields, self._amid_head = b"", [], True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        target, headers, parser = self._target, self._fields, self._parser
        self._fields, self._amid_head = [], False
        # `_unread` may include the body, so the head is measured only if it could be too large.
        if self._unread > MAX_HEADER_BYTES and size_of(target, headers) > MAX_HEADER_BYTES:
            raise BadHead("large")
        self._unread = 0
        method, fields = parser.get_method(), dict(headers)
        verb, version, lines = _VERBS.get(method), "1.1", self._lines
        if verb is None or not lines.is_usual(method, target, fields):
            version = parser.get_http_version()
            self._valid_host = check(method, version, headers, fields)
            if not lines.valid(method, target, version, fields):
                raise BadHead("malformed")
        # Clients send the same host again and again, which was found valid.
        elif fields.get(b"host") != self._valid_host or len(fields) < len(headers) or b"transfer-encoding" in fields:
            self._valid_host = check(method, version, headers, fields)
        path, query = target_of(target, fields.get(b"host"))
        if b"upgrade" in fields and parser.should_upgrade():
            if fields[b"upgrade"].lower() == b"websocket":
                self._offered(method, path, query, headers)
            else:  # the parser would skip the body: it takes what follows for the other protocol
                self._again = without_upgrade(method, target, headers)
            return
        verb = verb or method.decode("ascii")
        door = self._shared.door
        if door is not None and b"expect" not in fields and version == "1.1":
            whole = WholeRequest(self, verb, path, query, headers, fields, parser.should_keep_alive())
            whole.serve = door(whole)
            if whole.serve is not None:
                self._receiving = whole
                return
        expects = fields.get(b"expect", b"").lower() == b"100-continue"
        keep_alive = version == "1.1" and parser.should_keep_alive()
        self._receiving = self._asgi(verb, path, query, headers, version, expects, keep_alive)

    def _offered(self, method: bytes, path: str, query: bytes, headers: Fields) -> None:
        """Remembers the head of a WebSocket's handshake."""
        if self._line.running is not None or not opens_websocket(method, headers):
            raise BadHead("upgrade")
        if not query.isascii():
            raise BadHead("target")
        self._websocket = (f"{path}?{query.decode()}" if query else path), headers

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        self._lines.body += len(body)
        if self._receiving is not None:
            self._receiving.on_body(body)

    def on_message_complete(self) -> None:
        request = self._receiving
        if request is None:
            return
        if self._fields and request.keep_alive and not self._parser.should_keep_alive():
            raise BadHead("field")  # `connection: close` as a trailer, after which the parser reads no more
        self._receiving = None
        request.on_end()
        if isinstance(request, WholeRequest):
            self._line.admit(request)

    # Requests.

    def _asgi(
        self, verb: str, path: str, query: bytes, headers: Fields, version: str, expects: bool, keep_alive: bool
    ) -> AsgiRequest:
        scope = {
            **self._scope,
            "http_version": version,
            "extensions": {"http.response.trailers": {}},
            "method": verb,
            "path": unquote(path) if "%" in path else path,
            "raw_path": path.encode("ascii"),
            "query_string": query,
            "headers": headers,
            "state": self.state.lifespan.copy(),
        }
        request = AsgiRequest(self, scope, expects_continue=expects, keep_alive=keep_alive)
        self._line.admit(request)
        return request

    def _go_on_through_asgi(self) -> None:
        """Replaces a whole request whose body has not arrived with the read by one for ASGI."""
        whole = self._receiving
        if not isinstance(whole, WholeRequest):
            return
        request = self._asgi(whole.verb, whole.path, whole.query, list(whole.headers), "1.1", False, whole.keep_alive)
        if body := whole.received_so_far():
            request.on_body(body)
        self._receiving = request
