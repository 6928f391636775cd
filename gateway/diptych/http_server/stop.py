"""Ends the connections of a listener that accepts no more: idle ones soon, others after their running requests.

It knows how each protocol announces its end, and no listening socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..tls import Admission
from .drain import ConnectionDrain, Opening
from .h1.protocol import Http1Protocol
from .h1.websocket import WebSocketProtocol
from .h2 import Http2Protocol
from .lingering_close import LingeringClose
from .state import ListenerState

# How long a stop keeps idle connections open: a request may be on its way on any of them.
LINGER_SECONDS = 0.5
_TICK_SECONDS = 0.02


async def end_connections(
    state: ListenerState, opening: Opening, admission: Admission, lingering: set[LingeringClose], grace: float
) -> None:
    """Lets running requests finish within `grace` seconds, then cancels them; returns when all sockets are closed."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for connection in state.connections:
        if isinstance(connection, Http1Protocol):
            connection.retiring = True
    drain = ConnectionDrain(opening, state.connections, lingering)
    lingered = False
    while state.connections or state.tasks or opening or (admission.handshakes and not lingered):
        waited = loop.time() - began
        lingered = waited >= min(LINGER_SECONDS, grace)
        if lingered:
            opening.end()
        http2 = _http2_of(state.connections)
        for one in http2:
            one.drain()  # it notices by itself when its peer has received that
        for connection in state.connections.difference(http2):
            if (lingered or _is_busy(connection)) and not connection.transport.is_closing():
                connection.shutdown()  # at once if idle, else after the running response
        drain.look()
        if waited >= grace:
            break
        await asyncio.sleep(_TICK_SECONDS)
    await _cancel(state, lingering)
    await drain.end()


async def _cancel(state: ListenerState, lingering: set[LingeringClose]) -> None:
    tasks = set(state.tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1.0)  # each answers 503 if it can
    for one in _http2_of(state.connections):
        one.end()
    for left in list(lingering):
        left.shutdown()
    for connection in list(state.connections):
        if isinstance(connection, WebSocketProtocol):
            connection.end()
        if not connection.transport.is_closing():  # asyncio cannot abort a transport that was closed twice
            connection.transport.close()


def _http2_of(connections: Iterable[object]) -> list[Http2Protocol]:
    return [one for one in connections if isinstance(one, Http2Protocol)]


def _is_busy(connection: object) -> bool:
    return isinstance(connection, Http1Protocol) and connection.busy
