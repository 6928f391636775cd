"""The gRPC port by a foreign engine, grpcio's or pygrpc-native's, with the same handlers and interceptors.

It knows no HTTP, and no service.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping

import grpc

from ..call import Calls
from ..forwarded import Proxies
from ..methods import Handler
from ..settings import Settings
from ..tls import CertificateReloader
from . import engines
from .engines import EngineError, check
from .wire import WireInterceptor

__all__ = ["EngineError", "RpcListener", "check"]

logger = logging.getLogger("diptych.rpc_server")

_LOOK_SECONDS, _REBIND_SECONDS = 0.2, 0.05  # polled, since grpcio does not report that its server has ended


class RpcListener:
    """One bound gRPC port. It serves the methods of `calls`, and others by `generic`."""

    def __init__(
        self,
        calls: Calls,
        generic: Iterable[grpc.GenericRpcHandler],
        settings: Settings,
        tls: CertificateReloader | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """`shared`: other workers listen on the port too, which their supervisor has reserved."""
        handlers, generic = calls.handlers, [*generic]
        largest = max([settings.max_body_bytes, *settings.method_max_body_bytes.values()])
        smaller = {path: limit for path in handlers if (limit := settings.body_limit(path)) < largest}
        engine = engines.engine(settings)
        proxies = Proxies(settings.trusted_proxies, settings.proxy_header)
        wire = WireInterceptor(smaller, calls, engine.context, secure=settings.tls is not None, proxies=proxies)
        # Without user interceptors and generic handlers, the result of the interceptor chain is known for each method
        # now, and calls skip the chain.
        fixed = len(calls.interceptors) == 1 and not generic
        options = [
            ("grpc.max_receive_message_length", largest),
            ("grpc.max_send_message_length", -1),
            ("grpc.server_handshake_timeout_ms", int(settings.handshake_seconds * 1000)),
            ("grpc.so_reuseport", int(shared)),  # a port in use is an error unless workers share it
            *engines.connection_options(settings),
        ]

        def make() -> grpc.aio.Server:
            server = engine.make(handlers, [] if fixed else [wire, *calls.interceptors], options)
            for service, methods in _by_service(wire.known if fixed else handlers).items():
                server.add_registered_method_handlers(service, methods)
            # With interceptors, `wire` sees calls of unknown methods itself.
            server.add_generic_rpc_handlers([wire.unknown()] if fixed else generic)
            return server

        self._make, self._server = make, make()
        self._settings, self._tls = settings, tls
        self._restarting: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Binds and serves. Raises OSError if the address is in use."""
        try:
            self.port = self._bind(self._settings.grpc_port)
        except OSError:
            # grpcio 1.85 logs when it frees a server that never ran; on Python 3.13 that can be while the interpreter
            # shuts down, where it prints "Error in sys.excepthook". Started without a port and stopped, it does not.
            if self._settings.grpc_engine == "grpcio":
                await self._server.start()
            raise
        await self._server.start()
        self._restarting = asyncio.ensure_future(self._restart_if_ended())

    def _bind(self, port: int) -> int:
        address = f"{_bracketed(self._settings.grpc_host)}:{port}"
        return engines.bind(self._server, address, self._tls, required=self._settings.tls_client_auth == "required")

    async def _restart_if_ended(self) -> None:
        """Restarts the server if it ends by itself, as grpcio's does after a call whose path is not UTF-8."""
        while True:
            try:
                while await self._server.wait_for_termination(_LOOK_SECONDS):
                    pass
                return
            except Exception as error:
                logger.error("the gRPC server ended by itself, with its calls, and is restarted: %r", error)
            await _ended(self._server, 0)  # running calls would keep the half-stopped server
            self._server = self._make()
            while True:
                try:
                    self._bind(self.port)
                    break
                except OSError:  # the previous server has not released the port yet
                    await asyncio.sleep(_REBIND_SECONDS)
            await self._server.start()

    async def stop(self, grace: float) -> None:
        """Refuses new calls, lets running ones finish within `grace` seconds, then cancels them."""
        if self._restarting is not None:
            self._restarting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._restarting
        await _ended(self._server, grace)


async def _ended(server: grpc.aio.Server, grace: float) -> None:
    """Stops a server; one whose first stop fails is stopped again."""
    try:
        await server.stop(grace)
    except Exception as error:
        logger.error("the gRPC server failed while it was stopped: %r", error)
        await server.stop(0)


def _by_service(handlers: Mapping[str, Handler]) -> dict[str, dict[str, Handler]]:
    services: defaultdict[str, dict[str, Handler]] = defaultdict(dict)
    for path, handler in handlers.items():
        service, _, method = path[1:].rpartition("/")
        services[service][method] = handler
    return services


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
