"""A gateway in a process of its own, for tests that send it signals: `python -m tests.gateway.stopping SETTINGS`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen


class Slow(Kitchen):
    """Takes a moment for each dish, so that some are always being made, and counts them."""

    begun = made = 0

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        self.begun += 1
        await asyncio.sleep(0.01)
        self.made += 1
        return pb.Dish(id=request.dish_id)


slow = Slow()


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Tells, when it is left, how many dishes were begun and made."""
    yield
    say(f"{slow.begun} {slow.made}")


def say(word: str) -> None:
    """One line to whoever started this."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve on any ports, telling which, until a signal comes."""
    settings = Settings(**{"http_port": 0, "grpc_port": 0, **json.loads(sys.argv[1])})
    gateway = Gateway(settings, lifespan=lifespan)
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
