"""Servers for the tests of channels, and one client for both kinds of channel."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
import pytest

from artificer.grpc import AsyncChannel, Channel, ChannelOptions, RetryPolicy, safe_methods
from artificer_services.cluster.servers import free_port
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.e2e.conftest import ROOT, wait_until_listening
from tests.kitchen import Context, Kitchen

WAYS = ("sync", "asyncio")
both_ways = pytest.mark.parametrize("way", WAYS)
"""Runs a test with `Channel` and with `AsyncChannel`."""

KITCHEN = "kitchen.v1.KitchenService"
QUICK = RetryPolicy(initial_backoff=0.01, max_backoff=0.05, methods=safe_methods(pb.DESCRIPTOR))
"""Retries of the kitchen's safe methods that do not wait for long."""


class Caller:
    """Calls the kitchen through one of the channels; what blocks runs in a thread."""

    def __init__(self, way: str, target: str | None, options: ChannelOptions | None) -> None:
        self.channel: Any = (Channel if way == "sync" else AsyncChannel)(target, options)
        self._blocks = way == "sync"
        self.stub: Any = pb_grpc.KitchenServiceStub(self.channel)

    async def call(self, method: str, request: Any, **named: Any) -> Any:
        """Calls a method with one response."""
        called = getattr(self.stub, method)
        return await (asyncio.to_thread(called, request, **named) if self._blocks else called(request, **named))

    async def stream(self, method: str, request: Any, **named: Any) -> list[Any]:
        """Calls a method with a stream of responses and returns them."""
        called = getattr(self.stub, method)
        if self._blocks:
            return await asyncio.to_thread(lambda: [*called(request, **named)])
        return [response async for response in called(request, **named)]

    async def do(self, action: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Calls a method of the channel."""
        return await (asyncio.to_thread(action, *given, **named) if self._blocks else action(*given, **named))

    async def statuses(self, service: str = "") -> AsyncGenerator[Any]:
        """Yields what `health.watch` yields."""
        watched = self.channel.health.watch(service)
        try:
            while True:
                try:
                    yield await (asyncio.to_thread(next, watched) if self._blocks else anext(watched))
                except (StopAsyncIteration, RuntimeError):
                    return
        finally:
            await self.do(watched.close if self._blocks else watched.aclose)


@asynccontextmanager
async def calling(way: str, target: Any, **options: Any) -> AsyncIterator[Caller]:
    """Opens a channel to a port of this machine, or to an address."""
    caller = Caller(way, f"127.0.0.1:{target}" if isinstance(target, int) else target, ChannelOptions(**options))
    try:
        yield caller
    finally:
        await caller.do(caller.channel.close)


class Flaky(Kitchen):
    """Fails with each of `failures` (status code, trailing metadata) before it answers, and counts the attempts."""

    def __init__(self, *failures: tuple[grpc.StatusCode, Any]) -> None:
        super().__init__()
        self.failures = [*failures]
        self.attempts = 0

    async def _attempt(self, context: Context) -> None:
        self.attempts += 1
        if self.failures:
            code, trailing = self.failures.pop(0)
            await context.abort(code, "not now", trailing)

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        await self._attempt(context)
        return await super().GetDish(request, context)

    async def CreateDish(self, request: pb.CreateDishRequest, context: Context) -> pb.Dish:
        await self._attempt(context)
        return request.dish

    async def Tick(self, request: pb.TickRequest, context: Context) -> AsyncIterator[pb.TickResponse]:
        if not request.fail_after:
            await self._attempt(context)
        else:
            self.attempts += 1
        async for tick in super().Tick(request, context):
            yield tick


def ticks(*numbers: int) -> Iterable[pb.TickResponse]:
    """Returns requests of a stream."""
    return iter([pb.TickResponse(number=number) for number in numbers])


@contextmanager
def program(port: int | None = None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Runs the kitchen in a process of its own, which the test may kill, and gives its gRPC port."""
    port = port or free_port()
    command = [sys.executable, "-m", "diptych.cli", "serve", "tests.kitchen_app:create"]
    command += ["--http-port", "0", "--grpc-port", str(port), "--set", "telemetry.access_log=false"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env) as process:
        try:
            yield process, int(wait_until_listening(process).grpc.rpartition(":")[2])
        finally:
            process.kill()
