"""The standard gRPC services, `grpc.health.v1.Health` and `grpc.reflection`, as plain handlers.

It knows no server and no face: they are served like any other service's handlers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_health.v1._async import HealthServicer

from ..methods import Handler
from ..readiness import Readiness, Results
from .reflection import reflected

__all__ = ["Standard"]

_Request, _Response = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
# types-grpcio-health-checking does not declare List.
_ListRequest, _ListResponse = [getattr(health_pb2, f"HealthList{kind}") for kind in ("Request", "Response")]


class Standard:
    """Serves the health of `services` (full names) and, if `reflection` is on, their descriptors.

    Raises ValueError if a check of `readiness` names a service that is not among them.
    """

    def __init__(self, services: Iterable[str], readiness: Readiness, *, reflection: bool) -> None:
        names = [*services]
        if unknown := readiness.services - {*names}:
            raise ValueError(f"readiness checks name services that are not registered: {', '.join(sorted(unknown))}")
        self._readiness = readiness
        self._serving = False
        self._health = HealthServicer()
        self._watched = ["", *names]
        self.handlers: Mapping[str, Handler] = {
            **self._checks(),
            **(reflected([*names, health.SERVICE_NAME]) if reflection else {}),
        }
        """The handlers by path, `/{package.Service}/{Method}`."""

    def _checks(self) -> dict[str, Handler]:
        one = (_Request.FromString, _Response.SerializeToString)
        every = (_ListRequest.FromString, _ListResponse.SerializeToString)
        return {
            f"/{health.SERVICE_NAME}/Check": grpc.unary_unary_rpc_method_handler(self._check, *one),
            f"/{health.SERVICE_NAME}/List": grpc.unary_unary_rpc_method_handler(self._list, *every),
            f"/{health.SERVICE_NAME}/Watch": grpc.unary_stream_rpc_method_handler(self._health.Watch, *one),
        }

    async def _check(self, request: Any, context: Any) -> Any:
        stored = await self._health.Check(request, context)
        if not self._readiness or not self._serving:
            return stored
        # The stored status, which Watch sends, may be some seconds old; Check runs the checks.
        return _Response(status=self._status(request.service, await self._readiness.look()))

    async def _list(self, request: Any, context: Any) -> Any:
        # grpcio-health-checking's servicer implements Check and Watch only.
        statuses = {name: await self._check(_Request(service=name), context) for name in self._watched}
        return _ListResponse(statuses=statuses)

    def _status(self, service: str, results: Results) -> Any:
        return _Response.SERVING if self._readiness.fit(service, results) else _Response.NOT_SERVING

    async def begin(self) -> None:
        """Reports services as SERVING from now on, if their checks pass."""
        self._serving = True
        # With checks, no service is SERVING before they have passed once.
        first = _Response.NOT_SERVING if self._readiness else _Response.SERVING
        await asyncio.gather(*(self._health.set(service, first) for service in self._watched))
        self._readiness.start(self._tell)

    async def _tell(self, results: Results) -> None:
        if self._serving:
            await asyncio.gather(*(self._health.set(name, self._status(name, results)) for name in self._watched))

    async def shutdown(self) -> None:
        """Reports NOT_SERVING for all services until the process ends."""
        self._serving = False
        self._readiness.end()
        await self._health.enter_graceful_shutdown()
