"""Calls of every kind through generated stubs, and what a channel adds to them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import empty_pb2
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from artificer.grpc import Channel, ChannelOptions
from artificer_services.cluster.servers import free_port
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served
from tests.kitchen import Context, Kitchen
from tests.waiting import until_here

from .servers import both_ways, calling, ticks

pytestmark = both_ways


async def test_all_four_kinds_of_methods(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        assert (await caller.call("GetDish", pb.GetDishRequest(dish_id="7"))).id == "7"
        assert len(await caller.stream("Tick", pb.TickRequest(count=3))) == 3
        assert (await caller.call("Sum", ticks(1, 2, 3))).number == 6
        assert [tick.number for tick in await caller.stream("Converse", ticks(1, 2))] == [1, 2]


async def test_it_is_a_channel_of_grpcio(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        assert isinstance(caller.channel, grpc.Channel if way == "sync" else grpc.aio.Channel)


async def test_a_failed_call_has_its_status(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("GetDish", pb.GetDishRequest(dish_id="missing"))
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such dish")
        with pytest.raises(grpc.RpcError) as caught:
            await caller.stream("Tick", pb.TickRequest(count=3, fail_after=2))
        assert caught.value.code() is grpc.StatusCode.DATA_LOSS


async def test_metadata_of_every_call_unless_a_call_has_its_own(served: Served, way: str) -> None:
    async with calling(
        way, served.gateway.grpc_port, metadata=[("X-Tenant", "blue"), ("x-raw-bin", b"\x00")]
    ) as caller:
        seen = (await caller.call("Inspect", pb.InspectRequest())).metadata
        assert (seen["x-tenant"], seen["x-raw-bin"]) == ("blue", "AA==")
        seen = (
            await caller.call("Inspect", pb.InspectRequest(), metadata=(("x-tenant", "red"), ("x-a", "b")))
        ).metadata
        assert (seen["x-tenant"], seen["x-raw-bin"], seen["x-a"]) == ("red", "AA==", "b")


async def test_the_user_agent_names_the_application_and_this_client(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port, user_agent="shop/1.2") as caller:
        agent = (await caller.call("Inspect", pb.InspectRequest())).metadata["user-agent"]
    assert agent.startswith("shop/1.2 artificer-python/0.")
    assert "grpc-python" in agent


async def test_messages_larger_than_grpcs_4_mib(serve: Serve, way: str) -> None:
    async with serve(max_body_bytes=32 * 1024 * 1024) as served, calling(way, served.gateway.grpc_port) as caller:
        dish = pb.Dish(title="x" * 12_000_000)
        assert await caller.call("ReplaceDish", dish) == dish


async def test_a_smaller_limit_of_messages(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port, max_receive_bytes=1000) as caller:
        with pytest.raises(grpc.RpcError) as caught:
            await caller.call("ReplaceDish", pb.Dish(title="x" * 2000))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


class Clock(Kitchen):
    """Answers how long a stream may take."""

    async def Tick(self, request: pb.TickRequest, context: Context) -> Any:
        left = context.time_remaining()
        yield pb.TickResponse(text="none" if left is None else f"{left:.0f}")


@pytest.mark.parametrize(
    ("options", "named", "expected"),
    [({}, {}, 60), ({"timeout": 7.0}, {}, 7), ({"timeout": 7.0}, {"timeout": 90}, 90), ({"timeout": None}, {}, 0)],
    ids=("default", "option", "call", "never"),
)
async def test_calls_with_one_response_have_a_time_out(
    served: Served, way: str, options: Any, named: Any, expected: int
) -> None:
    async with calling(way, served.gateway.grpc_port, **options) as caller:
        left = (await caller.call("Inspect", pb.InspectRequest(), **named)).seconds_left
    assert expected / 2 <= left <= expected * 1.1  # grpcio rounds up what it sends, by a clock that may be late


async def test_streams_have_no_time_out_unless_a_call_sets_one(serve: Serve, way: str) -> None:
    async with serve(Clock()) as served, calling(way, served.gateway.grpc_port, timeout=5.0) as caller:
        assert [one.text for one in await caller.stream("Tick", pb.TickRequest())] == ["none"]
        assert [one.text for one in await caller.stream("Tick", pb.TickRequest(), timeout=40)] != ["none"]


async def test_a_call_that_takes_too_long_ends(served: Served, way: str) -> None:
    for seconds in (0.2, 2.0, 20.0):
        key = f"{way} {seconds}"
        async with calling(way, served.gateway.grpc_port, timeout=seconds) as caller:
            with pytest.raises(grpc.RpcError) as caught:
                await caller.call("Wait", pb.WaitRequest(key=key))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if served.kitchen.waiting[key].is_set():
            break  # else the time was over before the call had reached the servicer
    else:
        pytest.fail("the call never reached the servicer")
    await served.kitchen.cancelled[key].wait()


async def test_the_trace_of_the_application_goes_on(served: Served, way: str) -> None:
    tracer = TracerProvider().get_tracer("tests")
    async with calling(way, served.gateway.grpc_port) as caller:
        with tracer.start_as_current_span("outer") as span:
            seen = (await caller.call("Inspect", pb.InspectRequest())).metadata
            assert seen["traceparent"].split("-")[1] == f"{span.get_span_context().trace_id:032x}"
            given = (await caller.call("Inspect", pb.InspectRequest(), metadata=(("traceparent", "00-1"),))).metadata
            assert given["traceparent"] == "00-1"
        assert trace.get_current_span().get_span_context().trace_id == 0
        assert "traceparent" not in (await caller.call("Inspect", pb.InspectRequest())).metadata


async def test_an_application_without_tracing(served: Served, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    async with calling(way, served.gateway.grpc_port) as caller:
        assert (await caller.call("GetSpecial", empty_pb2.Empty())).id == "special"


async def test_a_call_waits_for_a_server_that_is_told_to(serve: Serve, way: str) -> None:
    port = free_port()
    async with calling(way, port, wait_for_ready=True) as caller:
        call = asyncio.ensure_future(caller.call("GetDish", pb.GetDishRequest(dish_id="7")))
        async with serve(grpc_port=port):
            assert (await call).id == "7"


async def test_closing_lets_calls_end_within_the_grace(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        call = asyncio.ensure_future(caller.call("Wait", pb.WaitRequest(key=way)))
        await served.kitchen.waiting[way].wait()
        closing = asyncio.ensure_future(caller.do(caller.channel.close, 30.0))
        await until_here(lambda: caller.channel.closed)
        with pytest.raises(ValueError, match="the channel is closed"):
            await caller.call("GetDish", pb.GetDishRequest())
        served.kitchen.released[way].set()
        await call
        await closing


async def test_closing_cancels_calls_after_the_grace(served: Served, way: str) -> None:
    async with calling(way, served.gateway.grpc_port) as caller:
        call = asyncio.ensure_future(caller.call("Wait", pb.WaitRequest(key=way)))
        await served.kitchen.waiting[way].wait()
        await caller.do(caller.channel.close, 0.1)
        with pytest.raises((grpc.RpcError, asyncio.CancelledError)):
            await call
        await served.kitchen.cancelled[way].wait()
        await caller.do(caller.channel.close)


async def test_calls_that_return_a_future_or_the_call(served: Served, way: str) -> None:
    def check() -> None:
        with Channel(f"127.0.0.1:{served.gateway.grpc_port}", ChannelOptions()) as channel:
            stub = pb_grpc.KitchenServiceStub(channel)
            dish, call = stub.GetDish.with_call(pb.GetDishRequest(dish_id="7"))
            assert (dish.id, call.code()) == ("7", grpc.StatusCode.OK)
            assert stub.GetDish.future(pb.GetDishRequest(dish_id="8")).result().id == "8"
            assert stub.Sum.future(iter([pb.TickResponse(number=4)])).result().number == 4
            assert stub.Sum.with_call(iter([pb.TickResponse(number=4)]))[0].number == 4

    if way == "sync":
        await asyncio.to_thread(check)
        return
    async with calling(way, served.gateway.grpc_port) as caller:
        call = caller.stub.GetDish(pb.GetDishRequest(dish_id="7"))
        assert (await call).id == "7"
        assert await call.code() is grpc.StatusCode.OK
        sum_ = caller.stub.Sum()
        await sum_.write(pb.TickResponse(number=4))
        await sum_.done_writing()
        assert (await sum_).number == 4


class Named(grpc.UnaryUnaryClientInterceptor):
    """An interceptor of an application."""

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details, pb.GetDishRequest(dish_id=f"{request.dish_id}, intercepted"))


class NamedAsync(grpc.aio.UnaryUnaryClientInterceptor):
    """The same for asyncio."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, pb.GetDishRequest(dish_id=f"{request.dish_id}, intercepted"))


async def test_interceptors_of_the_application(served: Served, way: str) -> None:
    interceptors = [] if way == "sync" else [NamedAsync()]
    async with calling(way, served.gateway.grpc_port, interceptors=interceptors) as caller:
        stub = caller.stub
        if way == "sync":
            stub = pb_grpc.KitchenServiceStub(grpc.intercept_channel(caller.channel, Named()))
        call = stub.GetDish
        request = pb.GetDishRequest(dish_id="7")
        dish = await (asyncio.to_thread(call, request) if way == "sync" else call(request))
        assert dish.id == "7, intercepted"
