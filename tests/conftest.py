"""A started gateway over the kitchen sink, and a client of each face; and what can serve gRPC, for the tests of it."""

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

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen

# Hypothesis fails an example that takes a fifth of a second, and drawing that takes one: the machine may be busy.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_configure() -> None:
    """A shell has what it runs in the background ignore SIGINT, and so would all programs that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_PROGRAMS = ("packages", "docs", "crash", "fuzz", "e2e", "services/cluster", "services/batch")
_LONG = (*(f"tests/{folder}/" for folder in _PROGRAMS), "tests/gateway/test_workers.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first the files that start whole programs: at the end they would keep one process while others have none."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


def pytest_collection_finish() -> None:
    """Freeze what was imported and collected, which stays for good, and look for cycles in old objects less often.

    By Python's own thresholds full collections took a third of the CPU of the tests that start gateways.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


ENGINES: dict[str, dict[str, Any]] = {
    "builtin": {"grpc_engine": "builtin"},
    "grpcio": {"grpc_engine": "grpcio"},
    "native": {"grpc_engine": "native"},
    "single-port": {"single_port": True},
}
"""What serves gRPC, by name, and the settings that choose it."""

every_engine = pytest.mark.parametrize("engine", ENGINES, indirect=True)
"""Marks a test that talks gRPC: it runs over each of them, `serve`, `served` and `shared` being of that engine."""


@dataclass(frozen=True)
class Served:
    """A running gateway and what a test holds of it."""

    gateway: Gateway
    kitchen: Any
    http: httpx2.AsyncClient
    rpc: pb_grpc.KitchenServiceAsyncStub
    channel: grpc.aio.Channel

    def connect(self) -> socket.socket:
        """A plain connection to the HTTP face, where the wire itself matters."""
        return socket.create_connection(("127.0.0.1", self.gateway.http_port), timeout=10)


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def serving(kitchen: Any = None, *, interceptors: Any = (), gateway: Any = None, **settings: Any) -> Any:
    """Both faces on free ports. `kitchen` is the servicer, `gateway` what else `Gateway` takes."""
    servicer = kitchen if kitchen is not None else Kitchen()
    ports = {"http_port": 0, "grpc_port": 0}
    made = Gateway(Settings(**{**ports, **settings}), interceptors, **(gateway or {}))
    pb_grpc.add_KitchenServiceServicer_to_server(servicer, made)
    async with made:
        base = f"http://127.0.0.1:{made.http_port}"
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{made.grpc_port}")
        async with httpx2.AsyncClient(base_url=base, timeout=20, verify=False) as client, channel:
            yield Served(made, servicer, client, pb_grpc.KitchenServiceStub(channel), channel)
        await made.stop(0)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The name of what serves gRPC in this test; the default where it makes no difference."""
    return str(getattr(request, "param", "builtin"))


@pytest.fixture
def serve(engine: str) -> Serve:
    """Starts a gateway of the test's own: `async with serve(**settings) as served`."""
    return partial(serving, **ENGINES[engine])


@pytest.fixture
async def served(serve: Serve) -> AsyncIterator[Served]:
    """A gateway with its default settings."""
    async with serve() as running:
        yield running


@pytest.fixture
def drained(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set, it ends the drain of a stop, which lasts until then: whatever has to happen meanwhile has all the time."""
    over = asyncio.Event()

    async def drain(_: Gateway) -> None:
        await over.wait()

    monkeypatch.setattr(Gateway, "_drain", drain)
    return over


Running = Callable[[str], Awaitable[Served]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateways() -> AsyncIterator[Running]:
    """A gateway of each engine that is asked for, started once."""
    running: dict[str, Served] = {}
    async with AsyncExitStack() as stack:

        async def of(engine: str) -> Served:
            if engine not in running:
                running[engine] = await stack.enter_async_context(serving(**ENGINES[engine]))
            return running[engine]

        yield of


@pytest_asyncio.fixture(loop_scope="session")
async def shared(gateways: Running, engine: str) -> Served:
    """The same, for the tests that leave it as it was; they run on the session's loop."""
    return await gateways(engine)
