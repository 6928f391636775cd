"""The kitchen behind both kinds of gateway, once a session, and every face of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.conftest import Served, serving
from tests.kitchen import Context, Kitchen
from tests.parity.faces import Face
from tests.parity.faces.grpc import GrpcFace
from tests.parity.faces.http1 import Http1
from tests.parity.faces.rest import RestFace


class Watched(Kitchen):
    """The kitchen, telling of its client streams and conversations too when they wait and when they are cancelled."""

    async def Sum(self, request_iterator: Any, context: Context) -> Any:
        try:
            return await super().Sum(self._seen("Sum", request_iterator), context)
        except asyncio.CancelledError:
            self.cancelled["Sum"].set()
            raise

    async def Converse(self, request_iterator: Any, context: Context) -> Any:
        try:
            async for answer in super().Converse(self._seen("Converse", request_iterator), context):
                yield answer
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled["Converse"].set()
            raise

    async def _seen(self, key: str, requests: Any) -> Any:
        async for request in requests:
            self.waiting[key].set()
            yield request


class Stamp(grpc.aio.ServerInterceptor):
    """Gives every call that brings `x-asked` metadata of its own, both ways and in every form."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        asked = dict(handler_call_details.invocation_metadata or ()).get("x-asked")
        if asked is None:
            return handler
        streaming = (handler.request_streaming, handler.response_streaming)
        kind = "_".join("stream" if streams else "unary" for streams in streaming)
        behaviour = getattr(handler, kind)

        async def stamped(request: Any, context: Any) -> Any:
            _stamp(context, asked)
            return await behaviour(request, context)

        async def stamped_stream(request: Any, context: Any) -> Any:
            _stamp(context, asked)
            async for answer in behaviour(request, context):
                yield answer

        wrapped = stamped_stream if handler.response_streaming else stamped
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(wrapped, handler.request_deserializer, handler.response_serializer)


def _stamp(context: Any, asked: str) -> None:
    context.set_trailing_metadata(
        (("x-stamp", asked), ("x-stamps", "1"), ("x-stamps", "2"), ("x-stamp-bin", b"\0\xfe"))
    )


@dataclass(frozen=True)
class Kitchens:
    """One gateway of each kind, with the same kitchen behind either."""

    two_ports: Served
    single_port: Served | None

    @property
    def reference(self) -> Face:
        """The measure: grpcio over grpcio's own listener."""
        return GrpcFace("grpc", self.two_ports.channel)

    def of(self, face: str) -> Served:
        """The gateway that a face calls."""
        if face not in ON_SINGLE_PORT:
            return self.two_ports
        assert self.single_port is not None
        return self.single_port


def _http1(kitchen: Served) -> Http1:
    return Http1(kitchen.gateway.http_port)


Make = Callable[[Served], Face]

ON_TWO_PORTS: dict[str, Make] = {
    "rest-ndjson-h1": lambda kitchen: RestFace(_http1(kitchen), "ndjson"),
    "rest-array-h1": lambda kitchen: RestFace(_http1(kitchen), "array"),
    "rest-sse-h1": lambda kitchen: RestFace(_http1(kitchen), "sse"),
}
ON_SINGLE_PORT: dict[str, Make] = {}
FACES = {**ON_TWO_PORTS, **ON_SINGLE_PORT}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kitchens() -> AsyncIterator[Kitchens]:
    """Both gateways, for the tests that leave them as they were."""
    async with serving(Watched(), interceptors=[Stamp()]) as two_ports:
        yield Kitchens(two_ports, None)


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest, kitchens: Kitchens) -> Face:
    """Each face but the one it is measured by."""
    name: str = request.param
    made = FACES[name](kitchens.of(name))
    assert made.name == name
    return made
