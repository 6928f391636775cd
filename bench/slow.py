"""Measurements that a load generator cannot make, over plain sockets: large uploads, a stream and its first byte.

It knows only as much HTTP/1.1 as these need.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.process import Server
from bench.request import Request, Result, percentile

UPLOADS_AT_ONCE = 4
_LINE_END = b'"tick"}\n'


@dataclass(frozen=True, slots=True)
class Upload:
    """Seconds for a single upload, and MiB of peak memory that each of several concurrent uploads added."""

    seconds: float
    memory: float


def upload(server: Server, request: Request, times: int) -> Upload:
    """Measures uploads one after another, then several at once; the very first is not measured."""
    wire = request.wire()
    _exchange(server.http, wire)
    took = [_exchange(server.http, wire) for _ in range(times)]
    server.forget_peak()
    before = server.peak()
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as threads:
        list(threads.map(lambda _: _exchange(server.http, wire), range(UPLOADS_AT_ONCE)))
    return Upload(percentile(took, 0.5), (server.peak() - before) / UPLOADS_AT_ONCE)


def _exchange(port: int, wire: bytes) -> float:
    """Returns the seconds from the first byte sent to the end of the answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began = time.perf_counter()
        connection.sendall(wire)
        answer = b""
        while not _complete(answer):
            data = connection.recv(65536)
            if not data:
                break
            answer += data
        took = time.perf_counter() - began
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the upload failed: {answer[:300]!r}")
    return took


def _complete(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    at = head.lower().find(b"content-length:")
    if at < 0:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(head[at + 15 :].split(b"\r", 1)[0])


def first_byte(server: Server, request: Request, times: int) -> Result:
    """Returns milliseconds until a stream's first message; each stream is read to its end before the next begins."""
    wire, took = request.wire(), []
    with socket.create_connection(("127.0.0.1", server.http)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            began, first, answer = time.perf_counter(), 0.0, b""
            connection.sendall(wire)
            while not answer.endswith(b"0\r\n\r\n"):
                data = connection.recv(65536)
                if not data:
                    raise RuntimeError(f"the stream broke: {answer[:300]!r}")
                answer += data
                if not first and b'"tick"' in answer:
                    first = time.perf_counter() - began
            took.append(first * 1e3)
    return Result(1e3 / percentile(took, 0.5), percentile(took, 0.5), percentile(took, 0.99), times)


def stream(server: Server, request: Request, messages: int) -> Result:
    """Reads one stream of so many messages, one a line; rates, CPU time and latencies are those of a message."""
    before, began, received, data = server.cpu_seconds(), time.perf_counter(), 0, b""
    with socket.create_connection(("127.0.0.1", server.http)) as connection:
        connection.sendall(request.wire())
        while not data.endswith(b"0\r\n\r\n"):
            more = connection.recv(1 << 18)
            if not more:
                raise RuntimeError(f"the stream broke after {received} messages")
            # The last bytes may be the start of the next mark.
            data = data[-len(_LINE_END) + 1 :] + more
            received += data.count(_LINE_END)
    took = time.perf_counter() - began
    if received != messages:
        raise RuntimeError(f"{received} messages came instead of {messages}")
    each = took / messages * 1e3
    return Result(messages / took, each, each, messages).used(server.cpu_seconds() - before)
