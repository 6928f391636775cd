"""Slow clients, and too many of them: each is refused with a reason, without an effect on others."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import h2.events as ev
import httpx2
import pytest
from h2.errors import ErrorCodes

from diptych import Gateway, Settings
from diptych.exchange import BodyTimeouts, read
from diptych.status import StatusError
from tests.certificates import Authority, settings
from tests.conftest import Serve
from tests.gateway.http2_client import Setting, connected

BOTH_WAYS = True

SOON = 0.2
LONG = 60.0
PATH = "/kitchen.v1.KitchenService/GetDish"


@asynccontextmanager
async def plain(port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Any]:
    """A plain connection: reader and writer."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):  # it was cut
                await writer.wait_closed()


def _error(raw: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["error"]


# Heads.


@pytest.mark.parametrize(
    "begun",
    [
        b"G",
        b"GET /v1/dishes/1 HTTP/1.1\r\nhost: x\r\n",
        b"GET /v1/dishes/1 HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 5000,
        b"PRI * HT",
    ],
    ids=["first byte", "no end", "a long header", "half a preface of HTTP/2"],
)
async def test_an_incomplete_head_is_answered_408(begun: bytes, serve: Serve) -> None:
    async with serve(header_seconds=SOON) as served, plain(served.gateway.http_port) as (reader, writer):
        writer.write(begun)
        status, error = _error(await reader.read())
        assert (status, error["status"]) == (408, "DEADLINE_EXCEEDED")
        assert (await served.http.get("/v1/dishes/1")).status_code == 200


async def test_a_second_head_has_its_own_time(serve: Serve) -> None:
    async with serve(header_seconds=SOON) as served, plain(served.gateway.http_port) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET /v1/dishes/1 HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            size = int(head.lower().partition(b"content-length: ")[2].split()[0])
            await reader.readexactly(size)
        writer.write(b"GET /v1/dishes/1 HTTP/1.1\r\n")
        assert _error(await reader.read())[0] == 408


async def test_single_bytes_do_not_extend_the_timeout(serve: Serve) -> None:
    async with serve(header_seconds=SOON) as served, plain(served.gateway.http_port) as (reader, writer):

        async def drip() -> None:
            writer.write(b"GET / HTTP/1.1\r\nx-drip: ")
            while True:
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(SOON / 20)  # the rate of the client

        dripping = asyncio.create_task(drip())
        try:
            assert _error(await reader.read())[0] == 408
        finally:
            dripping.cancel()


async def test_a_running_call_is_not_timed_out(serve: Serve) -> None:
    async with serve(header_seconds=SOON, keep_alive_seconds=SOON) as served:
        one = asyncio.create_task(served.http.post("/v1/wait", json={"key": "k"}))
        await served.kitchen.waiting["k"].wait()
        async with plain(served.gateway.http_port) as (reader, writer):
            writer.write(b"G")
            await reader.read()  # longer than the time-out in the settings
        served.kitchen.released["k"].set()
        assert (await one).status_code == 200


async def test_http2_closes_connections_with_an_incomplete_head(serve: Serve) -> None:
    async with serve(header_seconds=SOON) as served:
        async with asyncio.timeout(30), connected(served.gateway.http_port) as client:
            # HEADERS of stream 1 without END_HEADERS: a CONTINUATION must follow.
            await client.raw(b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82")
            ended = await client.event(ev.ConnectionTerminated)
            assert ended.error_code == ErrorCodes.ENHANCE_YOUR_CALM
            await client.eof()
        async with asyncio.timeout(30), connected(served.gateway.http_port) as client:
            await client.raw(b"\x00\x00\x20\x01\x04\x00\x00\x00\x01\x82\x86")  # a truncated frame
            ended = await client.event(ev.ConnectionTerminated)
            assert ended.error_code == ErrorCodes.ENHANCE_YOUR_CALM
            await client.eof()


async def test_http2_times_out_without_a_preface(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    gateway = Gateway(
        Settings(http_port=0, grpc_port=0, allowed_hosts=("*",), header_seconds=SOON, **settings(authority.shown()))
    )
    async with gateway, plain(gateway.http_port, authority.trusting(None, "h2")) as (reader, writer):
        writer.write(b"PRI * HTTP/2.0")
        assert await reader.read()  # SETTINGS and GOAWAY, and the end
        await gateway.stop(0)


# Silence.


def unread(port: int, *requests: bytes) -> socket.socket:
    """A connection that has sent requests, and whose client reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    client.sendall(b"".join(requests))
    return client


LARGE = (
    b"POST /v1/mirror HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 2000000\r\n\r\n"
    + b"x" * 2000000
)


async def test_a_client_that_never_reads_its_response_is_ended(serve: Serve) -> None:
    """A close waits for the client to read, so such clients took up all of `max_connections`."""
    async with serve(send_seconds=SOON, max_connections=1) as served:
        port = served.gateway.http_port
        with await asyncio.to_thread(unread, port, LARGE):
            status = 503
            while status == 503:  # until the connection is ended, there are too many
                async with plain(port) as (reader, writer):
                    writer.write(b"GET /v1/dishes/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                    status = int((await reader.read()).split()[1])
            assert status == 200


async def test_a_head_behind_unread_responses_is_not_late(serve: Serve) -> None:
    """The server does not read it, and its 408 would be taken for the response to the request before."""
    async with serve(header_seconds=SOON) as served:
        behind = b"GET /v1/dishes/1 HTTP/1.1\r\nhost: x\r\n\r\nGET /v1"
        with await asyncio.to_thread(unread, served.gateway.http_port, LARGE, behind) as client:
            for _ in range(4):  # the timeout passes for another client meanwhile
                async with plain(served.gateway.http_port) as (reader, writer):
                    writer.write(b"G")
                    assert _error(await reader.read())[0] == 408
            found = await asyncio.to_thread(client.makefile("rb").read)
            statuses = [piece[:3] for piece in found.split(b"HTTP/1.1 ")[1:]]
            assert statuses == [b"200", b"200", b"408"]  # the rest of the head does not come


async def test_an_http2_response_that_is_never_read_is_reset(serve: Serve) -> None:
    """Its bytes were held for as long as the connection was open."""
    closed = {Setting.INITIAL_WINDOW_SIZE: 0}
    async with serve(send_seconds=SOON) as served, asyncio.timeout(30):
        async with connected(served.gateway.http_port, closed) as client:
            stream = client.request("/v1/dishes?pageSize=1000")
            await client.flush()
            assert (await client.event(ev.StreamReset, stream)).error_code == ErrorCodes.CANCEL
        async with connected(served.gateway.http_port, {Setting.INITIAL_WINDOW_SIZE: 100}) as client:
            assert len((await client.get("/v1/dishes?pageSize=100"))[1]) > 1000, "a slow reader is served"


@pytest.mark.parametrize("said", [b"", b"\r\n", b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"])
async def test_a_silent_connection_is_closed(said: bytes, serve: Serve) -> None:
    async with serve(keep_alive_seconds=SOON) as served, plain(served.gateway.http_port) as (reader, writer):
        writer.write(said)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200") if said.strip() else answer == b""


async def test_a_silent_http2_connection_is_closed(serve: Serve) -> None:
    async with (
        serve(keep_alive_seconds=SOON) as served,
        asyncio.timeout(30),
        connected(served.gateway.http_port) as client,
    ):
        assert (await client.get("/healthz"))[0][":status"] == "200"
        assert (await client.event(ev.ConnectionTerminated)).error_code == ErrorCodes.NO_ERROR
        await client.eof()


async def test_a_client_without_a_handshake_times_out(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    gateway = Gateway(
        Settings(http_port=0, grpc_port=0, allowed_hosts=("*",), handshake_seconds=SOON, **settings(authority.shown()))
    )
    async with gateway:
        for port in (gateway.http_port, gateway.grpc_port):
            async with plain(port) as (reader, _):
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
        await gateway.stop(0)


# Bodies.


@pytest.mark.parametrize("content_type", [b"application/json", b"application/proto", b"application/grpc-web+proto"])
async def test_a_body_that_stops_is_answered_408(content_type: bytes, serve: Serve) -> None:
    path = b"/v1/wait" if content_type.endswith(b"json") else PATH.encode()
    async with serve(body_seconds=SOON) as served, plain(served.gateway.http_port) as (reader, writer):
        head = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ncontent-length: 100\r\n\r\n{"
        writer.write(head % (path, content_type))
        if content_type.endswith(b"web+proto"):
            # Its response is always 200; the call's status is in the body.
            await reader.readuntil(b"grpc-status: 4\r\ngrpc-message: the request body arrived too slowly")
            return
        raw = await reader.read()
        assert b"connection: close" in raw.lower()
        assert b"the request body arrived too slowly" in raw
        if content_type.endswith(b"json"):
            assert _error(raw)[0] == 408


async def test_a_body_that_stops_over_http2_costs_its_own_stream_only(serve: Serve) -> None:
    async with (
        serve(body_seconds=SOON) as served,
        asyncio.timeout(30),
        connected(served.gateway.http_port) as client,
    ):
        headers = [("content-type", "application/json"), ("content-length", "100")]
        stream = client.request("/v1/wait", "POST", end=False, headers=headers)
        client.h2.send_data(stream, b"{")
        await client.flush()
        found, body = await client.response(stream)
        assert found[":status"] == "408"
        assert json.loads(body)["error"]["status"] == "DEADLINE_EXCEEDED"
        assert (await client.get("/v1/dishes/1"))[0][":status"] == "200"


async def test_a_stream_of_requests_may_be_silent(serve: Serve) -> None:
    async with serve(body_seconds=SOON, header_seconds=SOON, keep_alive_seconds=SOON) as served:
        may = asyncio.Event()

        async def lines() -> AsyncIterator[bytes]:
            yield b'{"number": 1, "text": "k"}\n'
            await may.wait()
            yield b'{"number": 2}\n'

        url, headers = "/v1/sum", {"content-type": "application/x-ndjson"}
        call = asyncio.create_task(served.http.post(url, content=lines(), headers=headers))
        async with plain(served.gateway.http_port) as (reader, writer):
            writer.write(b"POST /v1/wait HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
            assert _error(await reader.read())[0] == 408  # the body's time-out has passed
        may.set()
        answer = await call
        assert answer.status_code == 200, answer.text


class Simulated(asyncio.SelectorEventLoop):
    """A loop whose clock moves only while it waits, and then at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._look = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now

    def _select(self, seconds: float | None = None) -> Any:
        self._now += seconds or 0
        return self._look(seconds and 0)


def simulated(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test that waits for nothing but time."""
    with asyncio.Runner(loop_factory=Simulated) as runner:
        runner.run(test)


class Clocked:
    """Pieces of a body that arrive after these seconds of a simulated loop time."""

    def __init__(self, *pieces: tuple[float, int]) -> None:
        self._pieces = list(pieces)
        self.awaited = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        seconds, size = self._pieces.pop(0)
        self.awaited.set()
        await asyncio.sleep(seconds)  # of that loop's time
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(self._pieces)}


@pytest.mark.parametrize(
    ("timeouts", "pieces", "accepted"),
    [
        (BodyTimeouts(seconds=LONG, pace=0), [(0, 1), (0.01, 1)], True),
        (BodyTimeouts(seconds=0.05, pace=0), [(0, 1), (LONG, 1)], False),
        (BodyTimeouts(seconds=LONG, pace=1e-9), [(0.01, 1)] * 5, True),
        # Each piece is in time, but the rate is too low.
        (BodyTimeouts(seconds=0.2, pace=1e9), [(0.02, 1)] * 100, False),
        # Many bytes extend the time.
        (BodyTimeouts(seconds=5, pace=100), [(0, 10_000), (0.01, 1)], True),
    ],
)
def test_a_body_must_keep_a_minimum_rate(
    timeouts: BodyTimeouts, pieces: list[tuple[float, int]], accepted: bool
) -> None:
    async def check() -> None:
        body = Clocked(*pieces)
        if accepted:
            assert len(await read(body.receive, {}, 1_000_000, timeouts)) == sum(size for _, size in pieces)
            return
        with pytest.raises(StatusError) as late:
            await read(body.receive, {}, 1_000_000, timeouts)
        assert late.value.status.http == 408
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    simulated(check())


async def test_reading_a_slow_body_can_be_cancelled() -> None:
    body = Clocked((LONG, 1))
    reading = asyncio.create_task(read(body.receive, {}, 10, BodyTimeouts(seconds=LONG)))
    await body.awaited.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


# Too many.


async def test_one_connection_too_many_gets_503(serve: Serve) -> None:
    async with serve(max_connections=2) as served:
        port = served.gateway.http_port
        async with plain(port) as (reader, writer), plain(port) as (second, second_writer):
            for each, to in ((reader, writer), (second, second_writer)):
                to.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                assert (await each.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            async with plain(port) as (third, third_writer):
                third_writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                status, error = _error(await third.read())
                assert (status, error["status"]) == (503, "UNAVAILABLE")
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            await reader.read()  # one leaves
            assert (await served.http.get("/v1/dishes/1")).status_code == 200


async def test_over_tls_handshakes_count_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    gateway = Gateway(
        Settings(http_port=0, grpc_port=0, max_connections=1, handshake_seconds=LONG, **settings(authority.shown()))
    )
    async with gateway, asyncio.timeout(30):
        port = gateway.http_port
        async with plain(port, authority.trusting()) as (_, writer):
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            with pytest.raises((OSError, ssl.SSLError)):  # while it is there
                await asyncio.open_connection("localhost", port, ssl=authority.trusting())
        with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
            silent.sendall(b"\x16")
            refused = 0
            while not refused:  # until the gateway has accepted it
                try:
                    _, writer = await asyncio.open_connection("localhost", port, ssl=authority.trusting())
                    writer.close()
                    await writer.wait_closed()
                except OSError:
                    refused += 1
        while True:  # until the gateway has seen it leave
            try:
                async with httpx2.AsyncClient(verify=authority.trusting(), timeout=20) as client:
                    answer = await client.get(f"https://localhost:{port}/healthz")
                break
            except httpx2.TransportError:
                continue
        assert answer.status_code == 200
        await gateway.stop(0)
