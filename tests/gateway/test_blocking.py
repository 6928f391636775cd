"""The log names a servicer that blocks the event loop, and no other."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import AsyncMock

import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen

PATH = "/kitchen.v1.KitchenService"


class Told(logging.Handler):
    """Collects warnings, and wakes those who wait for the next."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.said = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "blocks the event loop" in record.getMessage():
            self.lines.append(record.getMessage())
            self.said.set()


@contextmanager
def told() -> Iterator[Told]:
    handler, logger = Told(), logging.getLogger("diptych")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def outer(*arguments: Any) -> Any:
        return await function(*arguments)

    return outer


class Blocking(Kitchen):
    """Blocks until the log has said so."""

    def __init__(self, log: Told) -> None:
        super().__init__()
        self.log = log

    @decorated
    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        await self._work()
        return pb.Dish(id=request.dish_id)

    async def _work(self) -> None:
        assert self.log.said.wait(20)

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        await self._work()
        yield pb.TickResponse()

    def CookDish(self, request: pb.CookDishRequest, context: Any) -> pb.CookDishResponse:  # type: ignore[override]
        assert not self.log.said.wait(0.3)
        return pb.CookDishResponse()


@every_engine
async def test_the_method_that_blocks_is_named_once(serve: Serve, engine: str) -> None:
    with told() as log:
        async with serve(Blocking(log), blocking_seconds=0.1) as served:
            for _ in range(2):  # the second does not wait
                await served.rpc.GetDish(pb.GetDishRequest(dish_id="7"))
            assert len(log.lines) == 1
            assert log.lines[0].startswith(f"{PATH}/GetDish blocks the event loop, and with it every other call, at ")
            assert "threading.py" in log.lines[0]
            log.said.clear()
            assert [tick async for tick in served.rpc.Tick(pb.TickRequest(count=1))]
            assert log.lines[1].startswith(f"{PATH}/Tick blocks")


@pytest.mark.parametrize("way", ["whole", "asgi"], indirect=True)
async def test_a_call_over_rest_is_named_too(serve: Serve) -> None:
    with told() as log:
        async with serve(Blocking(log), blocking_seconds=0.1) as served:
            assert (await served.http.get("/v1/dishes/7")).json()["id"] == "7"
        assert log.lines[0].startswith(f"{PATH}/GetDish blocks")


async def test_a_plain_def_and_a_waiting_servicer_block_nothing(serve: Serve) -> None:
    class Waiting(Blocking):
        async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
            async with asyncio.timeout(20):
                await asyncio.to_thread(self.log.said.wait, 0.3)
            return pb.Dish()

    with told() as log:
        async with serve(Waiting(log), blocking_seconds=0.1) as served:
            assert (await served.http.post("/v1/dishes/7:cook", json={})).status_code == 200
            assert (await served.http.get("/v1/dishes/7")).status_code == 200
        assert log.lines == []


async def test_a_mock_may_be_a_servicer(serve: Serve) -> None:
    """A mock has every attribute that is asked for."""
    kitchen = Kitchen()
    kitchen.GetDish = AsyncMock(return_value=pb.Dish(id="9"))  # type: ignore[method-assign]
    async with serve(kitchen) as served:
        assert (await served.http.get("/v1/dishes/7")).json()["id"] == "9"


async def test_the_watch_ends_with_the_gateway_and_may_be_off(serve: Serve) -> None:
    before = set(threading.enumerate())

    def watching() -> list[threading.Thread]:
        return [
            thread for thread in threading.enumerate() if thread.name == "diptych-blocking" and thread not in before
        ]

    async with serve():
        [watch] = watching()
    watch.join(10)
    assert not watch.is_alive()
    async with serve(blocking_seconds=0):
        assert watching() == []
