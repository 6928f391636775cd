"""Hedged calls: which are sent twice, to which connections, and which answer counts."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from artificer.grpc import HedgingPolicy
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve
from tests.kitchen import Context

from .servers import KITCHEN, Flaky, both_ways, calling

SOON = HedgingPolicy(delay=0.05, methods=[f"{KITCHEN}/{method}" for method in ("GetDish", "Wait")])
LATER = HedgingPolicy(delay=60, methods=SOON.methods)


class Slow(Flaky):
    """Answers the first attempt only when the second has come, and tells which one was cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[str] = []
        self.second = asyncio.Event()
        self.lost = asyncio.Event()

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        self.peers.append(context.peer())
        if len(self.peers) > 1:
            self.second.set()
            return pb.Dish(id="second")
        try:
            await self.second.wait()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.lost.set()
            raise
        return pb.Dish(id="first")


@both_ways
async def test_a_slow_call_is_sent_to_another_connection_too(serve: Serve, way: str) -> None:
    kitchen = Slow()
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, hedging=SOON) as caller:
        assert (await caller.call("GetDish", pb.GetDishRequest())).id == "second"
        await kitchen.lost.wait()  # the other attempt is cancelled
        assert len(set(kitchen.peers)) == 2


@both_ways
async def test_a_fast_call_is_sent_once(serve: Serve, way: str) -> None:
    kitchen = Flaky()
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, hedging=LATER) as caller:
        assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("GetDish", pb.GetDishRequest(dish_id="missing"))
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such dish")
    assert kitchen.attempts == 2


@both_ways
async def test_an_attempt_that_fails_is_followed_at_once(serve: Serve, way: str) -> None:
    kitchen = Flaky((grpc.StatusCode.UNAVAILABLE, ()))
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, hedging=LATER) as caller:
        assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
        kitchen.failures = [(grpc.StatusCode.UNAVAILABLE, ())] * 2
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert kitchen.attempts == 4


@both_ways
async def test_other_methods_are_not_hedged(serve: Serve, way: str) -> None:
    kitchen = Flaky((grpc.StatusCode.UNAVAILABLE, ()))
    async with serve(kitchen) as served, calling(way, served.gateway.grpc_port, hedging=SOON) as caller:
        with pytest.raises(grpc.RpcError):
            await caller.call("CreateDish", pb.CreateDishRequest())
        assert (await caller.call("Sum", iter([pb.TickResponse(number=4)]))).number == 4
    assert kitchen.attempts == 1


async def test_a_hedged_call_of_asyncio_is_one_of_grpc_aio(serve: Serve) -> None:
    async with serve() as served, calling("asyncio", served.gateway.grpc_port, hedging=SOON) as caller:
        call: Any = caller.stub.GetDish(pb.GetDishRequest(dish_id="7"))
        assert not call.done()
        await call.wait_for_connection()
        assert await call.code() is grpc.StatusCode.OK
        assert "date" in await call.initial_metadata()
        assert not [*await call.trailing_metadata()]
        assert (await call.details(), (await call).id) == ("", "7")
        assert call.done()
        waiting = caller.stub.Wait(pb.WaitRequest(key="long"))
        await served.kitchen.waiting["long"].wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await waiting.code() is grpc.StatusCode.CANCELLED
        await served.kitchen.cancelled["long"].wait()


@pytest.mark.parametrize("wrong", [{"delay": -1}, {"delay": 1, "attempts": 1}, {"delay": 1, "attempts": 6}])
def test_a_policy_that_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"delay|attempts"):
        HedgingPolicy(**wrong)
