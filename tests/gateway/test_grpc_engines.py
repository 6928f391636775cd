"""What gRPC clients rely on, over every engine, with grpcio's own clients: kinds, metadata, sizes, errors."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.api import httpbody_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served, every_engine_both_ways
from tests.kitchen import Kitchen

pytestmark = [every_engine_both_ways, pytest.mark.asyncio(loop_scope="session")]

MIB = 1024 * 1024
SERVICE = "/kitchen.v1.KitchenService"


async def ticks(*numbers: int) -> AsyncIterator[pb.TickResponse]:
    for number in numbers:
        yield pb.TickResponse(number=number)


def channel_to(served: Served, *options: tuple[str, Any], **more: Any) -> grpc.aio.Channel:
    """Opens a new connection."""
    alone = [("grpc.use_local_subchannel_pool", 1), *options]
    return grpc.aio.insecure_channel(f"127.0.0.1:{served.gateway.grpc_port}", alone, **more)


# The four kinds, by both of grpcio's clients.


async def test_all_four_kinds_asynchronously(shared: Served) -> None:
    assert (await shared.rpc.GetDish(pb.GetDishRequest(dish_id="1"))).id == "1"
    assert [tick.number async for tick in shared.rpc.Tick(pb.TickRequest(count=3))] == [1, 2, 3]
    assert (await shared.rpc.Sum(ticks(1, 2, 3))).number == 6
    assert [tick.number async for tick in shared.rpc.Converse(ticks(4, 5))] == [4, 5]


async def test_all_four_kinds_synchronously(shared: Served) -> None:
    def call() -> list[Any]:
        with grpc.insecure_channel(f"127.0.0.1:{shared.gateway.grpc_port}") as channel:
            stub: Any = pb_grpc.KitchenServiceStub(channel)
            some = [pb.TickResponse(number=number) for number in (1, 2, 3)]
            return [
                stub.GetDish(pb.GetDishRequest(dish_id="1")).id,
                stub.GetSpecial.future(pb.GetDishRequest()).result().id,
                [tick.number for tick in stub.Tick(pb.TickRequest(count=3))],
                stub.Sum(iter(some)).number,
                [tick.number for tick in stub.Converse(iter(some))],
            ]

    assert await asyncio.to_thread(call) == ["1", "special", [1, 2, 3], 6, [1, 2, 3]]


async def test_a_conversation_goes_back_and_forth(shared: Served) -> None:
    async with asyncio.timeout(20):
        call = shared.rpc.Converse()
        for number in range(50):
            await call.write(pb.TickResponse(number=number))
            answer = await call.read()
            assert isinstance(answer, pb.TickResponse)
            assert answer.number == number
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_empty_streams(shared: Served) -> None:
    assert [tick async for tick in shared.rpc.Tick(pb.TickRequest(count=0))] == []
    assert (await shared.rpc.Sum(ticks())).number == 0
    assert [tick async for tick in shared.rpc.Converse(ticks())] == []


async def test_plain_functions_stream_too(serve: Serve) -> None:
    class Plain(Kitchen):
        def Tick(self, request: pb.TickRequest, context: grpc.ServicerContext) -> Iterator[pb.TickResponse]:  # type: ignore[override]
            yield from (pb.TickResponse(number=number) for number in range(request.count))

        def Sum(self, request_iterator: Any, context: grpc.ServicerContext) -> pb.TickResponse:  # type: ignore[override]
            return pb.TickResponse(number=sum(tick.number for tick in request_iterator))

    async with serve(Plain()) as served:
        assert [tick.number async for tick in served.rpc.Tick(pb.TickRequest(count=3))] == [0, 1, 2]
        assert (await served.rpc.Sum(ticks(1, 2))).number == 3


async def test_a_servicer_may_write_and_read_by_its_context(serve: Serve) -> None:
    class Writes(Kitchen):
        async def Tick(self, request: pb.TickRequest, context: Any) -> None:  # type: ignore[override]
            for number in range(request.count):
                await context.write(pb.TickResponse(number=number))

        async def Converse(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]
            while (tick := await context.read()) is not grpc.aio.EOF:
                await context.write(tick)

    async with serve(Writes()) as served:
        assert [tick.number async for tick in served.rpc.Tick(pb.TickRequest(count=3))] == [0, 1, 2]
        assert [tick.number async for tick in served.rpc.Converse(ticks(7, 8))] == [7, 8]


# Metadata.


async def test_metadata_arrives_unchanged(serve: Serve) -> None:
    class Told(Kitchen):
        async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
            self.seen = [tuple(pair) for pair in context.invocation_metadata() if pair[0].startswith("x-")]
            await context.send_initial_metadata((("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\x00\xff,")))
            yield pb.TickResponse(number=1)
            context.set_trailing_metadata((("x-c", "ä".encode()), ("x-d-bin", bytes(range(256)))[:2], ("x-c", "4"))[1:])

    kitchen = Told()
    async with serve(kitchen) as served:
        pairs = (("x-one", "a"), ("x-one", "b"), ("x-raw-bin", b"\0\1\xff"), ("x-raw-bin", b""), ("x-long", "l" * 5000))
        call = served.rpc.Tick(pb.TickRequest(count=1), metadata=pairs)
        assert [tick.number async for tick in call] == [1]
        assert sorted(kitchen.seen) == sorted(pairs)
        initial = [pair for pair in await call.initial_metadata() if pair[0].startswith("x-")]
        assert sorted(map(tuple, initial)) == [("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\x00\xff,")]
        trailing = [pair for pair in await call.trailing_metadata() if pair[0].startswith("x-")]
        assert sorted(map(tuple, trailing)) == [("x-c", "4"), ("x-d-bin", bytes(range(256)))]


async def test_initial_metadata_is_sent_before_the_first_message(serve: Serve) -> None:
    class Announces(Kitchen):
        async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
            await context.send_initial_metadata((("x-first", "1"),))
            await self.released["k"].wait()
            yield pb.TickResponse(number=1)

    kitchen = Announces()
    async with serve(kitchen) as served, asyncio.timeout(20):
        call = served.rpc.Tick(pb.TickRequest(count=1))
        assert ("x-first", "1") in [tuple(pair) for pair in await call.initial_metadata()]
        kitchen.released["k"].set()
        assert [tick.number async for tick in call] == [1]


async def test_trailing_metadata_and_details_come_with_a_failure(shared: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await shared.rpc.Fail(pb.FailRequest(code=5, message="no söup\n"))
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.NOT_FOUND, "no söup\n")
    assert ("x-kitchen", "closed") in [tuple(pair) for pair in failed.value.trailing_metadata()]
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await shared.rpc.Fail(pb.FailRequest(code=9, message="burnt", how="status"))
    rich = rpc_status.from_call(failed.value)  # type: ignore[arg-type]
    assert rich is not None
    info = error_details_pb2.ErrorInfo()
    assert rich.details[0].Unpack(info)
    assert (rich.code, rich.message, info.reason) == (9, "burnt", "BURNT")


async def test_a_stream_that_fails_keeps_its_messages(shared: Served) -> None:
    call = shared.rpc.Tick(pb.TickRequest(count=9, fail_after=3))
    for number in (1, 2, 3):
        tick = await call.read()
        assert isinstance(tick, pb.TickResponse)
        assert tick.number == number
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call.read()
    assert failed.value.code() is grpc.StatusCode.DATA_LOSS
    assert failed.value.details() == "the clock fell down"


# Sizes.


@pytest.mark.parametrize("size", [0, 1, 16_383, 65_535, 65_536, 5 * MIB])
async def test_messages_of_any_size_go_both_ways(shared: Served, size: int) -> None:
    async with channel_to(shared, ("grpc.max_receive_message_length", -1)) as channel, asyncio.timeout(30):
        stub = pb_grpc.KitchenServiceStub(channel)
        body = httpbody_pb2.HttpBody(content_type="a/b", data=bytes(size))
        assert await stub.MirrorBody(body) == body
        assert [len(piece.data) async for piece in stub.Relay(iter([body, body]))] == [size, size]


async def test_the_limit_holds_for_every_kind(serve: Serve) -> None:
    limits = {f"{SERVICE}/UploadBlob": 100, f"{SERVICE}/Collect": 2000}
    async with serve(max_body_bytes=1000, method_max_body_bytes=limits) as served:
        body = httpbody_pb2.HttpBody
        assert (await served.rpc.MirrorBody(body(data=bytes(990)))).data == bytes(990)
        assert (await served.rpc.Collect(iter([body(data=bytes(1990))] * 3))).size == 3 * 1990
        for call in (
            served.rpc.MirrorBody(body(data=bytes(1001))),
            served.rpc.UploadBlob(pb.UploadBlobRequest(data=bytes(101))),
            served.rpc.Collect(iter([body(data=b"x"), body(data=bytes(2001))])),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call
            assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            _ = [piece async for piece in served.rpc.Relay(iter([body(data=bytes(1001))]))]
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_garbage_is_the_clients_error(shared: Served) -> None:
    channel: Any = shared.channel
    for call in (
        channel.unary_unary(f"{SERVICE}/GetDish")(b"\xff\xff"),
        channel.stream_unary(f"{SERVICE}/Sum")(iter([b"", b"\xff\xff"])),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    for stream in (
        channel.unary_stream(f"{SERVICE}/Tick")(b"\xff\xff"),
        channel.stream_stream(f"{SERVICE}/Converse")(iter([b"\xff\xff"])),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            _ = [message async for message in stream]
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["/kitchen.v1.KitchenService/Nowhere", "/no.Service/Method", "/x", "/a/b/c"])
@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
async def test_an_unknown_method_is_unimplemented(shared: Served, method: str, kind: str) -> None:
    # A streaming client writes nothing here: grpc.aio reports a refusal that overtakes its message as its own error,
    # INTERNAL, with every server.
    call: Any = getattr(shared.channel, kind)(method)(*[b""] * kind.startswith("unary"))
    assert (await call.code(), await call.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def test_a_client_may_compress(shared: Served) -> None:
    data = b"soup" * 100_000
    async with channel_to(shared, compression=grpc.Compression.Gzip) as channel:
        stub = pb_grpc.KitchenServiceStub(channel)
        assert (await stub.MirrorBody(httpbody_pb2.HttpBody(data=data))).data == data
        pieces = [httpbody_pb2.HttpBody(data=data)] * 3
        assert (await stub.Collect(iter(pieces))).sha256 == hashlib.sha256(data * 3).hexdigest()


async def test_the_limit_counts_decompressed_bytes(serve: Serve) -> None:
    async with (
        serve(max_body_bytes=10_000) as served,
        channel_to(served, compression=grpc.Compression.Gzip) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await pb_grpc.KitchenServiceStub(channel).MirrorBody(httpbody_pb2.HttpBody(data=bytes(1_000_000)))
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# Interceptors.


class Sees(grpc.aio.ServerInterceptor):
    """Notes the call details."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        pairs = handler_call_details.invocation_metadata
        own = [(pair.key, pair.value) for pair in pairs if pair.key.startswith("x-")]
        handler = await continuation(handler_call_details)
        self.seen.append((handler_call_details.method, own))
        return handler


async def test_interceptors_see_the_same_details(serve: Serve) -> None:
    sees = Sees()
    async with serve(interceptors=[sees]) as served:
        pairs = (("x-asked", "yes"), ("x-raw-bin", b"\0\xff"))
        await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"), metadata=pairs)
        _ = [tick async for tick in served.rpc.Tick(pb.TickRequest(count=1), metadata=pairs)]
        await served.rpc.Sum(ticks(1), metadata=pairs)
        _ = [tick async for tick in served.rpc.Converse(ticks(1), metadata=pairs)]
        unknown: Any = served.channel.unary_unary("/no.Service/Method")
        with pytest.raises(grpc.aio.AioRpcError):
            await unknown(b"", metadata=pairs)
    called = [f"{SERVICE}/{name}" for name in ("GetDish", "Tick", "Sum", "Converse")]
    assert sees.seen == [(path, list(pairs)) for path in [*called, "/no.Service/Method"]]
