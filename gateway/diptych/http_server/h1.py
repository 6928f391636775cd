"""uvicorn's HTTP/1.1, and the first look at a connection: one that begins as HTTP/2 does is handed on.

It knows no request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .h2 import PREFACE, Http2Protocol

MakeHttp2 = Callable[[HttpToolsProtocol], Http2Protocol]


def http1(malformed: bytes, make_http2: MakeHttp2) -> type[asyncio.Protocol]:
    """The protocol of new connections. `malformed` is what is written where the parser gives up."""

    class Protocol(HttpToolsProtocol):
        alpn_protocols: ClassVar[list[str]] = ["h2", "http/1.1"]
        _begun: bytes | None = b""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            tls: Any = transport.get_extra_info("ssl_object")
            if tls is not None:
                self._begun = None  # ALPN has decided
                if tls.selected_alpn_protocol() == "h2":
                    self._hand_on(b"")

        def data_received(self, data: bytes) -> None:
            if self._begun is not None:
                data = self._begun + data
                if len(data) < len(PREFACE) and PREFACE.startswith(data):
                    self._begun = data  # a POST begins with a P too
                    return
                self._begun = None
                if data.startswith(PREFACE):
                    self._hand_on(data)
                    return
            super().data_received(data)

        def _hand_on(self, data: bytes) -> None:
            self.connections.discard(self)
            protocol = make_http2(self)
            self.transport.set_protocol(protocol)
            protocol.connection_made(self.transport)
            if data:
                protocol.data_received(data)

        def send_400_response(self, msg: str) -> None:
            self.transport.write(malformed)
            self.transport.close()

    return Protocol
