"""The cost of idle clients, and of clients that do not read, to a client that makes unary calls."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import websockets

from bench.request import percentile
from bench.streams.clients import HOST, SERVICE

_EVENTS = b"accept: text/event-stream\r\n\r\n"
_GET = b"GET /v1/dishes/dish-0 HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def latency(port: int, calls: int) -> tuple[float, float]:
    """Returns the median and 99th percentile of sequential unary REST calls, in milliseconds."""
    reader, writer = await asyncio.open_connection(HOST, port)
    took: list[float] = []
    for _ in range(calls):
        began = time.perf_counter()
        writer.write(_GET)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append((time.perf_counter() - began) * 1e3)
    writer.close()
    return percentile(took, 0.5), percentile(took, 0.99)


async def held(port: int) -> float:
    """Returns for how many milliseconds at most the server's event loop served nothing else since the last call."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /v1/dishes/held HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return float(json.loads(answer.partition(b"\r\n\r\n")[2])["rating"])


@asynccontextmanager
async def idle_sockets(port: int, count: int) -> AsyncIterator[None]:
    """Opens WebSockets of a bidirectional method on which no message is sent."""
    url = f"ws://{HOST}:{port}{SERVICE}/Converse"
    opened = []
    try:
        for _ in range(count):
            opened.append(await websockets.connect(url, compression=None, ping_interval=None))
        yield
    finally:
        await asyncio.gather(*(ws.close() for ws in opened))


async def _narrow(port: int) -> socket.socket:
    # By default the kernel lets loopback buffers grow to megabytes.
    narrow = socket.socket()
    narrow.setblocking(False)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(narrow, (HOST, port))
    return narrow


@asynccontextmanager
async def slow_readers(port: int, count: int, busy: Callable[[], float]) -> AsyncIterator[None]:
    """Opens endless streams whose clients read nothing; `busy` returns the server's CPU seconds so far."""
    opened = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection(sock=await _narrow(port), limit=1024)
            writer.write(b"GET /v1/ticks?count=2000000000 HTTP/1.1\r\nhost: localhost\r\n" + _EVENTS)
            await reader.readuntil(b"\r\n\r\n")
            opened.append(writer)
        # Until the kernel's buffers are full, the server sends as to a hundred fast readers.
        before = -1.0
        while (now := busy()) > before:
            before = now
            await asyncio.sleep(0.5)
        yield
    finally:
        for writer in opened:
            writer.transport.abort()
