"""The gRPC face: grpcio's server over the same handlers and interceptors, with health and reflection.

It knows no HTTP.
"""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from ..call import Calls
from ..methods import MethodTable
from ..settings import Settings
from . import reflection
from .wire import Wire


class RpcListener:
    """One bound gRPC port."""

    def __init__(self, methods: MethodTable, calls: Calls, settings: Settings) -> None:
        largest = max([settings.max_body_bytes, *settings.method_max_body_bytes.values()])
        smaller = {path: limit for path, limit in settings.method_max_body_bytes.items() if limit < largest}
        if settings.max_body_bytes < largest:
            smaller |= {method.path: settings.body_limit(method.path) for method in methods}
        self._server = grpc.aio.server(
            interceptors=[Wire(smaller, calls), *calls.interceptors],
            options=[
                ("grpc.max_receive_message_length", largest),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # a port that is taken is an error, not a second owner
            ],
        )
        for service in methods.services:
            handlers = {
                method.name: calls.handlers[path]
                for method in methods.services[service].methods
                if (path := f"/{service}/{method.name}") in calls.handlers
            }
            self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
        self._server.add_generic_rpc_handlers(methods.generic)
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._services = ["", *methods.services]
        if settings.reflection:
            reflection.add(self._server, [*methods.services, health.SERVICE_NAME])
        self._address = f"{_bracketed(settings.grpc_host)}:{settings.grpc_port}"
        self.port = 0

    async def start(self) -> None:
        """Bind and serve. Raises OSError where the address is taken."""
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError:
            raise OSError(f"cannot listen on {self._address}: is the port taken?") from None
        await self._server.start()
        await self.set_serving(serving=True)

    async def set_serving(self, *, serving: bool) -> None:
        """What grpc.health.v1 says of every service."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await asyncio.gather(*(self._health.set(service, status) for service in self._services))

    async def stop(self, grace: float) -> None:
        """Refuse new calls, let running ones finish within `grace` seconds, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
