"""Clients that stop reading a response: their calls end, and those of slow ones do not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import h2.events as ev
import pytest
from google.api import httpbody_pb2
from h2.errors import ErrorCodes

from diptych import Gateway, Settings
from diptych.framing.envelope import envelope
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.certificates import Authority, settings
from tests.conftest import Serve, Served
from tests.gateway.http2_client import Setting, connected
from tests.kitchen import Kitchen

SOON = 0.4
TICK = "/kitchen.v1.KitchenService/Tick"
_REQUEST = envelope(0, b"")


class Endless(Kitchen):
    """Streams for ever, in large messages or in one at a time that a test allows."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.closed = asyncio.Event()

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        try:
            while True:
                yield pb.TickResponse(number=self.sent, text="x" * 20_000)
                self.sent += 1
        finally:
            self.closed.set()

    async def Download(self, request: pb.TickRequest, context: Any) -> AsyncIterator[httpbody_pb2.HttpBody]:
        try:
            while True:
                yield httpbody_pb2.HttpBody(content_type="image/png", data=bytes(20_000))
                self.sent += 1
        finally:
            self.closed.set()


async def counted(served: Served) -> dict[str, float]:
    """The counter by protocol."""
    lines = (await served.http.get("/metrics")).text.splitlines()
    found = (line.partition("} ") for line in lines if line.startswith("diptych_send_timeouts_total{"))
    return {labels.partition('kind="')[2].rstrip('"'): float(value) for labels, _, value in found}


def _post(path: str, kind: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _get(path: str, accept: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "request_",
    [
        _get("/v1/ticks", "application/json"),
        _get("/v1/ticks", "application/x-ndjson"),
        _get("/v1/ticks", "text/event-stream"),
        _get("/v1/download", "*/*"),
        _post(TICK, "application/grpc-web+proto", _REQUEST),
        _post(TICK, "application/connect+proto", _REQUEST),
    ],
    ids=["array", "ndjson", "sse", "bytes", "grpc-web", "connect"],
)
async def test_over_http1_the_connection_is_closed(serve: Serve, request_: bytes) -> None:
    kitchen = Endless()
    async with serve(kitchen, send_seconds=SOON) as served, asyncio.timeout(20):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", served.gateway.http_port))
            client.sendall(request_)
            await kitchen.closed.wait()
        assert await counted(served) == {"http/1.1": 1}


async def test_within_tls_too(tmp_path: Path) -> None:
    authority, kitchen = Authority(tmp_path), Endless()
    gateway = Gateway(
        Settings(http_port=0, grpc_port=0, allowed_hosts=("*",), send_seconds=SOON, **settings(authority.shown()))
    )
    pb_grpc.add_KitchenServiceServicer_to_server(kitchen, gateway)
    async with gateway, asyncio.timeout(20):
        context = authority.trusting(None, "http/1.1")
        reader, writer = await asyncio.open_connection("localhost", gateway.http_port, ssl=context, limit=1024)
        writer.write(_get("/v1/ticks", "application/json"))
        await reader.readuntil(b"\r\n\r\n")
        await kitchen.closed.wait()
        writer.transport.abort()
        await gateway.stop(0)


@pytest.mark.parametrize("path", ["/v1/ticks", "/v1/download"])
async def test_over_http2_the_stream_is_reset(serve: Serve, path: str) -> None:
    kitchen = Endless()
    async with serve(kitchen, send_seconds=SOON) as served, asyncio.timeout(20):
        async with connected(served.gateway.http_port) as client:
            client.credits = False  # its window is exhausted, as when a browser's page does not read
            stream = client.request(path)
            await client.flush()
            assert (await client.event(ev.StreamReset, stream)).error_code == ErrorCodes.CANCEL
            await kitchen.closed.wait()
            client.h2.increment_flow_control_window(1 << 20)
            assert (await client.get("/v1/dishes/1"))[0][":status"] == "200"  # other streams go on
        assert await counted(served) == {"h2": 1}


async def test_an_http2_client_that_answers_nothing_is_closed(serve: Serve) -> None:
    """It gives a large window and then reads nothing of its connection, but sends PINGs."""
    kitchen = Endless()
    async with serve(kitchen, send_seconds=SOON) as served, asyncio.timeout(20):
        async with connected(served.gateway.http_port, {Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}) as client:
            client.h2.increment_flow_control_window(2**31 - 1 - 65535)
            client.request("/v1/ticks")
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await client.flush()
            with suppress(ConnectionError):
                while not kitchen.closed.is_set():
                    client.h2.ping(b"8 bytes.")
                    await client.flush()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(kitchen.closed.wait(), SOON / 4)
        await kitchen.closed.wait()
        assert await counted(served) == {"h2": 1}


@pytest.mark.parametrize("settings", [{"single_port": True}, {}], ids=["single port", "own port"])
async def test_over_grpc(serve: Serve, settings: dict[str, Any]) -> None:
    kitchen = Endless()
    async with serve(kitchen, send_seconds=SOON, **settings) as served, asyncio.timeout(20):
        call = served.rpc.Tick(pb.TickRequest())
        await call.read()
        await kitchen.closed.wait()
        assert await call.code() is grpc.StatusCode.CANCELLED
        assert await counted(served) == {"h2": 1}


async def test_a_slow_reader_is_served(serve: Serve, later: Callable[[float], None]) -> None:
    """Each piece is late by itself for no more than the time-out, all of them together for much longer."""
    kitchen = Endless()
    async with serve(kitchen, send_seconds=60) as served, asyncio.timeout(1000):
        async with connected(served.gateway.http_port) as client:
            client.credits = False
            stream = client.request("/v1/ticks")
            await client.flush()
            await client.until(lambda: len(client.body(stream)) >= 65_535)
            for piece in range(1, 13):
                later(20)
                client.h2.ping(piece.to_bytes(8, "big"))
                await client.flush()
                await client.event(ev.PingAckReceived)  # the server has done what was due
                client.events.clear()
                client.h2.increment_flow_control_window(100)
                client.h2.increment_flow_control_window(100, stream)
                await client.flush()
                await client.until(lambda: client.events)
            assert not kitchen.closed.is_set()
        await kitchen.closed.wait()
        assert await counted(served) == {}


async def test_none_waits_for_ever(serve: Serve) -> None:
    kitchen = Endless()
    async with (
        asyncio.timeout(20),
        serve(kitchen, send_seconds=None, header_seconds=SOON) as served,
        connected(served.gateway.http_port, {Setting.INITIAL_WINDOW_SIZE: 100}) as client,
    ):
        client.credits = False
        stream = client.request("/v1/ticks")
        await client.flush()
        await client.until(lambda: len(client.body(stream)) == 100)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(b"G")
        assert b" 408 " in await reader.read()  # another time-out has passed meanwhile
        writer.close()
        assert not kitchen.closed.is_set()
