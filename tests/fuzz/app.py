"""The fuzzed gateway: a kitchen sink that records nothing, and a page that reports what the process holds."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import threading
from collections import Counter
from typing import Any

import grpc
from google.protobuf import empty_pb2

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as rpc
from tests.fuzz.judge import MEANT
from tests.kitchen import Kitchen

Context = grpc.aio.ServicerContext[Any, Any]
HELD_PATH = "/fuzz/held"


class Forgetful(Kitchen):
    """Records nothing about its calls, so that any growth is the gateway's; marks its failures as intended."""

    async def ListDishes(self, request: pb.ListDishesRequest, context: Context) -> pb.ListDishesResponse:
        answer = await super().ListDishes(request, context)
        self.lists.clear()
        return answer

    async def UpdateDish(self, request: pb.UpdateDishRequest, context: Context) -> pb.Dish:
        return request.dish

    async def Fail(self, request: pb.FailRequest, context: Context) -> empty_pb2.Empty:
        request.message = f"{MEANT} {request.message}"
        if not 0 <= request.code <= 16:
            request.code = 3
        return await super().Fail(request, context)

    async def Wait(self, request: pb.WaitRequest, context: Context) -> empty_pb2.Empty:
        await asyncio.Event().wait()
        return empty_pb2.Empty()

    async def Tick(self, request: pb.TickRequest, context: Context) -> Any:
        request.key = ""
        try:
            async for answer in super().Tick(request, context):
                yield answer
        finally:
            self.cancelled.clear()


def create(settings: Settings) -> Gateway:
    """Returns a gateway with the kitchen sink and `GET /fuzz/held`."""
    gateway = Gateway(settings, unbound="auto")
    rpc.add_KitchenServiceServicer_to_server(Forgetful(), gateway)
    gateway.app.add_api_route(HELD_PATH, _held, methods=["GET"], include_in_schema=False)
    return gateway


async def _held() -> dict[str, Any]:
    """Returns what the process holds after it has released everything that it can."""
    for _ in range(3):
        gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # memory that the allocator keeps for reuse is not a leak
    kinds = Counter(type(one).__qualname__ for one in gc.get_objects())
    tasks = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())
    return {
        "objects": sum(kinds.values()),
        "kinds": dict(kinds.most_common(400)),
        "tasks": sum(tasks.values()),
        "task_kinds": dict(tasks),
        "threads": threading.active_count(),
    }
