"""New connections of a port that speaks only HTTP/2: others get one response that says so, and are closed.

It knows no request. For a port that serves HTTP/1.1 too, `h1.protocol` does the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from ...origin import peer_of
from ...tls import Admission
from ..lingering_close import LingeringClose
from ..refusals import LATE_HEAD, TOO_MANY_CONNECTIONS
from ..scope import connection_scope
from ..state import ListenerState
from ..timeouts import Timeouts, Wait
from .frames import PREFACE
from .protocol import TOO_MANY

__all__ = ["http2_only"]


def http2_only(
    make: Callable[[], asyncio.Protocol],
    state: ListenerState,
    admission: Admission,
    lingering: set[LingeringClose],
    refusal: bytes,
) -> type[asyncio.Protocol]:
    """Returns the protocol class of new connections; `make` makes the one of HTTP/2.

    `refusal` is the whole response to a client that does not begin with HTTP/2's preface; `lingering` collects
    connections whose last response the client still has time to read.
    """

    class Protocol(asyncio.Protocol):
        transport: asyncio.Transport
        _begun = b""

        def __init__(self) -> None:
            self._wait = Wait()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)
            if admission.is_full():
                state.refusals.note(*TOO_MANY_CONNECTIONS, self._peer())
                self.transport.set_protocol(LingeringClose(self.transport, TOO_MANY, lingering))
                return
            state.connections.add(self)
            tls: Any = transport.get_extra_info("ssl_object")
            if tls is not None and tls.selected_alpn_protocol() == "h2":
                self._switch_to_http2(b"")

        def connection_lost(self, exc: Exception | None) -> None:
            state.connections.discard(self)

        def data_received(self, data: bytes) -> None:
            data = self._begun + data
            if data.startswith(PREFACE):
                self._switch_to_http2(data)
            elif PREFACE.startswith(data):
                self._begun = data
            else:
                self._refuse()

        def _switch_to_http2(self, data: bytes) -> None:
            state.connections.discard(self)
            protocol = make()
            self.transport.set_protocol(protocol)
            protocol.connection_made(self.transport)
            if data:
                protocol.data_received(data)

        def _refuse(self) -> None:
            state.refusals.note("a request that is not HTTP/2", 505, self._peer())
            state.connections.discard(self)
            self.transport.set_protocol(LingeringClose(self.transport, refusal, lingering))

        def _peer(self) -> str:
            client = connection_scope(self.transport, "2")["client"]
            return "unknown:" if client is None else peer_of(*client)

        def shutdown(self) -> None:
            """Closes the connection; it has no stream yet."""
            self.transport.close()

        def look(self, now: float, timeouts: Timeouts) -> None:
            """Closes the connection if the preface takes too long."""
            if self._wait.over(self, now, timeouts.head):
                state.refusals.note(*LATE_HEAD, self._peer())
                self.transport.close()

    return Protocol
