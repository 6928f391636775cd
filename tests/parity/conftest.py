"""The kitchen behind both kinds of gateway, started once per session, and every face of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.clients.browser import PageServer, page_driver, page_server
from tests.clients.driver import Driver
from tests.clients.node import node_driver
from tests.conftest import ENGINES, Served, serving
from tests.kitchen import Context, Kitchen
from tests.parity.cases import Case
from tests.parity.faces import Face, each
from tests.parity.faces.grpc import GrpcFace
from tests.parity.outcome import Outcome, method_of
from tests.parity.registry import FACES, HAS_BROWSER, HAS_NODE, FaceSpec


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
    """Adds initial and trailing metadata in every form to each call with `x-asked`."""

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


_INITIAL = ("location", "x-header", "x-http-code")
_TRAILING = ("x-kitchen", "x-stamp", "x-stamp-bin", "x-stamps", "x-trailer", "x-trailer-bin")
# The metadata that pages may read; Connect sends trailing metadata of unary calls in headers.
READ = (*_INITIAL, *_TRAILING, *(f"trailer-{name}" for name in _TRAILING))


@dataclass(frozen=True)
class Kitchens:
    """One gateway of each kind, with the same kitchen behind both."""

    two_ports: Served
    single_port: Served
    cross_origin: Served
    page: PageServer
    _measured: dict[str, Outcome] = field(default_factory=dict)

    @property
    def reference(self) -> Face:
        """The reference: grpcio's client over grpcio's own listener."""
        return GrpcFace("grpc", self.two_ports.channel)

    async def measured(self, case: Case) -> Outcome:
        """Returns how a call of the table ends on the reference face; calls it once."""
        if case.name not in self._measured:
            self._measured[case.name] = await ask(self.reference, case)
        return self._measured[case.name]

    def of(self, face: str) -> Served:
        """Returns the gateway that a face calls."""
        spec = FACES.get(face)
        if spec is None:
            return self.cross_origin if face == "builtin" else self.two_ports
        return self.cross_origin if spec.driver == "page" else self.single_port if spec.single_port else self.two_ports


def pytest_report_header() -> list[str]:
    """Reports the skipped clients, whose absence would otherwise go unnoticed."""
    if not HAS_NODE:
        return ["no node and npm were found: the JavaScript clients do not run"]
    return [] if HAS_BROWSER else ["no Chromium was found: the browsers' clients do not run"]


async def ask(face: Face, case: Case) -> Outcome:
    """Makes one call of the table with a face."""
    return await face.call(case.method, each(*case.requests), metadata=case.metadata, seconds=30)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kitchens() -> AsyncIterator[Kitchens]:
    """The gateways, for tests that do not change them."""
    async with (
        page_server() as page,
        serving(Watched(), interceptors=[Stamp()], **ENGINES["grpcio"]) as two_ports,
        serving(Watched(), interceptors=[Stamp()], single_port=True) as single_port,
        serving(
            Watched(), interceptors=[Stamp()], cors_origins=(page.origin,), cors_expose_headers=READ
        ) as cross_origin,
    ):
        yield Kitchens(two_ports, single_port, cross_origin, page)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def node() -> AsyncIterator[Driver]:
    """The JavaScript clients in one process."""
    async with node_driver() as driver:
        yield driver


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page(kitchens: Kitchens, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Driver]:
    """The browser clients in a page whose origin differs from the gateway's."""
    async with page_driver(kitchens.page.origin, tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


def faces(which: Callable[[FaceSpec], bool] = lambda spec: True) -> list[Any]:
    """Returns parameters for `any_face`: the gRPC port of grpcio and of the default engine, and `which`."""
    taken = [name for name, spec in FACES.items() if which(spec)]
    browsers = {name for name in taken if FACES[name].driver == "page"}
    return [
        pytest.param(name, marks=pytest.mark.browser if name in browsers else ())
        for name in ("grpc", "builtin", *taken)
    ]


@pytest.fixture(params=faces())
def any_face(request: pytest.FixtureRequest, kitchens: Kitchens) -> Face:
    """Each face, including the reference."""
    name: str = request.param
    if name == "grpc":
        return kitchens.reference
    if name == "builtin":
        return GrpcFace(name, kitchens.of(name).channel)
    spec = FACES[name]
    made = spec.make(kitchens.of(name), request.getfixturevalue(spec.driver) if spec.driver else None)
    assert made.name == name
    assert made.can(method_of("Converse"), duplex=True) == spec.duplex
    return made
