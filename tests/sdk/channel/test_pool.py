"""How many connections a channel opens, and how calls are divided among them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from artificer.grpc import AsyncChannel, Channel, ChannelOptions
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served
from tests.waiting import until_here

from .servers import both_ways, calling

STREAMS = 300


async def test_300_streams_at_once_with_a_server_that_allows_100_a_connection(serve: Serve) -> None:
    async with (
        serve(http2_max_streams=100) as served,
        AsyncChannel(f"127.0.0.1:{served.gateway.grpc_port}") as channel,
    ):
        stub: Any = pb_grpc.KitchenServiceStub(channel)
        calls = [stub.Converse() for _ in range(STREAMS)]
        for call in calls:
            await call.write(pb.TickResponse(number=1))
        assert [(await call.read()).number for call in calls] == [1] * STREAMS  # all of them run
        assert channel.connections == 3
        for call in calls:
            await call.done_writing()
            assert not await call.read()


async def test_300_streams_at_once_with_blocking_calls(serve: Serve) -> None:
    def check(port: int) -> None:
        with Channel(f"127.0.0.1:{port}") as channel:
            stub = pb_grpc.KitchenServiceStub(channel)
            calls: list[Iterator[pb.TickResponse]] = [
                stub.Tick(pb.TickRequest(count=1, key=str(number))) for number in range(STREAMS)
            ]
            assert channel.connections == 3
            begun.wait()
            for call in calls:
                assert next(call).number == 1
            assert [[*call] for call in calls] == [[]] * STREAMS

    begun = threading.Event()
    async with serve(http2_max_streams=100) as served:
        checking = asyncio.ensure_future(asyncio.to_thread(check, served.gateway.grpc_port))
        for number in range(STREAMS):  # all of them run
            await served.kitchen.waiting[str(number)].wait()
        for number in range(STREAMS):
            served.kitchen.steps[str(number)].release()
        begun.set()
        await checking


@both_ways
async def test_one_connection_serves_few_calls(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        assert caller.channel.connections == 0
        for _ in range(5):
            await caller.call("GetDish", pb.GetDishRequest())
            await caller.stream("Tick", pb.TickRequest(count=1))
        assert caller.channel.connections == 1


@both_ways
async def test_calls_go_to_the_least_busy_connection(served: Served, way: str) -> None:
    """Every way in which a call ends gives its place back; otherwise a further connection would be opened."""
    async with calling(way, served.gateway.grpc_port, streams_per_connection=1, max_connections=2) as caller:
        waits = [asyncio.ensure_future(caller.call("Wait", pb.WaitRequest(key=f"{way}{n}"))) for n in range(2)]
        for number in range(2):
            await served.kitchen.waiting[f"{way}{number}"].wait()
        assert caller.channel.connections == 2
        peer = (await caller.call("Inspect", pb.InspectRequest())).peer  # both are full, so one of them has two
        served.kitchen.released[f"{way}0"].set()
        await waits[0]
        peers = {(await caller.call("Inspect", pb.InspectRequest())).peer for _ in range(4)}
        assert len(peers) == 1  # the idle one
        served.kitchen.released[f"{way}1"].set()
        await waits[1]
        assert peer.startswith("ipv4:127.0.0.1:")


@both_ways
async def test_every_end_of_a_call_gives_its_place_back(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port, streams_per_connection=1) as caller:
        await caller.call("GetDish", pb.GetDishRequest())
        failing: tuple[tuple[str, Any], ...] = (
            ("GetDish", pb.GetDishRequest(dish_id="missing")),
            ("Wait", pb.WaitRequest(key="never")),
        )
        for method, request in failing:
            with pytest.raises(Exception, match=r"NOT_FOUND|DEADLINE_EXCEEDED"):
                await caller.call(method, request, timeout=0.2 if method == "Wait" else None)
        with pytest.raises(Exception, match="DATA_LOSS"):
            await caller.stream("Tick", pb.TickRequest(count=3, fail_after=1))
        call = caller.stub.Tick(pb.TickRequest(count=3, key="ticking"))
        call.cancel()
        if way == "sync":  # grpc.aio goes on with calls to which nothing refers
            abandoned = caller.stub.Tick(pb.TickRequest(count=3, key="ticking"))
            del abandoned
        await until_here(lambda: _busy(caller.channel) == 0)


def _busy(channel: Any) -> int:
    return sum(connection.calls for connection in channel._pool._connections)


@both_ways
async def test_a_channel_that_was_never_used_closes(way: str) -> None:
    async with calling(way, "127.0.0.1:1") as caller:
        assert caller.channel.connections == 0


async def test_a_channel_opens_outside_an_event_loop() -> None:
    def opened() -> AsyncChannel:
        return AsyncChannel("127.0.0.1:1", ChannelOptions())

    channel = await asyncio.to_thread(opened)
    await channel.close()
    assert channel.closed


def test_closing_twice() -> None:
    with closing(Channel("127.0.0.1:1")) as channel:
        channel.close()
