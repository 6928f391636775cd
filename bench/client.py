"""The load generator for thousands of connections, and for machines without wrk: asyncio protocols on uvloop.

Run as a separate process, `python -m bench.client PORT SECONDS CONNECTIONS` with the request on stdin; it prints its
measurements as JSON. It only finds the end of each response, so that it costs a fraction of any measured server. It
opens all connections before the first sends: Linux resets some of many that are opened at once, or at a busy server.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from bench.request import percentile

_LENGTH = b"content-length: "
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Connection(asyncio.Protocol):
    """Sends the request again as soon as its answer is complete."""

    def __init__(self, request: bytes, latencies: list[float], failures: list[bytes]) -> None:
        self._request, self._latencies, self._failures = request, latencies, failures
        self._buffer = b""
        self._expected = 0
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are not a subclass

    def send(self) -> None:
        assert self._transport is not None
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        if not self._expected:
            self._expected = _whole(buffer)
            if not self._expected:
                return
        if len(buffer) < self._expected:
            return
        self._latencies.append(time.perf_counter() - self._sent)
        if not buffer.startswith(b"HTTP/1.1 200"):
            self._failures.append(buffer[:200])
        self._buffer, self._expected = b"", 0
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._failures.append(str(exc).encode())


def _whole(buffer: bytes) -> int:
    """Returns the length of the response at the start of the buffer; 0 while it is not known."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return 0
    at = buffer.find(_LENGTH, 0, end)
    if at < 0:
        at = buffer[:end].lower().find(_LENGTH)
    if at < 0:
        last = buffer.find(_LAST_CHUNK, end)
        return 0 if last < 0 else last + len(_LAST_CHUNK)
    at += len(_LENGTH)
    return end + 4 + int(buffer[at : buffer.find(b"\r", at)])


async def main(port: int, seconds: float, connections: int, request: bytes) -> None:
    latencies: list[float] = []
    failures: list[bytes] = []
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Connection(request, latencies, failures), "127.0.0.1", port)
        for _ in range(connections)
    ]
    began = time.perf_counter()
    for _, connection in opened:
        connection.send()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    done, wrong = latencies.copy(), len(failures)
    for transport, _ in opened:
        transport.abort()
    if wrong or not done:
        raise SystemExit(f"{wrong} of {len(done)} responses were wrong: {failures[:1]}")
    report = {
        "rate": len(done) / took,
        "p50": percentile(done, 0.5) * 1e3,
        "p99": percentile(done, 0.99) * 1e3,
        "requests": len(done),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.stdin.buffer.read()))
