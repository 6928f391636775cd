"""The kitchen for `bench.production`: answers name the process that gave them, and each call is recorded.

`BENCH_SEEN` names the file: one line per call with its id and the process, written before the answer.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from google.protobuf import empty_pb2

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

WORK_SECONDS = 0.2
"""How long a call of Wait takes."""


class Kitchen(pb_grpc.KitchenServiceServicer):
    """Answers GetDish at once and Wait slowly."""

    def __init__(self) -> None:
        self._seen = os.open(os.environ.get("BENCH_SEEN", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._pid = str(os.getpid())
        self._now = self._most = 0

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        os.write(self._seen, f"{request.dish_id} {self._pid}\n".encode())
        return pb.Dish(id=request.dish_id, title=self._pid, price_cents=self._most)

    async def Wait(self, request: pb.WaitRequest, context: Any) -> empty_pb2.Empty:
        os.write(self._seen, f"{request.key} {self._pid}\n".encode())
        self._now += 1
        self._most = max(self._most, self._now)
        try:
            await asyncio.sleep(WORK_SECONDS)
        finally:
            self._now -= 1
        return empty_pb2.Empty()

    async def Converse(self, request_iterator: Any, context: Any) -> Any:
        async for tick in request_iterator:
            yield tick


def create(settings: Settings) -> Gateway:
    """Returns the gateway for `diptych serve`."""
    gateway = Gateway(settings)
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)  # type: ignore[abstract]  # the rest is UNIMPLEMENTED
    return gateway
