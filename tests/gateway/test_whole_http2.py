"""Which requests our HTTP/2 serves without ASGI, and which it cannot."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h2.events as ev
import pytest

from tests.conftest import Serve
from tests.gateway.http2_client import Client, Code, Setting, connected
from tests.kitchen import Kitchen

JSON = [("content-type", "application/json")]
BODY = b'{"stringValue":"a"}'
ECHO = "/kitchen.v1.KitchenService/Echo"
GET_DISH = "/kitchen.v1.KitchenService/GetDish"


def post(client: Client, *pieces: bytes, length: int | None = None, trailers: bool = False) -> int:
    """Begins an echo with its whole body; the next flush sends it by one write."""
    sized = [] if length is None else [("content-length", str(length))]
    stream = client.request("/v1/echo", "POST", end=False, headers=[*JSON, *sized])
    for number, piece in enumerate(pieces, 1):
        client.h2.send_data(stream, piece, end_stream=number == len(pieces) and not trailers)
    if trailers:
        client.h2.send_headers(stream, [("x-check", "1")], end_stream=True)
    return stream


def wait(client: Client) -> int:
    """Begins a call that the servicer keeps waiting."""
    stream = client.request("/v1/wait", "POST", end=False, headers=JSON)
    client.h2.send_data(stream, b'{"key":"k"}', end_stream=True)
    return stream


SENT: dict[str, dict[str, Any]] = {
    "one frame": {"pieces": [BODY]},
    "frames": {"pieces": [BODY[:3], BODY[3:], b""]},
    "a length": {"pieces": [BODY], "length": len(BODY)},
    "trailers": {"pieces": [BODY], "trailers": True},
}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
async def test_a_body_that_arrives_in_one_read(serve: Serve, taken: list[str], sent: dict[str, Any]) -> None:
    async with asyncio.timeout(20), serve() as served, connected(served.gateway.http_port) as client:
        stream = post(client, *sent.pop("pieces", [BODY]), **sent)
        await client.flush()
        head, body = await client.response(stream)
        assert (head[":status"], json.loads(body)["stringValue"]) == ("200", "a")
        assert int(head["content-length"]) == len(body)
    assert taken == [ECHO]


@pytest.mark.parametrize("first", [0, 5])
async def test_a_body_that_arrives_later_goes_through_asgi(serve: Serve, taken: list[str], first: int) -> None:
    async with asyncio.timeout(20), serve() as served, connected(served.gateway.http_port) as client:
        stream = client.request("/v1/echo", "POST", end=False, headers=[*JSON, ("content-length", str(len(BODY)))])
        if first:
            client.h2.send_data(stream, BODY[:first])
        await client.flush()
        client.h2.ping(b"received")  # once it is answered, the server has read what came before it
        await client.flush()
        await client.event(ev.PingAckReceived)
        client.h2.send_data(stream, BODY[first:], end_stream=True)
        await client.flush()
        head, body = await client.response(stream)
        assert (head[":status"], json.loads(body)["stringValue"]) == ("200", "a")
    assert not taken


async def test_requests_without_a_body(serve: Serve, taken: list[str]) -> None:
    async with asyncio.timeout(20), serve() as served, connected(served.gateway.http_port) as client:
        streams = [client.request(f"/v1/dishes/{number}") for number in range(20)]
        head_only = client.request("/v1/dishes/7", "HEAD")
        streamed = client.request("/v1/ticks?count=1")
        missing = client.request("/v1/nothing")
        await client.flush()
        for number, stream in enumerate(streams):
            assert json.loads((await client.response(stream))[1])["id"] == str(number)
        head, body = await client.response(head_only)
        assert (head[":status"], int(head["content-length"]) > 0, body) == ("200", True, b"")
        assert (await client.response(streamed))[0][":status"] == "200"
        assert (await client.response(missing))[0][":status"] == "404"
    assert taken == [GET_DISH] * 21


async def test_a_response_above_the_windows_waits_for_them(serve: Serve, taken: list[str]) -> None:
    small = {Setting.INITIAL_WINDOW_SIZE: 1000}
    async with asyncio.timeout(20), serve() as served, connected(served.gateway.http_port, small) as client:
        client.credits = False
        stream = client.request("/v1/dishes")
        await client.flush()
        await client.until(lambda: len(client.body(stream)) == 1000)
        assert (await client.get("/v1/dishes/7"))[0][":status"] == "200"  # it stops no other stream
        client.h2.increment_flow_control_window(1 << 20, stream)
        client.credits = True
        await client.flush()
        assert len(json.loads((await client.response(stream))[1])["dishes"]) == 100
    assert len(taken) == 2


async def test_many_large_responses_at_once(serve: Serve, taken: list[str]) -> None:
    wide = {Setting.INITIAL_WINDOW_SIZE: 1 << 24}
    async with asyncio.timeout(20), serve() as served, connected(served.gateway.http_port, wide) as client:
        client.h2.increment_flow_control_window(1 << 24)
        streams = [client.request("/v1/dishes?pageSize=1000") for _ in range(100)]
        await client.flush()
        for stream in streams:
            assert len(json.loads((await client.response(stream))[1])["dishes"]) == 1000
    assert len(taken) == 100


async def test_a_reset_cancels_the_call(serve: Serve, taken: list[str]) -> None:
    kitchen = Kitchen()
    async with asyncio.timeout(20), serve(kitchen) as served, connected(served.gateway.http_port) as client:
        stream = wait(client)
        await client.flush()
        await kitchen.waiting["k"].wait()
        client.h2.reset_stream(stream, Code.CANCEL)
        await client.flush()
        await kitchen.cancelled["k"].wait()
    assert taken == ["/kitchen.v1.KitchenService/Wait"]


async def test_a_lost_connection_cancels_the_call(serve: Serve) -> None:
    kitchen = Kitchen()
    async with asyncio.timeout(20), serve(kitchen) as served:
        async with connected(served.gateway.http_port) as client:
            wait(client)
            await client.flush()
            await kitchen.waiting["k"].wait()
        await kitchen.cancelled["k"].wait()


FAULTS: dict[str, dict[str, Any]] = {
    "longer than its length": {"pieces": [BODY], "length": 3},
    "shorter than its length": {"pieces": [BODY], "length": 300},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_broken_request_is_not_served_and_counts_no_longer(
    serve: Serve, taken: list[str], fault: dict[str, Any]
) -> None:
    few = serve(http2_max_streams=4)  # allows a burst of twice as many resets
    async with asyncio.timeout(20), few as served, connected(served.gateway.http_port) as client:
        for _ in range(5):
            stream = post(client, *fault["pieces"], length=fault["length"])
            await client.flush()
            assert (await client.event(ev.StreamReset, stream)).error_code == Code.PROTOCOL_ERROR
        assert not taken
        assert (await client.get("/v1/dishes/7"))[0][":status"] == "200"


async def test_requests_reset_before_they_are_complete_count_no_longer(serve: Serve, taken: list[str]) -> None:
    few = serve(http2_max_streams=4)  # allows a burst of twice as many resets
    async with asyncio.timeout(20), few as served, connected(served.gateway.http_port) as client:
        for _ in range(5):
            stream = client.request("/v1/echo", "POST", end=False, headers=JSON)
            client.h2.reset_stream(stream, Code.CANCEL)
            await client.flush()
            client.h2.ping(b"received")
            await client.flush()
            await client.event(ev.PingAckReceived)
            client.events.clear()
        assert not taken
        assert (await client.get("/v1/dishes/7"))[0][":status"] == "200"


async def test_more_requests_than_may_run_are_refused(serve: Serve) -> None:
    kitchen = Kitchen()
    one = serve(kitchen, http2_max_streams=1)
    async with asyncio.timeout(20), one as served, connected(served.gateway.http_port) as client:
        waiting = wait(client)
        await client.flush()
        await kitchen.waiting["k"].wait()
        client.h2.remote_settings[Setting.MAX_CONCURRENT_STREAMS] = 2
        client.h2.remote_settings.acknowledge()
        refused = client.request("/v1/dishes/7")
        await client.flush()
        assert (await client.event(ev.StreamReset, refused)).error_code == Code.REFUSED_STREAM
        kitchen.released["k"].set()
        assert (await client.response(waiting))[0][":status"] == "200"
