"""uvicorn as the HTTP listener, started and stopped by hand, so that no request it accepted is dropped.

A connection that begins as HTTP/2 does, or says so in its TLS handshake, is handed to `h2`. It knows no route; signals
are the gateway's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ..exchange import CUT, StreamCut
from ..reply import ErrorReplier
from ..status import Violation, invalid
from ..transcode import HELD
from .h1 import http1
from .h2 import Http2Protocol, Limits
from .sockets import WebSocketProtocol, unwanted

# How long idle connections are still listened to after the stop began: a request may be under way on any of them.
LINGER_SECONDS = 0.5
_TICK_SECONDS = 0.02
_BACKLOG = 2048
# What the kernel takes of answers that a client is not ready for: else megabytes for each that stopped reading.
_UNSENT_BYTES = 256 * 1024
_HTTP2 = Limits()


class HttpListener:
    """One bound port of HTTP/1.1 and HTTP/2. `errors` words what the parser refuses before there is a request.

    `tls` are the paths of the certificate chain and its key, both PEM. `largest` is the largest message any WebSocket
    takes, in bytes, and `ping_seconds` how often its client is pinged, and how long it may take to answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        errors: ErrorReplier,
        *,
        http2: Limits = _HTTP2,
        tls: tuple[str, str] | None = None,
        largest: int = 16 * 1024 * 1024,
        ping_seconds: float = 20.0,
    ) -> None:
        self._host, self._asked_port = host, port
        self._draining = False
        self._app = app
        malformed = errors.reply(invalid(Violation("", "the request is not HTTP/1.1")).status)
        self._config = uvicorn.Config(
            self._front,
            http=http1(
                _raw_reply(malformed.status, malformed.headers, malformed.body),
                lambda one: Http2Protocol(app, http2, one.server_state, one.app_state),
            ),
            ws=WebSocketProtocol,
            ws_max_size=largest,
            ws_ping_interval=ping_seconds,
            ws_ping_timeout=ping_seconds,
            ws_per_message_deflate=False,  # a window to each socket: idle ones would cost ten times their memory
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # which proxies are trusted is a setting of its own, and off
            timeout_keep_alive=75,
            backlog=_BACKLOG,
            ssl_certfile=tls[0] if tls else None,
            ssl_keyfile=tls[1] if tls else None,
        )
        self._server = uvicorn.Server(self._config)
        self._ticking: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    async def _front(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = send.__self__  # type: ignore[attr-defined]
        scope[CUT] = partial(_cut, connection)
        if scope["type"] == "websocket":
            scope[HELD] = connection.hold
        try:  # suppress() makes an object a request
            await self._app(scope, receive, _closing(send) if self._draining else send)
        except StreamCut:
            pass
        finally:
            # Else scope and cycle hold one another, and every request waits for the garbage collector, cold by then.
            scope.pop(CUT, None)
            scope.pop(HELD, None)

    @property
    def port(self) -> int:
        """The bound port."""
        if self._socket is None:
            raise RuntimeError("the listener is not started")
        port: int = self._socket.getsockname()[1]
        return port

    async def start(self, state: Mapping[str, Any]) -> None:
        """Bind and accept; `state` is the lifespan's, for requests. Raises OSError where the address is taken."""
        self._load()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self._host, self._asked_port))
        except OSError:
            bound.close()
            raise
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # connections inherit it
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        bound.setblocking(False)
        self._socket = bound
        logging.getLogger("uvicorn.error").addFilter(_cut_on_purpose)
        self._server.lifespan = self._config.lifespan_class(self._config)
        self._server.lifespan.state = dict(state)
        await self._server.startup(sockets=[bound])
        self._ticking = asyncio.ensure_future(self._server.main_loop())

    def _load(self) -> None:
        try:
            self._config.load()
        except OSError as wrong:
            files = f"tls_certificate {self._config.ssl_certfile} with tls_key {self._config.ssl_keyfile}"
            raise OSError(f"cannot use {files}: {wrong}") from None

    async def stop(self, grace: float) -> None:
        """Stop accepting, let what runs finish within `grace` seconds, then cancel it.

        A connection that is kept alive is answered once more, with `connection: close`, before it is closed: its
        client may have sent a request that has not arrived yet. One of HTTP/2 is told so by GOAWAY.
        """
        server, loop = self._server, asyncio.get_running_loop()
        self._draining = True
        if self._ticking is None:
            if self._socket is not None:  # it was bound, and then something else failed
                self._socket.close()
            return
        # What the kernel has queued is accepted before the listening socket closes.
        for _ in range(3):
            await asyncio.sleep(0)
        for listening in server.servers:
            listening.close()
        if self._socket is not None:
            self._socket.close()
        state = server.server_state
        began = loop.time()
        for one in _http2_of(state.connections):
            one.drain()
        while state.connections or state.tasks:
            waited = loop.time() - began
            for connection in list(state.connections):
                if waited >= min(LINGER_SECONDS, grace) or _is_busy(connection):
                    connection.shutdown()  # at once where it is idle, else after the running response
            if waited >= grace:
                break
            await asyncio.sleep(_TICK_SECONDS)
        await self._cancel()
        server.should_exit = True
        self._ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticking
        self._ticking = None

    async def _cancel(self) -> None:
        state = self._server.server_state
        tasks = set(state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)  # each says 503 to its client, if it can
        for one in _http2_of(state.connections):
            one.end()
        for connection in list(state.connections):
            if isinstance(connection, WebSocketProtocol):
                connection.end()
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.close()


def _cut(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True  # what middleware still sends goes nowhere
    cycle.transport.close()


def _http2_of(connections: Iterable[object]) -> list[Http2Protocol]:
    return [one for one in connections if isinstance(one, Http2Protocol)]


def _is_busy(connection: Any) -> bool:
    cycle = getattr(connection, "cycle", None)
    return cycle is not None and not cycle.response_complete


def _closing(send: Send) -> Send:
    async def close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return close


def _raw_reply(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    lines = [
        b"HTTP/1.1 %d Bad Request" % status,
        *(b"%b: %b" % pair for pair in headers),
        b"connection: close",
        b"",
        b"",
    ]
    return b"\r\n".join(lines) + body


def _cut_on_purpose(record: logging.LogRecord) -> bool:
    """False for uvicorn's complaint about a stream that failed and was therefore not completed, and its like."""
    return not unwanted(record) and record.msg != "ASGI callable returned without completing response."
