"""Connections that become too old: clients connect again, no call fails, and running ones have a grace period."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import h2.events as ev
import pytest

from diptych import Settings
from diptych.http_server.timeouts import Age, Timeouts
from diptych.rpc_server import EngineError, check
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.gateway.http2_client import connected
from tests.gateway.test_websocket import opened

BOTH_WAYS = True

AGE = 0.2
GET = b"GET /v1/dishes/7 HTTP/1.1\r\nhost: localhost\r\n\r\n"
engines = pytest.mark.parametrize("engine", ["builtin", "single-port", "grpcio"], indirect=True)
ports = pytest.mark.parametrize("engine", ["builtin", "single-port"], indirect=True)


async def peer(served: Served) -> str:
    """The client's end of the connection that served a call."""
    return (await served.rpc.Inspect(pb.InspectRequest())).peer


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    """Reads a response with a content-length; returns its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    return head.lower()


async def outlived(served: Served) -> None:
    """Returns once two HTTP/1.1 connections, one after the other, have become too old."""
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(GET)
        while b"connection: close" not in await one_answer(reader):
            writer.write(GET)
        writer.close()
        await writer.wait_closed()


# gRPC, by grpcio's client.


@engines
async def test_a_channel_connects_again_and_no_call_fails(serve: Serve) -> None:
    async with asyncio.timeout(60), serve(max_connection_age_seconds=AGE) as served:
        stream: Any = served.rpc.Tick(pb.TickRequest(count=2, key="k"))
        served.kitchen.steps["k"].release()
        assert (await stream.read()).number == 1
        seen = {await peer(served)}
        while len(seen) < 4:
            seen.add(await peer(served))
        served.kitchen.steps["k"].release()  # the stream has continued on the first connection
        assert (await stream.read()).number == 2
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK


@engines
async def test_after_its_grace_a_call_ends_as_unavailable(serve: Serve) -> None:
    limits = {"max_connection_age_seconds": AGE, "max_connection_age_grace_seconds": AGE}
    async with asyncio.timeout(60), serve(**limits) as served:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.rpc.Wait(pb.WaitRequest(key="k"))
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        await served.kitchen.cancelled["k"].wait()
        assert await peer(served)


@ports
async def test_without_a_limit_connections_stay(serve: Serve) -> None:
    async with serve() as served:
        assert len({await peer(served) for _ in range(50)}) == 1


# HTTP/2.


@ports
async def test_goaway_comes_twice_and_the_connection_closes_after_its_last_stream(serve: Serve) -> None:
    short = serve(max_connection_age_seconds=AGE)
    async with asyncio.timeout(60), short as served, connected(served.gateway.grpc_port) as client:
        headers = [("te", "trailers"), ("content-type", "application/grpc")]
        stream = client.request("/kitchen.v1.KitchenService/Wait", "POST", end=False, headers=headers)
        await client.upload(stream, b"\0\0\0\0\3\x0a\x01k")

        def announced() -> list[ev.ConnectionTerminated]:
            return [one for one in client.events if isinstance(one, ev.ConnectionTerminated)]

        await client.until(lambda: len(announced()) == 2)
        assert [(one.error_code, one.last_stream_id) for one in announced()] == [(0, 2**31 - 1), (0, stream)]
        assert announced()[0].additional_data == b"max_age"
        served.kitchen.released["k"].set()
        trailers: Any = await client.event(ev.TrailersReceived, stream)
        assert dict(trailers.headers)["grpc-status"] == "0"
        await client.eof()


# HTTP/1.1.


async def test_the_next_response_closes_a_connection_of_http_1(serve: Serve) -> None:
    async with asyncio.timeout(60), serve(max_connection_age_seconds=AGE) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        answers = 0
        while True:
            writer.write(GET)
            answers += 1
            if b"connection: close" in await one_answer(reader):
                break
        assert answers > 1
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_an_idle_connection_of_http_1_stays_for_its_next_request(serve: Serve) -> None:
    """To close it would race with a request that is on its way, which is not safe to repeat."""
    async with asyncio.timeout(60), serve(max_connection_age_seconds=AGE) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(GET)
        assert b"connection: close" not in await one_answer(reader)
        await outlived(served)
        writer.write(GET)
        assert b"connection: close" in await one_answer(reader)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("grace", [None, AGE])
async def test_a_stream_over_http_1_has_its_grace(serve: Serve, grace: float | None) -> None:
    limits = {"max_connection_age_seconds": AGE, "max_connection_age_grace_seconds": grace}
    async with asyncio.timeout(60), serve(**limits) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        accept = b"host: localhost\r\naccept: application/x-ndjson\r\n\r\n"
        writer.write(b"GET /v1/ticks?count=2&key=k HTTP/1.1\r\n" + accept)
        served.kitchen.steps["k"].release()
        await reader.readuntil(b"}\n\r\n")
        if grace is None:
            await outlived(served)
            served.kitchen.steps["k"].release()
            assert (await reader.readuntil(b"\r\n0\r\n\r\n")).count(b'"tick"') == 1
        else:
            await served.kitchen.cancelled["k"].wait()
            with suppress(ConnectionResetError):
                assert b"0\r\n\r\n" not in await reader.read()
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


async def test_a_request_that_begins_after_the_grace_is_served(serve: Serve) -> None:
    limits = {"max_connection_age_seconds": AGE, "max_connection_age_grace_seconds": AGE / 10}
    async with asyncio.timeout(60), serve(**limits) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(GET)
        await one_answer(reader)
        await outlived(served)
        body = b'{"key":"k"}'
        kind = b"content-type: application/json\r\ncontent-length: 11\r\n\r\n"
        writer.write(b"POST /v1/wait HTTP/1.1\r\nhost: localhost\r\n" + kind + body)
        await served.kitchen.waiting["k"].wait()
        await outlived(served)
        served.kitchen.released["k"].set()
        assert b"connection: close" in await one_answer(reader)
        writer.close()
        await writer.wait_closed()


async def test_a_websocket_is_not_ended(serve: Serve) -> None:
    limits = {"max_connection_age_seconds": AGE, "max_connection_age_grace_seconds": AGE}
    async with asyncio.timeout(60), serve(**limits) as served, opened(served, "/v1/converse") as socket:
        for number in range(3):
            await socket.send(f'{{"number":{number}}}')
            assert f'"number":"{number}"' in str(await socket.recv())
            await outlived(served)


# The age itself.


def test_the_age_varies_by_a_tenth() -> None:
    timeouts = Timeouts(age=100, age_grace=20)

    def due() -> float:
        age = Age()
        assert not age.reached(1000, timeouts)
        return next(now / 10 for now in range(10_000, 12_000) if age.reached(now / 10, timeouts)) - 1000

    found = [due() for _ in range(200)]
    assert 90 <= min(found) < 95
    assert 105 < max(found) <= 110.1


def test_the_grace_begins_with_the_age() -> None:
    timeouts, age = Timeouts(age=100, age_grace=20), Age()
    assert not age.reached(0, timeouts)
    assert not age.grace_is_over(109, timeouts)
    assert age.grace_is_over(130, timeouts)


def test_the_native_engine_refuses_a_limit() -> None:
    with pytest.raises(EngineError, match="max_connection_age_seconds"):
        check(Settings(grpc_engine="native", max_connection_age_seconds=60))
