"""Applications for `diptych serve tests.gateway.crowd:…`: a kitchen that can be hung, and one that cannot start."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from diptych import Gateway, Settings
from diptych.http_server import stop
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc
from tests.kitchen import Kitchen

stop.LINGER_SECONDS = 10  # a delayed test must not lose its idle connections


class Crowded(Kitchen):
    """Answers with its process id; on request it hangs or ends the process."""

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        if request.dish_id == "hang":
            threading.Event().wait()  # as a servicer that blocks the loop
        return pb.Dish(id=request.dish_id, title=str(os.getpid()))


def create(settings: Settings) -> Gateway:
    """A gateway with the kitchen behind it."""
    gateway = Gateway(settings)
    kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(Crowded(), gateway)
    return gateway


@asynccontextmanager
async def _unfit(_: Any) -> AsyncIterator[None]:
    if os.path.exists(os.environ["UNFIT"]):  # noqa: ASYNC240, before anybody is served
        raise OSError("the oven is cold")
    yield


def unfit(settings: Settings) -> Gateway:
    """A gateway that does not start while there is a file of the name that UNFIT has."""
    gateway = Gateway(settings, lifespan=_unfit)
    kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(Crowded(), gateway)
    return gateway


def warming(settings: Settings) -> Gateway:
    """A gateway whose check passes a moment after its start, as that of a service that connects to a broker."""
    checks = iter([False] * 5)
    gateway = Gateway(settings, readiness={"oven": lambda: next(checks, True)})
    kitchen_service_pb2_grpc.add_KitchenServiceServicer_to_server(Crowded(), gateway)
    return gateway
