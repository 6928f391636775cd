"""TRANSCODING.md section 6, server streaming: three forms, and a failed stream that ends in its error."""

from __future__ import annotations

import asyncio
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import grpc
import h2.events as ev
import httpx2
import pytest
from google.api import httpbody_pb2
from h2.errors import ErrorCodes
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served, every_engine
from tests.gateway.http2_client import connected
from tests.kitchen import Kitchen

ARRAY, NDJSON, SSE = "application/json", "application/x-ndjson", "text/event-stream"


def numbers(form: str, text: str) -> list[str]:
    """The numbers of the messages in a complete stream."""
    if form == ARRAY:
        return [tick["number"] for tick in json.loads(text)]
    lines = (
        text.splitlines()
        if form == NDJSON
        else [line[6:] for line in text.splitlines() if line.startswith('data: {"n')]
    )
    return [json.loads(line)["number"] for line in lines]


@pytest.mark.parametrize("form", [ARRAY, NDJSON, SSE])
@pytest.mark.parametrize("count", [0, 1, 50])
async def test_a_stream_in_the_form_that_is_asked_for(served: Served, form: str, count: int) -> None:
    for answer in (
        await served.http.get(f"/v1/ticks?count={count}", headers={"accept": form}),
        await served.http.post("/v1/ticks", json={"count": count}, headers={"accept": form}),
    ):
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, form)
        assert answer.headers["cache-control"] == "no-cache"
        assert "content-length" not in answer.headers
        assert numbers(form, answer.text) == [str(number) for number in range(1, count + 1)]
        assert '"result"' not in answer.text
        if form == SSE:
            assert answer.text.endswith("event: end\ndata: {}\n\n")
            ids = [line[4:] for line in answer.text.splitlines() if line.startswith("id: ")]
            assert ids == numbers(form, answer.text)


@pytest.mark.parametrize("form", [ARRAY, NDJSON, SSE])
async def test_each_message_leaves_at_once(serve: Serve, form: str) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(f"GET /v1/ticks?count=3&key=k HTTP/1.1\r\nhost: x\r\naccept: {form}\r\n\r\n".encode())
        for number in (b"1", b"2", b"3"):
            kitchen.steps["k"].release()
            assert await reader.readuntil(b'"number":"%b","text":"tick"}' % number)
        assert (await reader.readuntil(b"\r\n0\r\n\r\n")).endswith(b"0\r\n\r\n")
        writer.close()


class Reuses(Kitchen):
    """Sends one object again and again, as grpcio allows, since it serializes a message when it is sent."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        tick = pb.TickResponse()
        for tick.number in range(1, request.count + 1):
            yield tick


class Rewrites(Kitchen):
    """Does the same by `write`."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> None:  # type: ignore[override]  # as grpcio allows
        tick = pb.TickResponse()
        for tick.number in range(1, request.count + 1):
            await context.write(tick)


@every_engine
@pytest.mark.parametrize("kitchen", [Reuses, Rewrites])
async def test_a_message_is_sent_as_it_was_when_the_servicer_sent_it(serve: Serve, kitchen: type[Kitchen]) -> None:
    async with serve(kitchen()) as served:
        expected = list(range(1, 51))
        assert [tick.number async for tick in served.rpc.Tick(pb.TickRequest(count=50))] == expected
        for form in (ARRAY, NDJSON, SSE):
            answer = await served.http.get("/v1/ticks?count=50", headers={"accept": form})
            assert numbers(form, answer.text) == [str(number) for number in expected]


class Busy(Kitchen):
    """Streams without ever waiting, until a unary call has been answered."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.asked = asyncio.Event(), False

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        self.asked = True
        return pb.Dish(id=request.dish_id)

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        self.begun.set()
        while not self.asked:
            yield pb.TickResponse(number=1)


@pytest.mark.parametrize("form", [ARRAY, NDJSON, SSE])
async def test_a_servicer_that_never_waits_leaves_time_for_other_calls(serve: Serve, form: str) -> None:
    kitchen = Busy()
    async with serve(kitchen) as served, asyncio.timeout(20):
        stream = asyncio.ensure_future(served.http.get("/v1/ticks", headers={"accept": form}))
        await kitchen.begun.wait()
        assert (await served.http.get("/v1/dishes/7")).json()["id"] == "7"
        assert set(numbers(form, (await stream).text)) == {"1"}


# Failures.


async def raw(served: Served, request: str) -> bytes:
    """Returns all that a connection receives until the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
    writer.write(request.encode())
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    return said


@pytest.mark.parametrize("form", [ARRAY, NDJSON, SSE])
async def test_an_error_before_the_first_message_is_an_ordinary_one(served: Served, form: str) -> None:
    answer = await served.http.get("/v1/ticks?failAfter=-1", headers={"accept": form})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["error"]["status"] == "FAILED_PRECONDITION"


LAST = '{"error":{"code":500,"message":"the clock fell down","status":"DATA_LOSS","details":[]}}'


@pytest.mark.parametrize(
    ("form", "end"),
    [(ARRAY, f",\n{LAST}"), (NDJSON, f"{LAST}\n"), (SSE, f"event: error\ndata: {LAST}\n\n")],
)
@pytest.mark.parametrize("middleware", [None, BaseHTTPMiddleware, GZipMiddleware])
async def test_a_failed_stream_ends_in_its_error(serve: Serve, form: str, end: str, middleware: Any) -> None:
    async with serve() as served:
        if middleware is BaseHTTPMiddleware:
            served.gateway.app.add_middleware(middleware, dispatch=lambda request, forward: forward(request))
        elif middleware is not None:
            served.gateway.app.add_middleware(middleware)
        answer = await served.http.get("/v1/ticks?count=9&failAfter=3", headers={"accept": form})
        assert answer.text.endswith(end)
        assert "event: end" not in answer.text
        assert answer.text.count('"number"') == 3
        if form == ARRAY:
            with pytest.raises(json.JSONDecodeError):
                answer.json()


@pytest.mark.parametrize("form", [ARRAY, NDJSON, SSE])
async def test_the_connection_goes_on_behind_a_failed_stream(served: Served, form: str) -> None:
    """It was closed without the last chunk, and a close or a reset overtakes what a client has not read."""
    failing = f"GET /v1/ticks?count=9&failAfter=3 HTTP/1.1\r\nhost: x\r\naccept: {form}\r\n\r\n"
    said = await raw(served, failing + "GET /v1/dishes/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    stream, _, behind = said.partition(b"\r\n0\r\n\r\n")
    assert b"transfer-encoding: chunked" in stream
    assert LAST.encode() in stream
    assert behind.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("form", [ARRAY, NDJSON, SSE])
async def test_over_http2_a_failed_stream_is_not_reset(served: Served, form: str) -> None:
    async with asyncio.timeout(20), connected(served.gateway.http_port) as client:
        stream = client.request("/v1/ticks?count=9&failAfter=3", headers=[("accept", form)])
        await client.flush()
        await client.event(ev.StreamEnded, stream)
        assert LAST.encode() in client.body(stream)
        assert (await client.get("/v1/dishes/1"))[0][":status"] == "200"
        assert not [event for event in client.events if isinstance(event, ev.StreamReset)]


class Breaks(Kitchen):
    """Raises, or sends an unprintable message, in the middle."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[Any]:
        yield pb.TickResponse(number=1)
        if request.key == "raise":
            raise RuntimeError("secret")
        yield "secret"


@pytest.mark.parametrize("key", ["raise", "print"])
async def test_every_failure_is_reported_at_the_end_of_the_stream(serve: Serve, key: str) -> None:
    async with serve(Breaks()) as served:
        answer = await served.http.get(f"/v1/ticks?key={key}", headers={"accept": NDJSON})
        assert json.loads(answer.text.splitlines()[-1])["error"]["status"] == "INTERNAL"
        assert "secret" not in answer.text


async def test_http_1_0_clients_can_tell_a_failure_from_an_end(served: Served) -> None:
    said = await raw(served, "GET /v1/ticks?count=9&failAfter=3 HTTP/1.0\r\nhost: x\r\n\r\n")
    assert LAST.encode() in said
    assert not said.rstrip().endswith((b"]", b"0"))


# Metadata, HEAD, and SSE's own.


class Announces(Kitchen):
    """Sends metadata first, and waits."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        await context.send_initial_metadata((("x-job", "7"), ("x-http-code", "202")))
        await self.steps[request.key].acquire()
        yield pb.TickResponse(number=1)


@pytest.mark.parametrize(("form", "first"), [(ARRAY, "[{"), (NDJSON, "{"), (SSE, ": keep-alive\n\nretry")])
async def test_metadata_begins_the_response(serve: Serve, form: str, first: str) -> None:
    kitchen = Announces()
    async with (
        serve(kitchen) as served,
        served.http.stream("GET", "/v1/ticks?key=k", headers={"accept": form}) as answer,
    ):
        assert (answer.status_code, answer.headers["x-job"]) == (202, "7")
        kitchen.steps["k"].release()
        text = (await answer.aread()).decode()
        assert text.startswith(first)
        assert numbers(form, text) == ["1"]


async def test_head_on_a_stream(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(10):
        kitchen.steps["k"].release()
        answer = await served.http.head("/v1/ticks?count=9&key=k", headers={"accept": SSE})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith(SSE)
        await kitchen.cancelled["k"].wait()
        assert (await served.http.head("/v1/ticks?failAfter=-1")).status_code == 400
        assert (await served.http.get("/v1/dishes/1")).status_code == 200


async def test_an_idle_event_stream_beats(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen, sse_heartbeat_seconds=0.02) as served, asyncio.timeout(10):
        kitchen.steps["k"].release()
        async with served.http.stream("GET", "/v1/ticks?count=2&key=k", headers={"accept": SSE}) as answer:
            lines = answer.aiter_lines()
            beats = 0
            async for line in lines:
                beats += line.startswith(":")
                if beats == 3:
                    kitchen.steps["k"].release()
                    break
            rest = [line async for line in lines]
        assert "event: end" in rest
        assert "id: 2" in rest


@pytest.mark.parametrize("form", [ARRAY, NDJSON])
@pytest.mark.parametrize("end", ["", "&failAfter=2"], ids=["complete", "failed"])
async def test_an_idle_stream_of_json_sends_line_breaks(serve: Serve, form: str, end: str) -> None:
    kitchen = Kitchen()
    async with serve(kitchen, stream_heartbeat_seconds=0.02) as served, asyncio.timeout(10):
        kitchen.steps["k"].release()
        async with served.http.stream("GET", f"/v1/ticks?count=2&key=k{end}", headers={"accept": form}) as answer:
            pieces, text = answer.aiter_text(), ""
            while not text.endswith("}\n\n\n"):
                text += await anext(pieces)
            kitchen.steps["k"].release()
            text += "".join([piece async for piece in pieces])
    if end:
        assert text.rstrip("\n").endswith(LAST)
    else:
        lines = [line for line in text.splitlines() if line]
        assert numbers(form, text if form == ARRAY else "\n".join(lines)) == ["1", "2"]


async def test_streams_of_json_can_be_silent_while_idle(serve: Serve) -> None:
    kitchen = Kitchen()
    settings = {"stream_heartbeat_seconds": None, "sse_heartbeat_seconds": 0.02}
    async with serve(kitchen, **settings) as served, asyncio.timeout(10):
        kitchen.steps["quiet"].release()
        kitchen.steps["beats"].release()
        quiet = served.http.stream("GET", "/v1/ticks?count=2&key=quiet", headers={"accept": NDJSON})
        beats = served.http.stream("GET", "/v1/ticks?count=2&key=beats", headers={"accept": SSE})
        async with quiet as answer, beats as other:
            pieces = answer.aiter_text()
            text, comments = await anext(pieces), 0
            async for line in other.aiter_lines():
                comments += line.startswith(":")
                if comments == 3:  # both have been idle for so long
                    break
            kitchen.steps["quiet"].release()
            text += "".join([piece async for piece in pieces])
        assert numbers(NDJSON, text) == ["1", "2"]


# HttpBody is sent as its own bytes.


class Mixed(Kitchen):
    """A download of large pieces."""

    async def Download(self, request: pb.TickRequest, context: Any) -> AsyncIterator[httpbody_pb2.HttpBody]:
        for _ in range(request.count):
            yield httpbody_pb2.HttpBody(content_type="application/pdf", data=bytes(100_000))


async def test_a_download_is_its_own_bytes(served: Served) -> None:
    for accept in ("*/*", SSE, "text/csv"):
        answer = await served.http.get("/v1/download?count=3", headers={"accept": accept})
        assert (answer.headers["content-type"], answer.text) == ("text/csv", "1,tick\n2,tick\n3,tick\n")
    assert (await served.http.get("/v1/download?count=0")).content == b""


async def test_a_failed_download_is_cut_with_nothing_added(served: Served) -> None:
    said = await raw(served, "GET /v1/download?count=9&failAfter=2 HTTP/1.1\r\nhost: x\r\n\r\n")
    assert said.endswith(b"2,tick\n\r\n")
    assert b"DATA_LOSS" not in said
    with pytest.raises(httpx2.RemoteProtocolError):
        await served.http.get("/v1/download?count=9&failAfter=2")
    async with asyncio.timeout(20), connected(served.gateway.http_port) as client:
        stream = client.request("/v1/download?count=9&failAfter=2")
        await client.flush()
        assert (await client.event(ev.StreamReset, stream)).error_code == ErrorCodes.INTERNAL_ERROR
        assert client.body(stream) == b"1,tick\n2,tick\n"


# Back-pressure.


class Endless(Kitchen):
    """Streams for ever, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.stalled = asyncio.Event()
        self.closed = asyncio.Event()

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        loop = asyncio.get_running_loop()
        timer = None
        try:
            while True:
                # No message was read for this long: the client is slower.
                timer = loop.call_later(0.3, self.stalled.set)
                yield pb.TickResponse(number=self.sent, text="x" * 10_000)
                timer.cancel()
                self.sent += 1
        finally:
            if timer is not None:
                timer.cancel()
            self.closed.set()


@pytest.mark.parametrize("form", [ARRAY, SSE])
async def test_a_client_that_stops_reading_stops_the_servicer(serve: Serve, form: str) -> None:
    kitchen = Endless()
    async with serve(kitchen) as served, asyncio.timeout(20):
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", served.gateway.http_port))
            connection.sendall(f"GET /v1/ticks HTTP/1.1\r\nhost: x\r\naccept: {form}\r\n\r\n".encode())
            await kitchen.stalled.wait()
            # A quarter of a mebibyte waits in the kernel, a few messages in the gateway.
            assert kitchen.sent < 100
        await kitchen.closed.wait()


async def test_memory_is_flat_however_long_the_stream(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(30):
        peaks = []
        for count in (200, 200, 6000):
            tracemalloc.start()
            async with served.http.stream("GET", f"/v1/ticks?count={count}", headers={"accept": NDJSON}) as answer:
                async for _ in answer.aiter_raw():
                    pass
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[2] < peaks[1] + 1_000_000


@every_engine
async def test_the_same_stream_over_grpc(served: Served) -> None:
    call = served.rpc.Tick(pb.TickRequest(count=9, fail_after=3))
    seen = []
    with pytest.raises(grpc.aio.AioRpcError) as failed:  # noqa: PT012
        async for tick in call:
            seen.append(tick.number)
    assert seen == [1, 2, 3]
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.DATA_LOSS, "the clock fell down")
