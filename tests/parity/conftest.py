"""The kitchen behind both kinds of gateway, once a session, and every face of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.clients.driver import Driver
from tests.clients.node import node_driver
from tests.conftest import Served, serving
from tests.kitchen import Context, Kitchen
from tests.parity.faces import Face
from tests.parity.faces.grpc import GrpcFace
from tests.parity.registry import FACES, HAS_NODE


class Watched(Kitchen):
    """The kitchen, telling of streams of requests too that they began, and that their servicer was let go.

    Their key is the text of the first tick. grpcio tells a servicer that reads of a cancelled call by the end of its
    requests or by cancelling it, whichever comes first, so that either counts.
    """

    async def Sum(self, request_iterator: Any, context: Context) -> Any:
        keys: list[str] = []
        try:
            return await super().Sum(self._seen(request_iterator, keys), context)
        finally:
            self.cancelled["".join(keys)].set()

    async def Converse(self, request_iterator: Any, context: Context) -> Any:
        keys: list[str] = []
        try:
            async for answer in super().Converse(self._seen(request_iterator, keys), context):
                yield answer
        finally:
            self.cancelled["".join(keys)].set()

    async def _seen(self, requests: Any, keys: list[str]) -> Any:
        async for request in requests:
            if not keys:
                keys.append(request.text)
                self.waiting[request.text].set()
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
    single_port: Served

    @property
    def reference(self) -> Face:
        """The measure: grpcio over grpcio's own listener."""
        return GrpcFace("grpc", self.two_ports.channel)

    def of(self, face: str) -> Served:
        """The gateway that a face calls."""
        if face not in FACES or not FACES[face].single_port:
            return self.two_ports
        return self.single_port


def pytest_report_header() -> list[str]:
    """Says which clients are left out, since nobody would see them missing."""
    return [] if HAS_NODE else ["no node and npm were found: the JavaScript clients do not run"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kitchens() -> AsyncIterator[Kitchens]:
    """Both gateways, for the tests that leave them as they were."""
    async with (
        serving(Watched(), interceptors=[Stamp()]) as two_ports,
        serving(Watched(), interceptors=[Stamp()], single_port=True) as single_port,
    ):
        yield Kitchens(two_ports, single_port)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node() -> AsyncIterator[Driver]:
    """The JavaScript clients in one process."""
    async with node_driver() as driver:
        yield driver


@pytest.fixture(params=["grpc", *FACES])
def any_face(request: pytest.FixtureRequest, kitchens: Kitchens) -> Face:
    """Each face, the one it is measured by among them."""
    name: str = request.param
    if name == "grpc":
        return kitchens.reference
    door = FACES[name]
    made = door.make(kitchens.of(name), request.getfixturevalue(door.driver) if door.driver else None)
    assert made.name == name
    return made
