"""The health of a server: asked, watched, waited for, and obeyed by the balancing of calls."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
import pytest

from artificer.grpc import HealthStatus
from artificer_services.cluster.servers import free_port
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.waiting import until_told

from .servers import KITCHEN, Flaky, both_ways, calling

pytestmark = both_ways
SERVING, NOT_SERVING, UNKNOWN = HealthStatus.SERVING, HealthStatus.NOT_SERVING, HealthStatus.UNKNOWN


class Oven:
    """A readiness check that a test switches."""

    def __init__(self) -> None:
        self.hot = True

    async def __call__(self) -> bool:
        if not self.hot:
            raise RuntimeError("the oven is cold")
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a gateway that depends on this oven."""
        return {
            "gateway": {"readiness": {"oven": self}},
            "readiness": {"keep_seconds": 0, "watch_seconds": 0.05, "gating": ["*"]},
        }


async def test_a_check(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        assert await caller.do(caller.channel.health.check) is SERVING
        assert await caller.do(caller.channel.health.check, KITCHEN) is SERVING
        with pytest.raises(grpc.RpcError) as caught:
            await caller.do(caller.channel.health.check, "no.such.Service")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_watch_sees_the_changes_of_a_service(serve: Serve, way: str) -> None:
    """A restart on the same port is UNKNOWN in between, and the watch goes on."""
    port = free_port()
    async with (
        serve(grpc_port=port) as served,
        calling(way, port) as caller,
        aclosing(caller.statuses(KITCHEN)) as statuses,
    ):
        assert await anext(statuses) is SERVING
        await served.gateway.stop(0)
        seen = [await anext(statuses)]
        while seen[-1] is not UNKNOWN:
            seen.append(await anext(statuses))
        assert set(seen) <= {NOT_SERVING, UNKNOWN}
        async with serve(grpc_port=port):
            while await anext(statuses) is not SERVING:
                pass


async def test_a_service_that_the_server_does_not_know_yet(served: Served, way: str) -> None:
    async with (
        calling(way, served.gateway.grpc_port) as caller,
        aclosing(caller.statuses("no.such.Service")) as statuses,
    ):
        assert await anext(statuses) is HealthStatus.SERVICE_UNKNOWN


async def test_waiting_for_a_server_that_starts_later(serve: Serve, way: str) -> None:
    port = free_port()
    async with calling(way, port) as caller:
        waiting = asyncio.ensure_future(caller.do(caller.channel.wait_until_serving, KITCHEN))
        async with serve(grpc_port=port):
            await waiting
            assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"


async def test_waiting_ends_with_its_time_out(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        for seconds in (0.3, 3, 30):
            begun = time.monotonic()
            with pytest.raises(TimeoutError, match=r"'no.such.Service' at 127.0.0.1:\d+ ") as ended:
                await caller.do(caller.channel.wait_until_serving, "no.such.Service", seconds)
            assert time.monotonic() - begun >= seconds
            if "SERVICE_UNKNOWN" in str(ended.value):
                break  # else the time was over before the server's first answer
        else:
            pytest.fail(str(ended.value))
    async with calling(way, "127.0.0.1:1") as caller:
        with pytest.raises(TimeoutError, match=r"the server at .* UNKNOWN"):
            await caller.do(caller.channel.wait_until_serving, timeout=0.3)


async def test_waiting_ends_when_the_channel_is_closed(way: str) -> None:
    async with calling(way, "127.0.0.1:1") as caller:
        waiting = asyncio.ensure_future(caller.do(caller.channel.wait_until_serving))
        await asyncio.sleep(0)
        await caller.do(caller.channel.close)
        with pytest.raises((ValueError, asyncio.CancelledError)):
            await waiting


async def test_a_server_without_health_is_taken_for_a_healthy_one(way: str) -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with calling(way, port) as caller:
            await caller.do(caller.channel.wait_until_serving, timeout=30)
            with pytest.raises(grpc.RpcError) as caught:
                await caller.do(caller.channel.health.check)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await server.stop(None)


async def test_a_watch_sees_the_readiness_of_a_gateway(serve: Serve, way: str) -> None:
    oven = Oven()
    async with (
        serve(**oven.settings) as served,
        calling(way, served.gateway.grpc_port) as caller,
        aclosing(caller.statuses()) as statuses,
    ):
        for hot in (True, False, True):
            oven.hot = hot
            while await anext(statuses) is not (SERVING if hot else NOT_SERVING):
                pass


async def test_calls_avoid_a_server_that_is_not_serving(serve: Serve, way: str) -> None:
    ovens, kitchens = (Oven(), Oven()), (Flaky(), Flaky())
    async with (
        serve(kitchens[0], **ovens[0].settings) as one,
        serve(kitchens[1], **ovens[1].settings) as other,
        calling(
            way, f"ipv4:127.0.0.1:{one.gateway.grpc_port},127.0.0.1:{other.gateway.grpc_port}", health_service=""
        ) as caller,
    ):

        async def used() -> list[bool]:
            """Which of the servers get calls."""
            before = [kitchen.attempts for kitchen in kitchens]
            for _ in range(4):
                await caller.call("GetDish", pb.GetDishRequest(), wait_for_ready=True)
            return [kitchen.attempts > count for kitchen, count in zip(kitchens, before, strict=True)]

        for hot in ([True, True], [False, True], [True, False], [True, True]):
            ovens[0].hot, ovens[1].hot = hot

            async def as_expected(hot: list[bool] = hot) -> bool:
                return await used() == hot

            await until_told(as_expected)


async def test_no_server_that_serves(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port, health_service="no.such.Service") as caller:
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("GetDish", pb.GetDishRequest())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
