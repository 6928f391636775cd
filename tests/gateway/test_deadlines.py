"""TRANSCODING.md section 5, deadlines: from any source, on both faces, answered on time even if the servicer hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, every_engine
from tests.kitchen import Kitchen
from tests.waiting import until_told

BOTH_WAYS = True

SHORT = 0.15


class Stubborn(Kitchen):
    """Does not end when cancelled, until the test releases it."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.cleaned = asyncio.Event()

    async def Wait(self, request: pb.WaitRequest, context: Any) -> empty_pb2.Empty:
        self.waiting[request.key].set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled[request.key].set()
            await self.let_go.wait()
            self.cleaned.set()
        return empty_pb2.Empty()

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        for number in range(1, request.count + 1):
            yield pb.TickResponse(number=number)
        self.waiting[request.key].set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled[request.key].set()
            await self.let_go.wait()
            self.cleaned.set()


@pytest.mark.parametrize(
    ("headers", "settings"),
    [
        ({"grpc-timeout": "150m"}, {}),
        ({"grpc-timeout": "150000u"}, {}),
        ({"x-server-timeout": "0.15"}, {}),
        ({"x-server-timeout": "0.15", "grpc-timeout": "9S"}, {}),
        ({"x-server-timeout": "60"}, {"max_deadline_seconds": SHORT}),
        ({}, {"max_deadline_seconds": SHORT}),
    ],
    ids=str,
)
async def test_the_deadline_is_a_504_at_once(serve: Serve, headers: dict[str, str], settings: dict[str, Any]) -> None:
    kitchen = Stubborn()
    async with serve(kitchen, **settings) as served, asyncio.timeout(30):

        async def asked() -> bool:
            began = time.monotonic()
            answer = await served.http.post("/v1/wait", json={"key": "k"}, headers=headers)
            assert time.monotonic() - began >= SHORT * 0.9
            assert answer.status_code == 504  # its servicer would hold the call for ever
            assert (answer.json()["error"]["status"], answer.json()["error"]["message"]) == (
                "DEADLINE_EXCEEDED",
                "Deadline Exceeded",
            )
            return kitchen.waiting["k"].is_set()

        await until_told(asked)  # on a busy machine, such a short deadline passes before the servicer runs
        await kitchen.cancelled["k"].wait()
        assert not kitchen.cleaned.is_set()
        kitchen.let_go.set()
        await kitchen.cleaned.wait()


@every_engine
async def test_the_maximum_applies_on_grpc(serve: Serve) -> None:
    kitchen = Stubborn()
    async with serve(kitchen, max_deadline_seconds=SHORT) as served, asyncio.timeout(30):

        async def asked() -> bool:
            call = served.rpc.Wait(pb.WaitRequest(key="k"))
            assert (await call.code(), await call.details()) == (
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "Deadline Exceeded",
            )
            return kitchen.waiting["k"].is_set()

        await until_told(asked)
        await kitchen.cancelled["k"].wait()
        assert not kitchen.cleaned.is_set()
        kitchen.let_go.set()
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            _ = [tick async for tick in served.rpc.Tick(pb.TickRequest(key="s", count=1))]
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@every_engine
async def test_a_grpc_deadline_cancels(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(30):

        async def asked() -> bool:
            call = served.rpc.Wait(pb.WaitRequest(key="k"), timeout=SHORT)
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            return kitchen.waiting["k"].is_set()

        await until_told(asked)
        await kitchen.cancelled["k"].wait()


@every_engine
async def test_time_remaining_is_right_on_both_faces(serve: Serve) -> None:
    async with serve() as served:
        assert "secondsLeft" not in (await served.http.get("/v1/inspect")).json()
        assert not (await served.rpc.Inspect(pb.InspectRequest())).HasField("seconds_left")
        left = (await served.http.get("/v1/inspect", headers={"x-server-timeout": "20"})).json()["secondsLeft"]
        assert 10 < left <= 20
        assert 10 < (await served.rpc.Inspect(pb.InspectRequest(), timeout=20)).seconds_left < 25  # by grpcio's clock
    async with serve(max_deadline_seconds=20) as served:
        for headers, timeout in (({}, None), ({"grpc-timeout": "1H"}, 3600)):
            assert 10 < (await served.http.get("/v1/inspect", headers=headers)).json()["secondsLeft"] <= 20
            assert 10 < (await served.rpc.Inspect(pb.InspectRequest(), timeout=timeout)).seconds_left <= 20


async def test_an_expired_deadline(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.http.get("/v1/inspect", headers={"grpc-timeout": "0n"})
        assert answer.status_code == 504


async def test_a_stream_that_is_late(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen = Stubborn()
    loop, clock, seconds = asyncio.get_running_loop(), asyncio.get_running_loop().time, 10
    # The deadline passes after the servicer has sent everything.
    monkeypatch.setattr(loop, "time", lambda: clock() + seconds * len(kitchen.waiting))
    async with serve(kitchen) as served, asyncio.timeout(60):
        headers = {"x-server-timeout": str(seconds), "accept": "text/event-stream"}
        answer = await served.http.get("/v1/ticks?key=a", headers=headers)
        assert (answer.status_code, answer.json()["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
        text = (await served.http.get("/v1/ticks?key=b&count=2", headers=headers)).text
        assert text.count("event: message") == 2
        assert text.index("event: error") > text.rindex("event: message")
        assert "DEADLINE_EXCEEDED" in text
        assert "event: end" not in text
        for key in "ab":
            await kitchen.cancelled[key].wait()
        kitchen.let_go.set()


async def test_the_deadline_applies_while_the_body_arrives(serve: Serve) -> None:
    async with serve() as served, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(b"POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        writer.write(b"x-server-timeout: 0.15\r\ncontent-length: 100\r\n\r\n{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 504 ")
        writer.close()


class Slow(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        await asyncio.Event().wait()


async def test_the_deadline_applies_in_interceptors(serve: Serve) -> None:
    async with serve(interceptors=[Slow()]) as served, asyncio.timeout(10):
        answer = await served.http.get("/v1/dishes/1", headers={"x-server-timeout": "0.15"})
        assert answer.status_code == 504


class Sleepy(Kitchen):
    """Times out by itself."""

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        return pb.Dish()


@every_engine
async def test_a_servicers_own_timeout_is_its_own_error(serve: Serve) -> None:
    async with serve(Sleepy(), max_deadline_seconds=60) as served:
        assert (await served.http.get("/v1/dishes/1")).status_code == 500
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.rpc.GetDish(pb.GetDishRequest())
        assert failed.value.code() is grpc.StatusCode.INTERNAL
