"""Diptych with streaming methods; the argument is the gRPC engine: `builtin`, `grpcio` or `native`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import uvloop

from bench.records import BY_ID
from bench.servers.listen import announce
from bench.servicer import dish
from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

_TICK_SECONDS = 0.001


class _Held:
    """Measures for how long the event loop serves nothing else, by a timer."""

    def __init__(self) -> None:
        self._loop, self._longest = asyncio.get_running_loop(), 0.0
        self._spent, self._most_spent = time.thread_time(), 0.0
        self._again()

    def _again(self) -> None:
        self._due = time.perf_counter() + _TICK_SECONDS  # uvloop's own time has a resolution of one millisecond
        self._loop.call_later(_TICK_SECONDS, self._on_time)

    def _on_time(self) -> None:
        self._longest = max(self._longest, time.perf_counter() - self._due)
        spent = time.thread_time()
        self._spent, self._most_spent = spent, max(self._most_spent, spent - self._spent)
        self._again()

    def longest(self) -> float:
        """Returns the longest time since the last call, in milliseconds."""
        longest, self._longest = self._longest, 0.0
        return longest * 1e3

    def most_spent(self) -> float:
        """Returns the most CPU time between two turns of the timer since the last call, in milliseconds."""
        most, self._most_spent = self._most_spent, 0.0
        return most * 1e3


class Kitchen(pb_grpc.KitchenServiceServicer):
    """Streams of the requested length."""

    def __init__(self) -> None:
        self._held = _Held()

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        if request.dish_id == "held":
            return pb.Dish(rating=self._held.longest(), title=str(self._held.most_spent()))
        return dish(BY_ID[request.dish_id]) if request.dish_id in BY_ID else pb.Dish()

    async def Echo(self, request: pb.EchoRequest, context: Any) -> pb.EchoRequest:
        return pb.EchoRequest()

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        for number in range(request.count):
            yield pb.TickResponse(number=number, text="tick")

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        count = 0
        async for _ in request_iterator:
            count += 1
        return pb.TickResponse(number=count)

    async def Converse(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.TickResponse]:
        async for tick in request_iterator:
            yield tick


async def main(engine: str) -> None:
    settings = Settings.model_validate({"http_port": 0, "grpc_port": 0, "grpc_engine": engine})
    gateway = Gateway(settings)
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)  # type: ignore[abstract]  # the rest is UNIMPLEMENTED
    async with gateway:
        announce(http=gateway.http_port, grpc=gateway.grpc_port)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1] if len(sys.argv) > 1 else "builtin"))
