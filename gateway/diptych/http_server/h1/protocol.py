"""uvicorn's HTTP/1.1, with limits; connections that begin with the HTTP/2 preface are handed to `h2`.

It knows no request.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ...exchange import AUTH
from ...tls import Admission
from ..h2 import PREFACE, TOO_MANY, Http2Protocol
from ..h2.limits import MAX_HEADER_BYTES
from ..lingering_close import LingeringClose
from ..timeouts import Timeouts, Wait
from .canned_responses import CannedResponses

MakeHttp2 = Callable[[HttpToolsProtocol], Http2Protocol]


def http1(
    responses: CannedResponses,
    admission: Admission,
    lingering: set[LingeringClose],
    make_http2: MakeHttp2,
    *,
    secure: bool,
) -> type[asyncio.Protocol]:
    """Returns the protocol class of new connections; with `secure`, each request carries its client's TLS properties.

    `lingering` collects connections whose last response the client still has time to read.
    """

    class Protocol(HttpToolsProtocol):
        _begun: bytes | None = b""
        _served: RequestResponseCycle | None = None
        _deaf = False
        _unread = 0  # bytes since the parser last completed something: a head, trailers, or a chunk's extension
        _fault = responses.malformed

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            tls: Any = transport.get_extra_info("ssl_object")
            http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
            if admission.is_full():
                transport.set_protocol(LingeringClose(transport, TOO_MANY if http2 else responses.full, lingering))
                return
            super().connection_made(transport)
            self._wait = Wait()
            if tls is not None:
                self._begun = None  # ALPN has decided
                self._proven = tls.proven
                if http2:
                    self._switch_to_http2(b"")

        def connection_lost(self, exc: Exception | None) -> None:
            # uvicorn notifies only the last request it has read, but an earlier one may be running.
            for cycle in (self._served, *(cycle for cycle, _ in self.pipeline)):
                if cycle is not None and not cycle.response_complete:
                    cycle.disconnected = True
                    cycle.waiting_for_100_continue = False
                    cycle.message_event.set()
            self.pipeline.clear()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._deaf:
                return
            if self._begun is not None:
                data = self._begun + data
                if len(data) < len(PREFACE) and PREFACE.startswith(data):
                    self._begun = data  # may be the preface, or POST or PUT
                    return
                self._begun = None
                if data.startswith(PREFACE):
                    self._switch_to_http2(data)
                    return
            self._unread += len(data)
            super().data_received(data)
            if self._unread > MAX_HEADER_BYTES:  # the parser buffers them without a limit
                self._fault = responses.large
                self.send_400_response("")

        def on_headers_complete(self) -> None:
            # `_unread` may include the body, so the head is measured only if it could be too large.
            if self._unread > MAX_HEADER_BYTES and _size(self.url, self.headers) > MAX_HEADER_BYTES:
                self._fault = responses.large
                raise ValueError("the head is too large")
            self._unread = 0
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._unread = 0
            super().on_body(body)

        def _switch_to_http2(self, data: bytes) -> None:
            self.connections.discard(self)
            protocol = make_http2(self)
            self.transport.set_protocol(protocol)
            protocol.connection_made(self.transport)
            if data:
                protocol.data_received(data)

        def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
            self._served = cycle
            super()._start_asgi_task(cycle, app)

        def handle_websocket_upgrade(self) -> None:
            # The library would refuse an invalid handshake in plain text instead of the error dialect.
            if self.scope["method"] == "GET" and _opens_websocket(self.headers):
                super().handle_websocket_upgrade()
            else:
                self._leave(responses.upgrade)

        def send_400_response(self, msg: str) -> None:
            served = self._served
            self._unread = 0
            if served is None or served.response_complete:
                self._leave(self._fault)
            elif served.more_body:  # the body of the running request is malformed
                self._leave(b"" if served.response_started else self._fault)
            else:  # a later, pipelined request: the running response must be completed first
                self._deaf = True
                self.pipeline.clear()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._deaf:
                self._leave(b"")

        def look(self, now: float, timeouts: Timeouts) -> None:
            cycle, wait = self.cycle, self._wait
            if cycle is not None and not cycle.response_complete:
                wait.over(_SERVED, now, timeouts.idle)  # the session limits how long a call runs
            elif self._begun or self.scope is not (None if cycle is None else cycle.scope):
                if wait.over(_PREFACE if self._begun else self.scope, now, timeouts.head):
                    self._leave(responses.late)
            elif wait.over(cycle or _FRESH, now, timeouts.idle):
                self.transport.close()

        def _leave(self, answer: bytes) -> None:
            transport = self.transport
            if not transport.is_closing():
                self._unset_keepalive_if_required()
                self.connection_lost(ConnectionAbortedError())  # tells the running request that its client has left
                transport.set_protocol(LingeringClose(transport, answer, lingering))

    class Secure(Protocol):
        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.scope[AUTH] = self._proven  # type: ignore[literal-required]

    return Secure if secure else Protocol


def _opens_websocket(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the headers are a valid handshake, apart from the upgrade itself (RFC 6455 section 4.2.1)."""
    keys = [value.strip() for name, value in headers if name == b"sec-websocket-key"]
    versions = [value.strip() for name, value in headers if name == b"sec-websocket-version"]
    try:
        return versions == [b"13"] and len(keys) == 1 and len(binascii.a2b_base64(keys[0], strict_mode=True)) == 16
    except binascii.Error:
        return False


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


_SERVED, _PREFACE, _FRESH = "served", "preface", "fresh"
