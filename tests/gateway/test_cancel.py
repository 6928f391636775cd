"""TRANSCODING.md section 5: the client's disconnect cancels the handler, and nothing of the call is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served, every_engine
from tests.gateway.http2_client import Code, connected
from tests.kitchen import Kitchen

BOTH_WAYS = True


async def connect(served: Served, request: str, body: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends a request on a new connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
    head = f"{request} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    return reader, writer


async def only_this_task(before: set[asyncio.Task[Any]]) -> None:
    """Returns when no task is left that was not there before; the test's own time limit catches a leak."""
    while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
        await asyncio.wait(left)


@pytest.mark.parametrize("settings", [{}, {"max_deadline_seconds": 60}], ids=["inline", "timed"])
@pytest.mark.parametrize("middleware", [False, True], ids=["bare", "middleware"])
async def test_a_disconnect_cancels_a_unary_call(serve: Serve, settings: dict[str, Any], middleware: bool) -> None:
    kitchen = Kitchen()
    async with serve(kitchen, **settings) as served, asyncio.timeout(10):
        if middleware:
            served.gateway.app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, forward: forward(request))
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        _, writer = await connect(served, "POST /v1/wait", b'{"key":"k"}')
        await kitchen.waiting["k"].wait()
        writer.close()
        await kitchen.cancelled["k"].wait()
        await only_this_task(before)


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/event-stream"])
@pytest.mark.parametrize("sent", [0, 2])
async def test_a_disconnect_cancels_a_stream(serve: Serve, accept: str, sent: int) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(10):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(f"GET /v1/ticks?count=9&key=k HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\n\r\n".encode())
        await kitchen.waiting["k"].wait()
        for number in range(1, sent + 1):
            kitchen.steps["k"].release()
            await reader.readuntil(b'"number":"%d"' % number)
        writer.close()
        await kitchen.cancelled["k"].wait()
        await only_this_task(before)


class Unread(Kitchen):
    """Reads no request, and waits for its client to leave."""

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        return await self._unread()

    async def Converse(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.TickResponse]:
        yield await self._unread()

    async def _unread(self) -> pb.TickResponse:
        self.waiting["k"].set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled["k"].set()
            raise
        return pb.TickResponse()


@pytest.mark.parametrize("path", ["/v1/sum", "/v1/converse"])
async def test_a_disconnect_cancels_a_stream_with_unread_requests(serve: Serve, path: str) -> None:
    kitchen = Unread()
    async with serve(kitchen) as served, asyncio.timeout(10):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        _, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ncontent-length: 999\r\n\r\n"
        writer.write(head.encode() + b'{"number":1}\n')
        await kitchen.waiting["k"].wait()
        for _ in range(3):
            writer.write(b'{"number":1}\n')
            await writer.drain()
        writer.close()
        await kitchen.cancelled["k"].wait()
        await only_this_task(before)


@pytest.mark.parametrize("lines", [1, 16_000], ids=["one line", "more than is read ahead"])
async def test_a_reset_cancels_a_stream_with_unread_requests(serve: Serve, lines: int) -> None:
    kitchen = Unread()
    async with serve(kitchen) as served, asyncio.timeout(20):
        before = asyncio.all_tasks()
        async with connected(served.gateway.http_port) as client:
            kind = [("content-type", "application/x-ndjson")]
            stream = client.request("/v1/sum", "POST", end=False, headers=kind)
            await client.flush()
            await kitchen.waiting["k"].wait()
            body = b'{"number":1}\n' * lines
            for start in range(0, len(body), 16384):
                client.h2.send_data(stream, body[start : start + 16384])
                await client.flush()
            client.h2.reset_stream(stream, Code.CANCEL)
            await client.flush()
            await kitchen.cancelled["k"].wait()
        await only_this_task(before)


@every_engine
async def test_a_grpc_cancel_is_the_same(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(10):
        call = served.rpc.Wait(pb.WaitRequest(key="k"))
        waiting = asyncio.ensure_future(call.code())
        await kitchen.waiting["k"].wait()
        call.cancel()
        await kitchen.cancelled["k"].wait()
        assert await waiting is grpc.StatusCode.CANCELLED


async def test_a_pipelined_request_is_not_a_disconnect(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(10):
        reader, writer = await connect(served, "POST /v1/wait", b'{"key":"k"}')
        await kitchen.waiting["k"].wait()
        writer.write(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\r\n")  # pipelined
        await writer.drain()
        kitchen.released["k"].set()
        assert await reader.readuntil(b"\r\n\r\n{}")
        assert b'"id":"7"' in await reader.readuntil(b"}")
        assert not kitchen.cancelled["k"].is_set()
        writer.close()


async def test_a_missing_body_ends_with_its_client(serve: Serve) -> None:
    async with serve() as served, asyncio.timeout(10):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        _, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(b"POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await only_this_task(before)


class Done(Kitchen):
    """Signals when and how its call ends."""

    def __init__(self) -> None:
        super().__init__()
        self.over: asyncio.Queue[tuple[bool, bool]] = asyncio.Queue()

    async def Wait(self, request: pb.WaitRequest, context: Any) -> Any:
        context.add_done_callback(lambda it: self.over.put_nowait((it.done(), it.cancelled())))
        return await super().Wait(request, context)


async def test_done_callbacks_see_the_cancellation(serve: Serve) -> None:
    kitchen = Done()
    async with serve(kitchen) as served, asyncio.timeout(10):
        _, writer = await connect(served, "POST /v1/wait", b'{"key":"k"}')
        await kitchen.waiting["k"].wait()
        writer.close()
        assert await kitchen.over.get() == (True, True)
        kitchen.released["l"].set()
        await served.http.post("/v1/wait", json={"key": "l"})
        assert await kitchen.over.get() == (True, False)


class Threaded(Kitchen):
    """Plain functions that wait for their client to leave."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.left, self.closed = threading.Event(), threading.Event(), threading.Event()

    def Wait(self, request: pb.WaitRequest, context: grpc.ServicerContext) -> Any:  # type: ignore[override]
        context.add_callback(self.left.set)
        self.began.set()
        self.left.wait(10)
        assert not context.is_active()
        self.closed.set()

    def Tick(self, request: pb.TickRequest, context: grpc.ServicerContext) -> Iterator[pb.TickResponse]:  # type: ignore[override]
        try:
            for number in range(1, 10**9):
                yield pb.TickResponse(number=number)
        finally:
            self.closed.set()


async def soon(event: threading.Event) -> None:
    """Waits for a thread's event without holding the loop."""
    assert await asyncio.get_running_loop().run_in_executor(None, event.wait, 10)


async def test_a_thread_learns_that_its_client_left(serve: Serve) -> None:
    kitchen = Threaded()
    async with serve(kitchen) as served, asyncio.timeout(20):
        _, writer = await connect(served, "POST /v1/wait", b'{"key":"k"}')
        await soon(kitchen.began)
        writer.close()
        await soon(kitchen.closed)


async def test_a_generator_in_a_thread_is_closed(serve: Serve) -> None:
    kitchen = Threaded()
    async with serve(kitchen) as served, asyncio.timeout(20):
        reader, writer = await connect(served, "GET /v1/ticks")
        await reader.readuntil(b'"number":"3"')
        writer.close()
        await soon(kitchen.closed)


async def test_no_thread_outlives_its_gateway(serve: Serve) -> None:
    before = set(threading.enumerate())
    async with serve(Threaded()) as served:
        assert (await served.http.get("/v1/dishes/special")).status_code == 200
        ours = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("diptych")]
        assert ours
    for thread in ours:
        thread.join(10)
        assert not thread.is_alive()


class Swallow(Kitchen):
    """Ignores its cancellation and continues."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    async def Wait(self, request: pb.WaitRequest, context: Any) -> Any:
        try:
            await super().Wait(request, context)
        except asyncio.CancelledError:
            self.ended.set()
        return None

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        yield pb.TickResponse(number=1)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.set()
        yield pb.TickResponse(number=2)


@pytest.mark.parametrize("request_line", ["POST /v1/wait", "GET /v1/ticks"])
async def test_a_servicer_that_swallows_its_cancellation(serve: Serve, request_line: str) -> None:
    kitchen = Swallow()
    async with serve(kitchen) as served, asyncio.timeout(10):
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        reader, writer = await connect(served, request_line, b'{"key":"k"}' if "POST" in request_line else b"")
        if "POST" in request_line:
            await kitchen.waiting["k"].wait()
        else:
            await reader.readuntil(b'"number":"1"')
        writer.close()
        await kitchen.ended.wait()
        await only_this_task(before)
        assert (await served.http.get("/v1/dishes/1")).status_code == 200
