"""What clients that do nothing, or read nothing, cost one that makes unary calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import websockets

from bench.request import percentile
from bench.streams.clients import HOST, SERVICE

_GET = b"GET /v1/dishes/dish-0 HTTP/1.1\r\nhost: bench\r\n\r\n"


async def latency(port: int, calls: int) -> tuple[float, float]:
    """Median and 99th percentile of unary REST calls one after another, in milliseconds."""
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


@asynccontextmanager
async def idle_sockets(port: int, count: int) -> AsyncIterator[None]:
    """WebSockets of a bidirectional method on which nothing is said."""
    url = f"ws://{HOST}:{port}{SERVICE}/Converse"
    opened = []
    try:
        for _ in range(count):
            opened.append(await websockets.connect(url, compression=None, ping_interval=None))
        yield
    finally:
        await asyncio.gather(*(ws.close() for ws in opened))


@asynccontextmanager
async def slow_readers(port: int, count: int) -> AsyncIterator[None]:
    """Clients of a stream without end that read nothing of it."""
    opened = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection(HOST, port, limit=1024)
            writer.write(b"GET /v1/ticks?count=2000000000 HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            opened.append(writer)
        # Until the kernel's buffers are full, the server works for them.
        await asyncio.sleep(5)
        yield
    finally:
        for writer in opened:
            writer.transport.abort()
