"""Time and flow over every engine: deadlines, cancellation, slow readers, many streams, keepalive, TLS."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.api import httpbody_pb2
from google.protobuf import empty_pb2

from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served, every_engine_both_ways
from tests.gateway.test_grpc_engines import channel_to
from tests.kitchen import Kitchen
from tests.waiting import until_told

pytestmark = every_engine_both_ways

KINDS = ["Wait", "Tick", "Sum", "Converse"]
ASKED: dict[str, tuple[Any]] = {"Wait": (pb.WaitRequest(key="k"),), "Tick": (pb.TickRequest(count=2),)}


class Endless(Kitchen):
    """Waits in each kind of call until it is cancelled, and notes its context's state."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[str, Any] = {}

    async def _hold(self, key: str, context: Any) -> None:
        self.left[key] = context.time_remaining()
        self.waiting[key].set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled[key].set()
            raise

    async def Wait(self, request: pb.WaitRequest, context: Any) -> empty_pb2.Empty:
        await self._hold("Wait", context)
        return empty_pb2.Empty()

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        yield pb.TickResponse(number=1)
        await self._hold("Tick", context)

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        await self._hold("Sum", context)
        return pb.TickResponse()

    async def Converse(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.TickResponse]:
        await self._hold("Converse", context)
        async for tick in request_iterator:
            yield tick


async def once() -> AsyncIterator[pb.TickResponse]:
    """Yields one message, and then nothing until the call ends."""
    yield pb.TickResponse(number=1)
    await asyncio.Event().wait()


def begin(stub: Any, kind: str) -> Any:
    """Begins a call of that kind, which has sent a message."""
    return getattr(stub, kind)(*ASKED.get(kind, (once(),)))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancellation_reaches_the_servicer(serve: Serve, kind: str) -> None:
    kitchen = Endless()
    async with serve(kitchen) as served, asyncio.timeout(20):
        call = begin(served.rpc, kind)
        code = asyncio.ensure_future(call.code())
        await kitchen.waiting[kind].wait()
        call.cancel()
        await kitchen.cancelled[kind].wait()
        assert await code is grpc.StatusCode.CANCELLED
        assert kitchen.left[kind] is None


@pytest.mark.parametrize("kind", ["Sum", "Converse"])
async def test_a_cancellation_reaches_a_servicer_that_has_not_read_its_requests(serve: Serve, kind: str) -> None:
    sent = asyncio.Event()

    async def one_message() -> AsyncIterator[pb.TickResponse]:
        yield pb.TickResponse(number=1)
        sent.set()
        await asyncio.Event().wait()

    kitchen = Endless()
    async with serve(kitchen) as served, asyncio.timeout(20):
        call = getattr(served.rpc, kind)(one_message())
        code = asyncio.ensure_future(call.code())
        await kitchen.waiting[kind].wait()
        await sent.wait()
        call.cancel()
        await kitchen.cancelled[kind].wait()
        assert await code is grpc.StatusCode.CANCELLED


@pytest.mark.parametrize("kind", KINDS)
async def test_a_lost_connection_cancels_its_calls(serve: Serve, kind: str) -> None:
    kitchen = Endless()
    async with serve(kitchen) as served, asyncio.timeout(20):
        async with channel_to(served) as channel:
            call = begin(pb_grpc.KitchenServiceStub(channel), kind)
            code = asyncio.ensure_future(call.code())
            await kitchen.waiting[kind].wait()
        await kitchen.cancelled[kind].wait()
        assert await code is grpc.StatusCode.CANCELLED


async def test_a_deadline_is_known_and_ends_the_call(serve: Serve) -> None:
    """Of calls that send nothing: a message that grpcio's client has not sent by its deadline makes it say INTERNAL."""
    kitchen, seconds = Endless(), 20.0
    async with serve(kitchen) as served, asyncio.timeout(60):
        calls = [getattr(served.rpc, kind)(*ASKED.get(kind, ()), timeout=seconds) for kind in KINDS]
        for kind, call in zip(KINDS, calls, strict=True):
            await kitchen.waiting[kind].wait()
            assert 0 < kitchen.left[kind] < 2 * seconds, kind  # by grpcio's clock, which rounds up
            call.cancel()
    kitchen = Endless()
    async with serve(kitchen) as served, asyncio.timeout(60):

        async def asked() -> bool:
            for call in [getattr(served.rpc, kind)(*ASKED.get(kind, ()), timeout=0.5) for kind in KINDS]:
                assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            return all(kitchen.waiting[kind].is_set() for kind in KINDS)

        await until_told(asked)  # on a busy machine, such a short deadline passes before a servicer runs
        for kind in KINDS:
            await kitchen.cancelled[kind].wait()


# Slow readers.


class Firehose(Kitchen):
    """Sends pieces of 64 KiB as fast as possible, and counts them by key."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Counter[str] = Counter()
        self.flowing: asyncio.Event = asyncio.Event()

    async def Download(self, request: pb.TickRequest, context: Any) -> AsyncIterator[httpbody_pb2.HttpBody]:
        piece = httpbody_pb2.HttpBody(data=bytes(64 * 1024))
        try:
            for _ in range(request.count):
                yield piece
                self.sent[request.key] += 1
        finally:
            self.cancelled[request.key].set()

    async def Relay(self, request_iterator: Any, context: Any) -> AsyncIterator[httpbody_pb2.HttpBody]:
        piece = httpbody_pb2.HttpBody(data=bytes(64 * 1024))
        async for request in request_iterator:
            for _ in range(request.data[0]):
                yield piece
                self.sent["relay"] += 1


COUNT = 1024  # 64 MiB per stream
# A client with a constant window: grpcio's own grows with the latency of responses, as on a busy machine.
SMALL_WINDOW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 64 * 1024)]


async def rest(call: Any) -> list[Any]:
    """The messages that were not read yet."""
    return [message async for message in _reads(call)]


async def _reads(call: Any) -> AsyncIterator[Any]:
    while (message := await call.read()) is not grpc.aio.EOF:
        yield message


async def test_a_slow_reader_makes_its_servicer_wait(serve: Serve) -> None:
    kitchen = Firehose()
    async with (
        serve(kitchen) as served,
        channel_to(served, *SMALL_WINDOW) as slow,
        channel_to(served) as fast,
        asyncio.timeout(60),
    ):
        stuck: Any = pb_grpc.KitchenServiceStub(slow).Download(pb.TickRequest(count=COUNT, key="slow"))
        assert len((await stuck.read()).data) == 64 * 1024
        whole = pb_grpc.KitchenServiceStub(fast).Download(pb.TickRequest(count=COUNT, key="fast"))
        assert sum([1 async for _ in whole]) == COUNT
        # While another call received 64 MiB, this one received only what windows and sockets hold.
        assert kitchen.sent["slow"] < COUNT / 4
        assert len(await rest(stuck)) == COUNT - 1
        assert kitchen.sent["slow"] == COUNT


async def test_a_hundred_slow_readers_delay_no_other_call(serve: Serve) -> None:
    kitchen = Firehose()
    async with serve(kitchen) as served, channel_to(served) as slow, asyncio.timeout(60):
        stub = pb_grpc.KitchenServiceStub(slow)
        stuck = [stub.Download(pb.TickRequest(count=COUNT, key=f"slow{number}")) for number in range(100)]
        for call in stuck:
            await call.read()
        async with channel_to(served) as fast:
            whole = pb_grpc.KitchenServiceStub(fast).Download(pb.TickRequest(count=COUNT, key="fast"))
            assert sum([1 async for _ in whole]) == COUNT
        assert (await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"))).id == "1"
        assert (await stub.GetDish(pb.GetDishRequest(dish_id="1"))).id == "1"  # on the same connection too
        assert await asyncio.get_running_loop().run_in_executor(None, lambda: "a thread is free") == "a thread is free"
        await served.gateway.stop(0)
        for number in range(100):
            await kitchen.cancelled[f"slow{number}"].wait()


async def test_a_slow_servicer_holds_its_client_back(serve: Serve) -> None:
    class Sips(Kitchen):
        """Reads one message, then nothing until it is released."""

        async def Collect(self, request_iterator: Any, context: Any) -> pb.UploadBlobResponse:
            size = 0
            async for piece in request_iterator:
                size += len(piece.data)
                self.waiting["k"].set()
                await self.released["k"].wait()
            return pb.UploadBlobResponse(size=size)

    kitchen = Sips()
    piece = httpbody_pb2.HttpBody(data=bytes(64 * 1024))
    async with serve(kitchen) as served, channel_to(served) as channel, asyncio.timeout(60):
        written = 0

        async def pour() -> None:
            nonlocal written
            for _ in range(COUNT):
                await call.write(piece)
                written += 1
            await call.done_writing()

        call = pb_grpc.KitchenServiceStub(channel).Collect()
        pouring = asyncio.create_task(pour())
        await kitchen.waiting["k"].wait()
        async with channel_to(served) as fast:
            stub = pb_grpc.KitchenServiceStub(fast)
            for _ in range(COUNT // 4):
                await stub.UploadBlob(pb.UploadBlobRequest(data=piece.data))
        # While others were served, this call filled its windows: in grpcio's server they grow to some 10 MiB.
        assert written < COUNT / 2
        kitchen.released["k"].set()
        await pouring
        assert isinstance(answer := await call, pb.UploadBlobResponse)
        assert answer.size == COUNT * 64 * 1024


# Many calls, and the connection itself.


async def test_two_hundred_streams_on_one_channel(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(60):
        calls = [served.rpc.Converse() for _ in range(200)]
        for number, call in enumerate(calls):
            await call.write(pb.TickResponse(number=number))
        for number, call in enumerate(calls):
            answer = await call.read()
            assert isinstance(answer, pb.TickResponse)
            assert answer.number == number
        some = [served.rpc.Tick(pb.TickRequest(count=2, key=str(number))) for number in range(200)]
        for number in range(200):
            await kitchen.waiting[str(number)].wait()
            kitchen.steps[str(number)].release()
            kitchen.steps[str(number)].release()
        assert [[tick.number async for tick in call] for call in some] == [[1, 2]] * 200
        for call in calls:
            await call.done_writing()
        assert {await call.code() for call in calls} == {grpc.StatusCode.OK}


async def test_a_thousand_calls_at_once(served: Served) -> None:
    async with asyncio.timeout(60):
        calls = [served.rpc.GetDish(pb.GetDishRequest(dish_id=str(number))) for number in range(1000)]
        assert [dish.id for dish in await asyncio.gather(*calls)] == [str(number) for number in range(1000)]


async def test_keepalive_pings_are_answered(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(30):
        often = [
            ("grpc.keepalive_time_ms", 100),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        async with channel_to(served, *often) as channel:
            stub = pb_grpc.KitchenServiceStub(channel)
            call = stub.Tick(pb.TickRequest(count=2, key="k"))
            kitchen.steps["k"].release()
            assert await call.read() is not grpc.aio.EOF
            kitchen.steps["k"].release()
            assert [tick.number for tick in await rest(call)] == [2]


async def test_a_client_may_wait_for_the_server(serve: Serve, engine: str) -> None:
    with socket.socket() as held:  # bound but not listening, so that no other program gets the port
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        setting = "http_port" if engine.startswith("single-port") else "grpc_port"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(60):
            call = pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(dish_id="1"), wait_for_ready=True)
            answer = asyncio.ensure_future(call)
            async with serve(**{setting: port}):
                assert (await answer).id == "1"
