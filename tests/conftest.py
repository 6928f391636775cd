"""A started gateway over the kitchen sink, and a client of each face."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import httpx2
import pytest
import pytest_asyncio

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen


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
def serve() -> Serve:
    """Starts a gateway of the test's own: `async with serve(**settings) as served`."""
    return serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A gateway with its default settings."""
    async with serving() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared() -> AsyncIterator[Served]:
    """The same, for the tests that leave it as it was; they run on the session's loop."""
    async with serving() as running:
        yield running
