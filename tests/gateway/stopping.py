"""A gateway in a separate process, for tests that send it signals: `python -m tests.gateway.stopping SETTINGS MOST`.

MOST is how many dishes are always being made; none where it is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from google.protobuf import empty_pb2

from diptych import Gateway, Settings
from diptych.http_server import stop
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen


class Slow(Kitchen):
    """Keeps that many dishes in progress until the stop begins, and counts them."""

    begun = made = 0

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most, self._stopping = most, False
        self._waiting: deque[asyncio.Event] = deque()

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        self.begun += 1
        done = asyncio.Event()
        self._waiting.append(done)
        self._let_go(0 if self._stopping else self._most)
        await done.wait()
        self.made += 1
        return pb.Dish(id=request.dish_id)

    async def Wait(self, request: pb.WaitRequest, context: Any) -> empty_pb2.Empty:
        say("waiting")
        return await super().Wait(request, context)

    def stop(self) -> None:
        """Finishes every dish, since the stop has begun."""
        self._stopping = True
        self._let_go(0)

    def _let_go(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().set()


def say(word: str) -> None:
    """Writes one line for the parent process."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Serves on any ports, writes them to standard output, and stops on a signal."""
    stop.LINGER_SECONDS = 30  # a delayed test must not lose its idle connections
    settings = Settings(**{"http_port": 0, "grpc_port": 0, "allowed_hosts": ["*"], **json.loads(sys.argv[1])})
    slow = Slow(int(sys.argv[2]) if sys.argv[2:] else 0)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        say(f"{slow.begun} {slow.made}")  # dishes

    gateway = Gateway(settings, lifespan=lifespan, on_stop=[slow.stop])
    pb_grpc.add_KitchenServiceServicer_to_server(slow, gateway)
    started = gateway.start

    async def start() -> None:
        await started()
        say(f"{gateway.http_port} {gateway.grpc_port}")

    gateway.start = start  # type: ignore[method-assign]
    gateway.run()
    say("returned")


if __name__ == "__main__":
    main()
