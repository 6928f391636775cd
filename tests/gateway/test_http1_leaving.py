"""Clients of HTTP/1.1 that leave, in each state of a connection: a call is cancelled once, and nothing is left."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.gateway.http1_client import POST, Ledger, get
from tests.gateway.test_cancel import only_this_task
from tests.kitchen import Context
from tests.waiting import until_told

WAIT = b'POST /v1/wait HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"key":"k"}'
NDJSON = b"accept: application/x-ndjson\r\n\r\n"
TICKS = b"GET /v1/ticks?count=%d&key=%b HTTP/1.1\r\nhost: x\r\n" + NDJSON
SUM = b"POST /v1/sum HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n"


class Fates(Ledger):
    """Records each cancellation."""

    def __init__(self) -> None:
        super().__init__()
        self.cancels: list[str] = []

    async def Wait(self, request: pb.WaitRequest, context: Context) -> Any:
        try:
            return await super().Wait(request, context)
        except asyncio.CancelledError:
            self.cancels.append("wait")
            raise

    async def Tick(self, request: pb.TickRequest, context: Context) -> AsyncIterator[pb.TickResponse]:
        try:
            async for tick in super().Tick(request, context):
                yield tick
        except (asyncio.CancelledError, GeneratorExit):
            self.cancels.append("tick")
            raise

    async def Sum(self, request_iterator: Any, context: Context) -> pb.TickResponse:
        self.waiting["sum"].set()
        try:
            return await super().Sum(request_iterator, context)
        except asyncio.CancelledError:
            self.cancels.append("sum")
            raise


class Visitor:
    """A client on a connection of its own, which leaves by a close or by a reset."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def leave(self, *, reset: bool) -> None:
        if reset:  # SO_LINGER of zero seconds
            linger = struct.pack("ii", 1, 0)
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.writer.transport.abort()
        else:
            self.writer.close()


async def visitor(served: Served) -> Visitor:
    """Connects, with a receive buffer that is small enough that a large answer does not fit into the kernel."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", served.gateway.http_port))
    return Visitor(*await asyncio.open_connection(sock=connection, limit=4096))


async def connections(served: Served) -> int:
    """How many connections the gateway has, by its metrics, apart from the one that asks."""
    text = (await served.http.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("diptych_connections{")]
    return int(sum(float(line.rpartition(" ")[2]) for line in lines)) - 1


async def until_connections(served: Served, expected: int) -> None:
    """Waits until the gateway has this many connections, apart from the one that asks."""

    async def reached() -> bool:
        return await connections(served) == expected

    await until_told(reached)


leaving = pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])


@leaving
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"P",  # the HTTP/2 preface begins like this
        b"GET /v1/dis",
        b"GET /v1/dishes/7 HTTP/1.1\r\n",
        b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\nlo",
        b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\r",
        POST + b"content-length: 100\r\n\r\n",
        POST + b'content-length: 100\r\n\r\n{"string',
        POST + b"transfer-encoding: chunked\r\n\r\n1",
        POST + b'transfer-encoding: chunked\r\n\r\n9\r\n{"stri',
        POST + b"transfer-encoding: chunked\r\n\r\n2;a",
        POST + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\na: b",
        POST + b"expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
        SUM + b"transfer-encoding: chunked\r\n\r\n",
    ],
)
async def test_before_the_request_is_complete(serve: Serve, sent: bytes, reset: bool) -> None:
    kitchen = Fates()
    async with serve(kitchen) as served, asyncio.timeout(20):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        client = await visitor(served)
        client.writer.write(sent)
        await until_connections(served, 1)
        client.leave(reset=reset)
        await until_connections(served, 0)
        await only_this_task(before)
        assert kitchen.executed == []
        assert len(kitchen.cancels) <= 1  # the stream's, if it had begun


@leaving
@pytest.mark.parametrize("settings", [{}, {"max_deadline_seconds": 60}], ids=["inline", "timed"])
@pytest.mark.parametrize(
    "behind",
    [
        b"",
        get("7"),
        get("7") + get("8") + WAIT,
        b"GET /v1/dis",
        POST + b"content-length: 100\r\n\r\n{",
        b"\x00nonsense\r\n",
    ],
    ids=["nothing", "a request", "requests", "half a request line", "half a body", "nonsense"],
)
async def test_while_the_servicer_runs(serve: Serve, settings: Any, behind: bytes, reset: bool) -> None:
    kitchen = Fates()
    async with serve(kitchen, **settings) as served, asyncio.timeout(20):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        client = await visitor(served)
        client.writer.write(WAIT + behind)
        await kitchen.waiting["k"].wait()
        client.leave(reset=reset)
        await kitchen.cancelled["k"].wait()
        await until_connections(served, 0)
        await only_this_task(before)
        assert kitchen.cancels == ["wait"]
        assert kitchen.executed == []  # its client has left


@leaving
async def test_while_the_servicer_of_a_request_between_others_runs(serve: Serve, reset: bool) -> None:
    kitchen = Fates()
    async with serve(kitchen) as served, asyncio.timeout(20):
        client = await visitor(served)
        client.writer.write(get("1") + WAIT + get("2"))
        await kitchen.waiting["k"].wait()
        client.leave(reset=reset)
        await kitchen.cancelled["k"].wait()
        await until_connections(served, 0)
        assert kitchen.cancels == ["wait"]


@leaving
async def test_while_a_stream_of_requests_runs(serve: Serve, reset: bool) -> None:
    kitchen = Fates()
    async with serve(kitchen) as served, asyncio.timeout(20):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        client = await visitor(served)
        client.writer.write(SUM + b'transfer-encoding: chunked\r\n\r\ne\r\n{"number":"1"}\r\n')
        await kitchen.waiting["sum"].wait()
        client.leave(reset=reset)
        await until_connections(served, 0)
        await only_this_task(before)
        assert len(kitchen.cancels) <= 1  # the servicer sees its stream fail, or is cancelled


@leaving
@pytest.mark.parametrize("read", [0, 1], ids=["before the first message", "after it"])
async def test_while_a_stream_waits_for_its_servicer(serve: Serve, read: int, reset: bool) -> None:
    kitchen = Fates()
    async with serve(kitchen) as served, asyncio.timeout(20):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        client = await visitor(served)
        client.writer.write(TICKS % (9, b"k"))
        await kitchen.waiting["k"].wait()
        for number in range(read):
            kitchen.steps["k"].release()
            await client.reader.readuntil(b'"number":"%d"' % (number + 1))
        client.leave(reset=reset)
        await kitchen.cancelled["k"].wait()
        await until_connections(served, 0)
        await only_this_task(before)
        assert kitchen.cancels == ["tick"]


@leaving
async def test_while_a_stream_waits_for_the_client(serve: Serve, reset: bool) -> None:
    kitchen = Fates()
    async with serve(kitchen) as served, asyncio.timeout(20):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        client = await visitor(served)
        client.writer.write(TICKS % (10**9, b""))
        await client.reader.readuntil(b'"number":"1"')
        client.leave(reset=reset)
        await kitchen.cancelled[""].wait()
        await until_connections(served, 0)
        await only_this_task(before)
        assert kitchen.cancels == ["tick"]


@leaving
@pytest.mark.parametrize("behind", [b"", get("7")], ids=["alone", "a request behind it"])
async def test_while_a_large_answer_is_written(serve: Serve, behind: bytes, reset: bool) -> None:
    kitchen = Fates()
    body = b'{"stringValue":"%b"}' % (b"x" * 8_000_000)  # more than the kernel buffers
    async with serve(kitchen) as served, asyncio.timeout(20):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        client = await visitor(served)
        client.writer.write(POST + b"content-length: %d\r\n\r\n" % len(body) + body + behind)
        await client.reader.readuntil(b"\r\n\r\n")
        assert await connections(served) == 1
        client.leave(reset=reset)
        await until_connections(served, 0)
        await only_this_task(before)
        assert [one[:6] for one in kitchen.executed] in (["echo x"], ["echo x", "7"])


@leaving
@pytest.mark.parametrize("behind", [b"", b"GET /v1/dis"], ids=["idle", "half a request"])
async def test_between_requests(serve: Serve, behind: bytes, reset: bool) -> None:
    kitchen = Fates()
    async with serve(kitchen) as served, asyncio.timeout(20):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        client = await visitor(served)
        client.writer.write(get("7") + get("8") + behind)
        for name in (b"7", b"8"):
            await client.reader.readuntil(b'"id":"%b"' % name)
        assert await connections(served) == 1
        client.leave(reset=reset)
        await until_connections(served, 0)
        await only_this_task(before)
        assert kitchen.executed == ["7", "8"]
        assert kitchen.cancels == []
