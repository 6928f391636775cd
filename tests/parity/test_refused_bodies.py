"""Ten gigabytes without credentials by every face: the gateway's process does not grow."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import struct
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h2.errors
import h2.events
import h2.exceptions
import pytest

from diptych.auth import hash_key, new_key
from tests.conftest import ENGINES
from tests.gateway.http2_client import connected
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
TEN_GIGABYTES = 10 * 1024 * MIB
POURED = 48 * MIB
"""The bytes that each client really sends if it can; it only announces the rest."""
AT_ONCE = 4
HAD_ENOUGH = 1.0
"""Seconds for which a refused client continues: a server that stops reading makes it wait."""
WAITED = 5.0
"""Seconds for which a client waits for an answer."""
GROWTH = 24 * MIB
"""The most memory that all clients together may cost: connections and buffers, under a tenth of the bytes sent."""
SERVICE = "/kitchen.v1.KitchenService"
AUTH = {"api_keys": {"chef": {"hash": hash_key(new_key("chef"))}}}
ENVELOPE = struct.pack(">BI", 0, 0xFFFFFFFF)
SMALLER = struct.pack(">BI", 0, 15 * MIB)
"""Below the message limit, so that the call is not refused for its size."""


@dataclass(frozen=True)
class Running:
    """Runs a gateway in a separate process."""

    pid: int
    http_port: int
    grpc_port: int

    def peak(self) -> int:
        """Its peak memory in bytes."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.stopping", json.dumps({"auth": AUTH, "drain_seconds": 0, **settings})),
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}/tests/gen:{ROOT}", "PATH": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            ports = (await process.stdout.readline()).split()
        yield Running(process.pid, int(ports[0]), int(ports[1]))
        assert process.returncode is None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def pieces(first: bytes) -> Iterable[bytes]:
    """Yields the start of a body and then endless bytes."""
    yield first
    for _ in range(POURED // MIB):
        yield bytes(MIB)


async def http1(port: int, path: str, kind: str, first: bytes = b"", *, chunked: bool = False) -> str:
    """Returns the answer's first line, while a body is sent as long as the server reads."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    length = "transfer-encoding: chunked" if chunked else f"content-length: {TEN_GIGABYTES}"
    writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n{length}\r\n\r\n".encode())

    async def pour() -> None:
        with contextlib.suppress(ConnectionError):
            for piece in pieces(first):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked and piece else piece)
                await writer.drain()

    pouring = asyncio.ensure_future(pour())
    try:
        line = await reader.readline()
        # The client continues to send after the answer until the server closes.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAD_ENOUGH):
                await pouring
        return line.decode().split(" ")[1]
    finally:
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        writer.transport.abort()


async def http2(port: int, path: str, kind: str, first: bytes = b"", *, patience: float = WAITED) -> str:
    """Returns the gRPC status, or else the HTTP status, while a body is sent as the windows allow."""
    async with connected(port) as client:
        head = [("content-type", kind), ("te", "trailers"), ("content-length", str(TEN_GIGABYTES))]
        stream = client.request(path, "POST", end=False, headers=head if first == b"" else head[:2])

        def over() -> bool:
            ends = (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)
            return any(isinstance(one, ends) for one in client.events)

        async def pour(piece: bytes) -> None:
            at = 0
            while at < len(piece):
                await client.until(lambda: client.h2.local_flow_control_window(stream) > 0 or over())
                size = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size)
                if not size:
                    raise EOFError("it was answered, and more is not wanted")
                client.h2.send_data(stream, piece[at : at + size])
                at += size
                await client.flush()

        with contextlib.suppress(EOFError, ConnectionError, TimeoutError, h2.exceptions.ProtocolError):
            async with asyncio.timeout(patience):
                for piece in pieces(first):
                    await pour(piece)
                await client.event(h2.events.StreamEnded, stream)
        said: dict[str, str] = {}
        for event in client.events:
            if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                said |= dict(event.headers)  # type: ignore[arg-type]
        return said.get("grpc-status") or said.get(":status", "reset")


HTTP1 = {
    "rest": ("/v1/dishes", "application/json", b'{"title":"'),
    "raw": ("/v1/blobs", "application/octet-stream", b""),
    "multipart": ("/v1/blobs", "multipart/form-data; boundary=B", b"--B\r\n"),
    "ndjson": ("/v1/sum", "application/x-ndjson", b'{"text":"'),
    "upload": ("/v1/collect", "application/octet-stream", b""),
    "connect": (f"{SERVICE}/CreateDish", "application/proto", b""),
    "connect-json": (f"{SERVICE}/CreateDish", "application/json", b""),
}  # fmt: skip
ENVELOPED = {
    "connect-stream": (f"{SERVICE}/Sum", "application/connect+proto", ENVELOPE),
    "grpc-web": (f"{SERVICE}/GetDish", "application/grpc-web+proto", ENVELOPE),
    "grpc-web-text": (f"{SERVICE}/GetDish", "application/grpc-web-text", base64.b64encode(ENVELOPE + b"a")),
}


async def growth(server: Running, calls: Mapping[str, list[Coroutine[Any, Any, str]]]) -> dict[str, set[str]]:
    """Returns the answers to concurrent clients of each face, which may cost at most `GROWTH`."""
    before = server.peak()
    async with asyncio.timeout(60):
        told = await asyncio.gather(*(asyncio.gather(*several) for several in calls.values()))
    grown = server.peak() - before
    assert grown < GROWTH, f"{grown // MIB} MiB"
    return {name: set(one) for name, one in zip(calls, told, strict=True)}


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
async def test_over_http1_no_body_is_held(chunked: bool) -> None:
    async with running() as server:
        assert await http1(server.http_port, *HTTP1["rest"]) == "401"  # warms up everything that the first call creates
        faces = HTTP1 | ENVELOPED
        calls = {
            name: [http1(server.http_port, *faces[name], chunked=chunked) for _ in range(AT_ONCE)] for name in faces
        }
        told = await growth(server, calls)
        assert told == {name: {"200" if name in ENVELOPED else "401"} for name in faces}


@pytest.mark.parametrize("engine", ["builtin", "grpcio"])  # docs/grpc.md: the native engine reads the body
async def test_over_grpc_at_most_one_message_is_held(engine: str) -> None:
    """Messages below and above the limit; methods with one request and with a client stream."""
    async with running(**ENGINES[engine]) as server:
        await http2(server.grpc_port, f"{SERVICE}/GetDish", "application/grpc", struct.pack(">BI", 0, 0))
        calls = {
            f"{method} {first.hex()}": [
                http2(server.grpc_port, f"{SERVICE}/{method}", "application/grpc", first) for _ in range(AT_ONCE)
            ]
            for method in ("CreateDish", "Sum")
            for first in (ENVELOPE, SMALLER)
            if (engine, method, first) != ("grpcio", "Sum", SMALLER)  # grpcio holds this one message (docs/grpc.md)
        }
        told = await growth(server, calls)
        for name, codes in told.items():
            assert codes <= {"16", "8", "reset"}, (
                name
            )  # UNAUTHENTICATED; RESOURCE_EXHAUSTED if the message is too large as well


async def test_over_http2_no_body_is_held() -> None:
    async with running(single_port=True) as server:
        assert await http2(server.http_port, *HTTP1["rest"][:2], patience=PATIENCE) == "401"
        calls = {
            name: [http2(server.http_port, path, kind, patience=PATIENCE) for _ in range(AT_ONCE)]
            for name, (path, kind, _) in HTTP1.items()
        }
        assert await growth(server, calls) == {name: {"401"} for name in HTTP1}
