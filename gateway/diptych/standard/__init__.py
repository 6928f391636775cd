"""The services every gRPC server has: `grpc.health.v1.Health` and `grpc.reflection`, as plain handlers.

It knows no server and no face: whoever serves gRPC serves these as it serves all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_health.v1._async import HealthServicer

from ..methods import Handler
from .reflection import reflected

__all__ = ["Standard"]

_Request, _Response = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
# types-grpcio-health-checking knows no List.
_ListRequest, _ListResponse = [getattr(health_pb2, f"HealthList{kind}") for kind in ("Request", "Response")]


class Standard:
    """Health of `services`, which are full names, and where `reflection` is on, their descriptors."""

    def __init__(self, services: Iterable[str], *, reflection: bool) -> None:
        names = [*services]
        self._health = HealthServicer()
        self._watched = ["", *names]
        self.handlers: Mapping[str, Handler] = {
            **self._checks(),
            **(reflected([*names, health.SERVICE_NAME]) if reflection else {}),
        }
        """What is served, by `/{package.Service}/{Method}`."""

    def _checks(self) -> dict[str, Handler]:
        one = (_Request.FromString, _Response.SerializeToString)
        every = (_ListRequest.FromString, _ListResponse.SerializeToString)
        return {
            f"/{health.SERVICE_NAME}/Check": grpc.unary_unary_rpc_method_handler(self._health.Check, *one),
            f"/{health.SERVICE_NAME}/List": grpc.unary_unary_rpc_method_handler(self._list, *every),
            f"/{health.SERVICE_NAME}/Watch": grpc.unary_stream_rpc_method_handler(self._health.Watch, *one),
        }

    async def _list(self, request: Any, context: Any) -> Any:
        # grpcio-health-checking's servicer answers the other two methods of the contract only.
        said = {name: await self._health.Check(_Request(service=name), context) for name in self._watched}
        return _ListResponse(statuses=said)

    async def set_serving(self, serving: bool) -> None:
        """What grpc.health.v1 says of every service from now on."""
        status = _Response.SERVING if serving else _Response.NOT_SERVING
        await asyncio.gather(*(self._health.set(service, status) for service in self._watched))

    async def shutdown(self) -> None:
        """Say NOT_SERVING for good: nothing said later changes it."""
        await self._health.enter_graceful_shutdown()
