"""A running gateway with the kitchen sink, clients of each face, and the engines that serve gRPC."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import httpx2
import hypothesis
import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Receive, Scope, Send

from diptych import Gateway, Settings
from diptych.faces.session import Session
from diptych.gateway.lifecycle import Lifecycle
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen

# By default Hypothesis fails examples over 0.2 seconds and slow generation, which happens on a busy machine.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Restores SIGINT: a shell lets background jobs ignore it, and the programs that tests interrupt inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_PROGRAMS = ("packages", "docs", "crash", "fuzz", "e2e", "generators", "sdk", "services/cluster", "services/batch")
_LONG = (*(f"tests/{folder}/" for folder in _PROGRAMS), "tests/gateway/test_workers.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves files that start whole programs to the front: at the end, one process would run them while others idle."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


def pytest_collection_finish() -> None:
    """Freezes imported and collected objects, which are never freed, and collects garbage of old objects less often.

    With Python's thresholds full collections took a third of the CPU of the tests that start gateways.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class Unchanging:
    """Middleware that changes nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


ENGINES: dict[str, dict[str, Any]] = {
    "builtin": {"grpc_engine": "builtin"},
    "grpcio": {"grpc_engine": "grpcio"},
    "native": {"grpc_engine": "native"},
    "single-port": {"single_port": True},
}
"""The engines that serve gRPC by name, with the settings that choose them."""

every_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)
"""Marks a gRPC test: it runs over each engine, which `serve`, `served` and `shared` then use."""

_SERVED_BY = {**ENGINES, "single-port over ASGI": {**ENGINES["single-port"], "way": "asgi"}}

every_engine_both_ways = pytest.mark.parametrize("engine", _SERVED_BY, indirect=True)
"""Does the same, and runs our own engine over ASGI too, which it uses for requests that have not arrived whole."""


WAYS = ("whole", "asgi")
"""How the HTTP port serves unary calls: without ASGI if the request has arrived whole, or always over ASGI."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of a module with `BOTH_WAYS = True` in both of them."""
    if "way" in metafunc.fixturenames and getattr(metafunc.module, "BOTH_WAYS", False):
        metafunc.parametrize("way", WAYS, indirect=True)


@dataclass(frozen=True)
class Served:
    """A running gateway with clients for a test."""

    gateway: Gateway
    kitchen: Any
    http: httpx2.AsyncClient
    rpc: pb_grpc.KitchenServiceAsyncStub
    channel: grpc.aio.Channel

    def connect(self) -> socket.socket:
        """Opens a raw connection to the HTTP port, for tests of the wire format."""
        return socket.create_connection(("127.0.0.1", self.gateway.http_port), timeout=10)


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def serving(
    kitchen: Any = None, *, interceptors: Any = (), gateway: Any = None, way: str = "whole", **settings: Any
) -> Any:
    """Runs a gateway on free ports. `kitchen` is the servicer, `gateway` holds further arguments of `Gateway`."""
    servicer = kitchen if kitchen is not None else Kitchen()
    ports = {"http_port": 0, "grpc_port": 0, "allowed_hosts": ("*",)}  # raw clients name any host
    made = Gateway(Settings(**{**ports, **settings}), interceptors, **(gateway or {}))
    pb_grpc.add_KitchenServiceServicer_to_server(servicer, made)
    if way == "asgi":  # middleware of the user's sees every request of the HTTP port, and only ASGI has it
        made.app.add_middleware(Unchanging)
    async with made:
        base = f"http://127.0.0.1:{made.http_port}"
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{made.grpc_port}")
        async with httpx2.AsyncClient(base_url=base, timeout=20, verify=False) as client, channel:
            yield Served(made, servicer, client, pb_grpc.KitchenServiceStub(channel), channel)
        await made.stop(0)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The name of the gRPC engine of this test; the default for tests without the mark."""
    return str(getattr(request, "param", "builtin"))


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    """The way in which the HTTP port serves unary calls in this test."""
    return str(getattr(request, "param", "whole"))


@pytest.fixture
def serve(engine: str, way: str) -> Serve:
    """Starts a gateway for one test: `async with serve(**settings) as served`."""
    return partial(serving, **{"way": way, **_SERVED_BY[engine]})


@pytest.fixture
async def served(serve: Serve) -> AsyncIterator[Served]:
    """A gateway with its default settings."""
    async with serve() as running:
        yield running


@pytest.fixture
def drained(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """An event that ends the drain of a stop: until a test sets it, the drain lasts, without a time-out."""
    over = asyncio.Event()

    async def drain(_: Lifecycle) -> None:
        await over.wait()

    monkeypatch.setattr(Lifecycle, "_drain", drain)
    return over


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the calls that were served without ASGI."""
    calls: list[str] = []
    serve_whole = Session.serve_whole

    def counted(session: Session, adapter: Any) -> Any:
        calls.append(adapter.path)
        return serve_whole(session, adapter)

    monkeypatch.setattr(Session, "serve_whole", counted)
    return calls


Running = Callable[[str, str], Awaitable[Served]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateways() -> AsyncIterator[Running]:
    """Starts a gateway per requested engine and way, once per session."""
    running: dict[tuple[str, str], Served] = {}
    async with AsyncExitStack() as stack:

        async def of(engine: str, way: str) -> Served:
            if (engine, way) not in running:
                running[engine, way] = await stack.enter_async_context(serving(**{"way": way, **_SERVED_BY[engine]}))
            return running[engine, way]

        yield of


@pytest_asyncio.fixture(loop_scope="session")
async def shared(gateways: Running, engine: str, way: str) -> Served:
    """A shared gateway for tests that do not change it; they run on the session's loop."""
    return await gateways(engine, way)
