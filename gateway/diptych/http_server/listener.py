"""The listener: one bound port, opened and stopped by the gateway so that no accepted request is dropped.

A connection that begins with HTTP/2's preface, or negotiates h2 by ALPN, is handed to `h2`; others speak HTTP/1.1. It
knows no route, and handles no signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Self

from starlette.types import ASGIApp

from ..addresses import cannot_listen
from ..capacity import unread_bytes
from ..exchange import Door
from ..forwarded import Proxies
from ..reply import ErrorReplier
from ..settings import Settings
from ..tls import Admission, CertificateReloader, Material
from .drain import Opening
from .h1.canned_responses import CannedResponses
from .h1.protocol import Http1Protocol
from .h1.shared import Http1
from .h1.websocket import WebSocketProtocol
from .h1.websocket_factory import WebSocketFactory
from .h2 import Apps, HeadTooLarge, Http2Protocol, Limits, Unread, http2_only
from .lingering_close import LingeringClose
from .proxies import behind, door_behind
from .state import ListenerState
from .stop import end_connections
from .timeouts import Timeouts, look_after

_BACKLOG = 2048
# How much of a response the kernel buffers for a client that does not read; by default several megabytes.
_UNSENT_BYTES = 256 * 1024
_HTTP2, _TIMEOUTS = Limits(), Timeouts()


class HttpListener:
    """One bound port of HTTP/1.1 and HTTP/2; with `grpc_only`, of HTTP/2 alone, for an app that serves gRPC.

    `errors` writes the responses to requests that cannot be parsed. `tls` has the current certificate. `largest` is the
    largest WebSocket message in bytes; `ping_seconds` is the interval of WebSocket pings, and their timeout.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        errors: ErrorReplier,
        *,
        http2: Limits = _HTTP2,
        grpc_only: bool = False,
        tls: CertificateReloader | None = None,
        timeouts: Timeouts = _TIMEOUTS,
        proxies: Proxies | None = None,
        largest: int = 16 * 1024 * 1024,
        ping_seconds: float = 20.0,
        door: Door | None = None,
    ) -> None:
        self._host, self._asked_port = host, port
        self._state = ListenerState()
        self._tls, self._timeouts = tls, timeouts
        responses = CannedResponses.of(errors)
        self._grpc_only = grpc_only
        self.counted: Sequence[HttpListener] = (self,)
        """The listeners that share the limit on connections."""
        self._admission = Admission(self._is_full, responses.grpc_plain if grpc_only else responses.plain)
        self._lingering: set[LingeringClose] = set()
        self._opening = Opening(self._admission)
        app = behind(app, proxies) if proxies else app
        if door is not None and proxies:
            door = door_behind(door, proxies)
        self._websockets = WebSocketFactory(
            app, self._state, self._lingering, secure=tls is not None, largest=largest, ping_seconds=ping_seconds
        )
        apps = Apps(app, HeadTooLarge(errors), door)
        make_http2 = partial(Http2Protocol, apps, http2, self._state)
        self._make: Callable[[], asyncio.Protocol]
        if grpc_only:
            self._make = http2_only(make_http2, self._state, self._admission, self._lingering, responses.grpc_only)
        else:
            shared = Http1(
                app=app,
                door=door,
                state=self._state,
                responses=responses,
                admission=self._admission,
                lingering=self._lingering,
                make_http2=make_http2,
                make_websocket=self._websockets.make,
            )
            self._make = partial(Http1Protocol, shared)
        self._servers: list[asyncio.Server] = []
        self._looking: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self._adopted: tuple[socket.socket, ...] = ()
        self._listening = asyncio.Lock()

    @classmethod
    def of(
        cls,
        app: ASGIApp,
        settings: Settings,
        errors: ErrorReplier,
        tls: CertificateReloader | None,
        door: Door | None = None,
    ) -> Self:
        """Returns the listener of the HTTP port."""
        return cls._of(app, settings.http_host, settings.http_port, errors, settings, tls, door=door)

    @classmethod
    def of_grpc(
        cls, app: ASGIApp, settings: Settings, errors: ErrorReplier, tls: CertificateReloader | None, door: Door
    ) -> Self:
        """Returns the listener of the gRPC port: it speaks HTTP/2 only, and `app` serves gRPC."""
        return cls._of(app, settings.grpc_host, settings.grpc_port, errors, settings, tls, grpc_only=True, door=door)

    @classmethod
    def _of(
        cls,
        app: ASGIApp,
        host: str,
        port: int,
        errors: ErrorReplier,
        settings: Settings,
        tls: CertificateReloader | None,
        *,
        grpc_only: bool = False,
        door: Door | None = None,
    ) -> Self:
        return cls(
            app,
            host,
            port,
            errors,
            grpc_only=grpc_only,
            http2=Limits(
                max_streams=settings.http2_max_streams,
                ping_seconds=settings.http2_ping_seconds,
                idle_seconds=settings.keep_alive_seconds,
                unread=Unread(unread_bytes(settings)),
            ),
            tls=tls,
            timeouts=Timeouts.of(settings),
            proxies=Proxies(settings.trusted_proxies, settings.proxy_header),
            largest=settings.largest_body,
            ping_seconds=settings.websocket_ping_seconds,
            door=door,
        )

    def count_refusals(self, count: Callable[[int], None], count_stall: Callable[[str], None]) -> None:
        """Calls `count` with the HTTP status of each request that no application has seen.

        Calls `count_stall` with the protocol of each response that was ended since its client took nothing of it.
        """
        self._state.refusals.count, self._state.refusals.count_stall = count, count_stall

    @property
    def port(self) -> int:
        """The bound port."""
        if self._socket is None:
            raise RuntimeError("the listener is not started")
        port: int = self._socket.getsockname()[1]
        return port

    def connections(self) -> Mapping[str, int]:
        """Returns the number of open connections by protocol."""
        kinds = [_kind(one) for one in list(self._state.connections)]
        return {kind: kinds.count(kind) for kind in ("http/1.1", "h2", "websocket")}

    async def start(self, state: Mapping[str, Any], given: socket.socket | None = None) -> None:
        """Binds and accepts; `state` is the lifespan's, for requests. Raises OSError if the address is in use.

        `given` is a socket that is already bound.
        """
        self._websockets.load()
        bound = given or self._bound()
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # connections inherit it
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        bound.setblocking(False)
        self._socket = bound
        self._state.lifespan = dict(state)
        self._state.refresh()
        await self._listen(None if self._tls is None else self._tls.material)
        if self._tls is not None:
            self._tls.subscribe(self._listen)
        self._looking = asyncio.ensure_future(look_after(self._look, self._timeouts))

    def _look(self) -> Iterable[object]:
        self._state.refresh()
        return self._state.connections

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # With the protocol named, since asyncio sets TCP_NODELAY only then; uvloop always does.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self._host, self._asked_port))
        except OSError as error:
            bound.close()
            raise cannot_listen("grpc" if self._grpc_only else "http", self._host, self._asked_port, error) from None
        return bound

    async def adopt_sockets(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts on these sockets too, instead of those adopted before; the caller still owns them."""
        self._adopted = tuple(sockets)
        await self._listen(None if self._tls is None else self._tls.material)

    async def _listen(self, material: Material | None) -> None:
        """Accepts with this certificate. The previous servers close, but their connections stay open."""
        async with self._listening:
            await self._listen_anew(material)

    async def _listen_anew(self, material: Material | None) -> None:
        if self._socket is None or self._state.draining:
            return
        options: dict[str, Any] = {}
        if material is not None:
            context = material.grpc_context if self._grpc_only else material.context
            context.admission = self._admission
            options = {"ssl": context, "ssl_handshake_timeout": self._timeouts.handshake}
        # Each server has its own descriptor of the same socket, so that no connection is lost between two servers.
        loop = asyncio.get_running_loop()
        listening = [
            await loop.create_server(self._connection, sock=one.dup(), backlog=_BACKLOG, **options)
            for one in (self._socket, *self._adopted)
        ]
        before = listening  # if the stop has begun meanwhile, the new ones close
        if not self._state.draining:
            before, self._servers = self._servers, listening
        for one in before:
            one.close()

    def _connection(self) -> asyncio.Protocol:
        self._opening.note()
        return self._make()

    def _is_full(self) -> bool:
        most = self._timeouts.connections
        return most is not None and sum(one.open() for one in self.counted) >= most

    def open(self) -> int:
        """Returns the number of connections, handshakes included."""
        return len(self._state.connections) + self._admission.handshakes

    async def stop(self, grace: float) -> None:
        """Stops accepting, lets running requests finish within `grace` seconds, then cancels them.

        An idle connection stays open for a moment, since a request may be on its way: it is answered with
        `connection: close`. HTTP/2 connections get GOAWAY, and handshakes as much time to complete. All sockets are
        closed when it returns.
        """
        state = self._state
        state.draining = True
        if self._looking is None:
            if self._socket is not None:  # bound, but starting failed later
                self._socket.close()
            return
        # Accept what the kernel has queued before the listening socket closes.
        for _ in range(3):
            await asyncio.sleep(0)
        for listening in self._servers:
            listening.close()
        if self._socket is not None:
            self._socket.close()
        await end_connections(state, self._opening, self._admission, self._lingering, grace)
        state.refusals.close()
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking
        self._looking = None


def _kind(connection: object) -> str:
    if isinstance(connection, Http2Protocol):
        return "h2"
    return "websocket" if isinstance(connection, WebSocketProtocol) else "http/1.1"
