"""Servers that restart, that are killed, and several behind one target."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from artificer.grpc import RetryPolicy
from artificer_services.cluster.servers import free_port
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve
from tests.waiting import until_told

from .servers import KITCHEN, QUICK, Flaky, both_ways, calling, program

pytestmark = both_ways


async def test_a_restart_on_the_same_port(serve: Serve, way: str) -> None:
    """The channel connects again by itself; a call meanwhile may wait for that."""
    port = free_port()
    async with serve(grpc_port=port) as served, calling(way, port, retry=QUICK) as caller:
        assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
        await served.gateway.stop(0)
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        waiting = asyncio.ensure_future(caller.call("GetDish", pb.GetDishRequest(dish_id="7"), wait_for_ready=True))
        async with serve(grpc_port=port):
            assert (await waiting).id == "7"
            assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"


async def test_a_server_that_is_killed(way: str) -> None:
    """A unary call and a stream fail with UNAVAILABLE; with a new server on the same port the channel goes on."""
    patient = RetryPolicy(attempts=2, initial_backoff=0.01, max_backoff=0.01, methods=[f"{KITCHEN}/GetDish"])
    with program() as (process, port):
        async with calling(way, port, retry=patient) as caller:
            stream = caller.stub.Converse(iter([])) if way == "sync" else caller.stub.Converse()
            call = asyncio.ensure_future(caller.call("Wait", pb.WaitRequest(key="long")))
            ticks = asyncio.ensure_future(caller.stream("Tick", pb.TickRequest(count=5, key="long")))

            await caller.call("Inspect", pb.InspectRequest())
            process.kill()
            for running in (call, ticks):
                with pytest.raises(grpc.RpcError) as caught:
                    await running
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            stream.cancel()
            process.wait()
            with program(port) as (_, again):
                assert again == port
                dish = await caller.call("GetDish", pb.GetDishRequest(dish_id="7"), wait_for_ready=True)
                assert dish.id == "7"


async def test_two_servers_behind_one_target(serve: Serve, way: str) -> None:
    """Both get calls; when one stops, the other gets all of them."""
    kitchens = Flaky(), Flaky()
    async with serve(kitchens[0]) as one, serve(kitchens[1]) as other:
        target = f"ipv4:127.0.0.1:{one.gateway.grpc_port},127.0.0.1:{other.gateway.grpc_port}"
        async with calling(way, target, retry=QUICK) as caller:

            async def ask(**named: Any) -> None:
                for _ in range(4):
                    assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"), **named)).id == "7"

            async def both_get_calls() -> bool:
                await ask()
                return all(kitchen.attempts for kitchen in kitchens)

            await until_told(both_get_calls)
            await one.gateway.stop(0)
            before = [kitchen.attempts for kitchen in kitchens]
            await ask()
            assert [kitchen.attempts for kitchen in kitchens] == [before[0], before[1] + 4]


async def test_a_server_that_is_not_there(way: str) -> None:
    """An unsafe method fails at once too; nothing waits for the time-out."""
    async with calling(way, "127.0.0.1:1") as caller:
        for method, request in (("GetDish", pb.GetDishRequest()), ("CreateDish", pb.CreateDishRequest())):
            with pytest.raises(grpc.RpcError) as caught:
                await caller.call(method, request)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    serve: Serve, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serve() as served, calling(way, served.gateway.grpc_port) as caller:
        assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
