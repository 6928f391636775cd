"""Ten thousand idle connections, and calls on others.

Each has made one call; the idle clients answer pings, as live clients do.
"""

from __future__ import annotations

import asyncio
import struct
from typing import ClassVar, cast

from bench.load import generator
from bench.process import Server, more_files
from bench.production.calls import HOST
from bench.production.program import Program, serving
from bench.request import GET, Result

CROWD = {"HTTP/1.1, kept alive": 5000, "WebSocket": 2500, "gRPC over HTTP/2": 2500}
LOAD_SECONDS = 4.0
P50_RATIO = 1.5
KIB = 64.0
"""The most memory that one idle connection may take."""
AT_A_TIME = 50
Row = list[str]
HEAD = ["beside", "calls/s", "p50 ms", "p99 ms", "p50 of alone", "target", "held"]
MEMORY_HEAD = ["connections", "open", "still open after", "KiB each", "target", "held"]
SERVICE = "/kitchen.v1.KitchenService"


class Idle(asyncio.Protocol):
    """A connection that sends `opening`, waits until `opened` matches, and then only answers pings."""

    opening = f"GET /v1/dishes/1 HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()
    mark = b'"title"'

    def __init__(self) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open = True
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.opening)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        if not self.ready.done():
            if self.mark not in self.rest:
                return
            self.ready.set_result(None)
        self.take()

    def take(self) -> None:
        """Answers the received pings."""
        self.rest = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("an idle connection was not accepted"))


class Socket(Idle):
    """A WebSocket of a bidirectional method."""

    opening = (
        f"GET {SERVICE}/Converse HTTP/1.1\r\nhost: {HOST}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    ).encode()
    mark = b"\r\n\r\n"

    def take(self) -> None:
        """Answers pings, which have two bytes and at most 125 more."""
        if b"\r\n\r\n" in self.rest:
            self.rest = self.rest.partition(b"\r\n\r\n")[2]
        while len(self.rest) >= 2 and len(self.rest) >= 2 + self.rest[1]:
            kind, size = self.rest[0] & 0xF, self.rest[1]
            payload, self.rest = self.rest[2 : 2 + size], self.rest[2 + size :]
            if kind == 9:
                self.transport.write(bytes([0x8A, 0x80 | size, 0, 0, 0, 0]) + payload)  # masked, with zeros


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _field(name: str, value: str) -> bytes:
    # RFC 7541 section 6.2.2: a literal with a new name, without Huffman coding.
    return b"\x00" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


class Rpc(Idle):
    """gRPC over HTTP/2, after one unary call."""

    _FIELDS: ClassVar[dict[str, str]] = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"{SERVICE}/GetDish",
        ":authority": HOST,
        "content-type": "application/grpc",
        "te": "trailers",
    }
    opening = (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(4, 0, 0)
        + _frame(1, 4, 1, b"".join(_field(name, value) for name, value in _FIELDS.items()))
        + _frame(0, 1, 1, b"\0\0\0\0\x03\x0a\x011")
    )
    mark = b"grpc-status"

    def take(self) -> None:
        while len(self.rest) >= 9 and len(self.rest) >= (size := 9 + int.from_bytes(self.rest[:3], "big")):
            frame, self.rest = self.rest[:size], self.rest[size:]
            if frame[3] == 6 and not frame[4]:
                self.transport.write(_frame(6, 1, 0, frame[9:]))


_KINDS: dict[str, type[Idle]] = dict(zip(CROWD, (Idle, Socket, Rpc), strict=True))


async def _crowd(program: Program, kind: type[Idle], count: int) -> list[Idle]:
    loop, crowd = asyncio.get_running_loop(), []
    for start in range(0, count, AT_A_TIME):
        some = [loop.create_connection(kind, HOST, program.http) for _ in range(min(AT_A_TIME, count - start))]
        crowd += [protocol for _, protocol in await asyncio.gather(*some)]
        await asyncio.gather(*(one.ready for one in crowd[start:]))
    return crowd


async def _load(program: Program) -> Result:
    server = Server("gateway", [], http=program.http)
    return await asyncio.to_thread(generator().run, server.http, GET, LOAD_SECONDS)


async def measure() -> tuple[list[Row], list[Row]]:
    """Measures calls alone and with the idle connections, and the cost of each kind of connection."""
    more_files(sum(CROWD.values()) + 500)
    async with serving("--single-port", "--set", "keep_alive_seconds=3600") as program:
        await _load(program)  # warm up
        alone = await _load(program)
        crowds, memory = {}, {}
        for name, count in CROWD.items():
            before = program.resident()
            crowds[name] = await _crowd(program, _KINDS[name], count)
            memory[name] = (program.resident() - before) / 1024 / count
        beside = await _load(program)
        rows = []
        for name, crowd in crowds.items():
            left = sum(one.open for one in crowd)
            held = left == len(crowd) and memory[name] <= KIB
            target = f"all, ≤ {KIB:g} KiB"
            rows.append([name, f"{len(crowd):,}", f"{left:,}", f"{memory[name]:.1f}", target, "yes" if held else "NO"])
        for crowd in crowds.values():
            for one in crowd:
                one.transport.abort()
    return [_row("nobody", alone, alone), _row(f"{sum(CROWD.values()):,} idle connections", beside, alone)], rows


def _row(what: str, one: Result, alone: Result) -> Row:
    ratio = one.p50 / alone.p50
    numbers = [f"{one.rate:,.0f}", f"{one.p50:.2f}", f"{one.p99:.2f}", f"{ratio:.2f}"]
    return [what, *numbers, f"none fails, p50 ≤ {P50_RATIO:g} ×", "yes" if ratio <= P50_RATIO else "NO"]
