"""The gRPC face on a port of its own: one of two engines over the same handlers and interceptors.

It knows no HTTP, and no service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import grpc

from ..call import Calls
from ..forwarded import Proxies
from ..methods import Handler
from ..settings import Settings
from ..tls import Keeper
from . import engines
from .engines import EngineError, check
from .wire import Wire

__all__ = ["EngineError", "RpcListener", "check"]


class RpcListener:
    """One bound gRPC port. It serves what `calls` has, and asks `generic` for the rest."""

    def __init__(
        self,
        calls: Calls,
        generic: Iterable[grpc.GenericRpcHandler],
        settings: Settings,
        tls: Keeper | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """`shared`: other processes have the port too, and a supervisor has seen to it that they are ours."""
        handlers, generic = calls.handlers, [*generic]
        largest = max([settings.max_body_bytes, *settings.method_max_body_bytes.values()])
        smaller = {path: limit for path in handlers if (limit := settings.body_limit(path)) < largest}
        engine = engines.engine(settings)
        proxies = Proxies(settings.trusted_proxies, settings.proxy_header)
        wire = Wire(smaller, calls, engine.context, secure=settings.tls is not None, proxies=proxies)
        # Without interceptors of the user's, and handlers found only when they are called, each method's way through
        # the chain is known now, and a call does not walk it.
        fixed = len(calls.interceptors) == 1 and not generic
        self._server = engine.make(
            handlers,
            [] if fixed else [wire, *calls.interceptors],
            [
                ("grpc.max_receive_message_length", largest),
                ("grpc.max_send_message_length", -1),
                ("grpc.server_handshake_timeout_ms", int(settings.handshake_seconds * 1000)),
                ("grpc.so_reuseport", int(shared)),  # a port that is taken is an error, not a second owner
            ],
        )
        for service, methods in _by_service(wire.known if fixed else handlers).items():
            self._server.add_registered_method_handlers(service, methods)
        # Behind interceptors it is `wire` that sees what nobody serves.
        self._server.add_generic_rpc_handlers([wire.nobody()] if fixed else generic)
        self._address = f"{_bracketed(settings.grpc_host)}:{settings.grpc_port}"
        self._settings, self._tls = settings, tls
        self.port = 0

    async def start(self) -> None:
        """Bind and serve. Raises OSError where the address is taken."""
        required = self._settings.tls_client_auth == "required"
        self.port = engines.bind(self._server, self._address, self._tls, required=required)
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Refuse new calls, let running ones finish within `grace` seconds, then cancel them."""
        await self._server.stop(grace)


def _by_service(handlers: Mapping[str, Handler]) -> dict[str, dict[str, Handler]]:
    services: defaultdict[str, dict[str, Handler]] = defaultdict(dict)
    for path, handler in handlers.items():
        service, _, method = path[1:].rpartition("/")
        services[service][method] = handler
    return services


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
