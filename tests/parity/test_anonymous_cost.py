"""What a stranger can make the server hold, by every face: no more than one read and what is read ahead.

The authenticator never decides, as while it fetches keys: `test_refused_bodies` has one that refuses.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import h2.events
import h2.exceptions
import pytest
import pytest_asyncio

from tests.gateway.http2_client import connected
from tests.parity.strangers import Server, undecided

SERVICE = "/kitchen.v1.KitchenService"
KIB = 1024
STRANGERS = 24
POURED = 4096 * KIB
"""What each of them sends, if the server reads it."""
STALLED = 0.3
"""Seconds without progress after which a stranger has sent what the server reads."""
HELD = {"1": 640 * KIB, "2": 896 * KIB}
"""The most that one of them may cost, by HTTP version: 64 KiB ahead, a read of 256 KiB that is joined to it, and a
connection; over HTTP/2 the window of a stream, 512 KiB, instead of the 64."""

ENVELOPE = struct.pack(">BI", 0, 3 * 1024 * KIB)
BOMB = base64.urlsafe_b64encode(gzip.compress(bytes(15 * 1024 * KIB))).rstrip(b"=").decode()
PART = b'--B\r\ncontent-disposition: form-data; name="a"\r\n\r\n'
FACES = {
    "rest": ("/v1/dishes", "application/json", b'{"title":"'),
    "rest elements": ("/v1/dishes", "application/json", b'{"tags":["",' + b'"",' * 100_000),
    "rest, unknown path": ("/nowhere", "application/json", b"{"),
    "multipart": ("/v1/blobs", "multipart/form-data; boundary=B", PART),
    "client stream": ("/v1/collect", "application/octet-stream", b""),
    "ndjson": ("/v1/sum", "application/x-ndjson", b"{}\n" * 100_000),
    "array": ("/v1/sum", "application/json", b"[" + b"{}," * 100_000),
    "connect": (f"{SERVICE}/CreateDish", "application/proto", b""),
    "connect stream": (f"{SERVICE}/Sum", "application/connect+proto", ENVELOPE),
    "grpc-web": (f"{SERVICE}/CreateDish", "application/grpc-web+proto", ENVELOPE),
    "grpc-web-text": (f"{SERVICE}/CreateDish", "application/grpc-web-text", base64.b64encode(ENVELOPE + b"a")),
    "an unknown method": ("/kitchen.v1.KitchenService/Nothing", "application/connect+proto", ENVELOPE),
}  # fmt: skip
GRPC = {
    "unary": (f"{SERVICE}/CreateDish", "application/grpc", ENVELOPE),
    "stream": (f"{SERVICE}/Sum", "application/grpc", ENVELOPE),
    "json": (f"{SERVICE}/Sum", "application/grpc+json", ENVELOPE + b"{"),
    "reflection": ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "application/grpc", ENVELOPE),
}


HOLDING: list[asyncio.StreamWriter] = []
"""The connections of strangers that are still held."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with undecided() as running:
        yield running


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def pour(port: int, head: bytes, pieces: Iterator[bytes]) -> None:
    """Sends a head and pieces, reads nothing, and returns once the server reads no more."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(head)
        for piece in pieces:
            writer.write(piece)
            async with asyncio.timeout(STALLED):
                await writer.drain()
        await asyncio.sleep(STALLED)
    HOLDING.append(writer)


async def pour_http2(port: int, path: str, kind: str, first: bytes) -> None:
    """Does the same over HTTP/2, as far as the windows go."""
    async with connected(port) as client:
        stream = client.request(path, "POST", end=False, headers=[("content-type", kind), ("te", "trailers")])
        with contextlib.suppress(EOFError, ConnectionError, TimeoutError, h2.exceptions.ProtocolError):
            for piece in zeros(first):
                while piece:
                    async with asyncio.timeout(STALLED):
                        await client.until(lambda: client.h2.local_flow_control_window(stream) > 0)
                    size = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size)
                    client.h2.send_data(stream, piece[:size])
                    piece = piece[size:]
                    await client.flush()


def zeros(first: bytes) -> Iterator[bytes]:
    """The beginning of a body, and what it announced."""
    yield first
    for _ in range(POURED // (64 * KIB)):
        yield bytes(64 * KIB)


async def held(server: Server, stranger: Callable[[], Awaitable[None]], most: int) -> None:
    """Checks that each of many strangers costs at most so much; in a second round nothing is new to the process."""
    for _ in range(2):
        server.reset_peak()
        before = server.peak()
        await asyncio.gather(*[stranger() for _ in range(STRANGERS)])
        each = (server.peak() - before) // STRANGERS
        for writer in HOLDING:
            writer.transport.abort()
        HOLDING.clear()
        if each < most:
            return
    raise AssertionError(f"each holds {each // KIB} KiB")


def get(target: str, *fields: str) -> bytes:
    """The head of a request without a body."""
    return "\r\n".join([f"GET {target} HTTP/1.1", "host: x", *fields, "", ""]).encode()


def posted(face: str, framing: str) -> bytes:
    """The head of a request for a face."""
    path, kind, _ = FACES[face]
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n".encode()


@pytest.mark.parametrize("face", FACES)
async def test_a_body_over_http1(server: Server, face: str) -> None:
    first = FACES[face][2]
    head = posted(face, f"content-length: {POURED + len(first)}")
    await held(server, lambda: pour(server.http_port, head, zeros(first)), HELD["1"])


@pytest.mark.parametrize("face", ["rest", "ndjson", "connect stream"])
async def test_chunks_of_one_byte(server: Server, face: str) -> None:
    head = posted(face, "transfer-encoding: chunked")
    await held(server, lambda: pour(server.http_port, head, iter([b"1\r\na\r\n" * 10_000] * 60)), HELD["1"])


@pytest.mark.parametrize("face", [*FACES, *GRPC])
async def test_a_body_over_http2(server: Server, face: str) -> None:
    port = server.grpc_port if face in GRPC else server.http_port
    path, kind, first = GRPC[face] if face in GRPC else FACES[face]
    await held(server, lambda: pour_http2(port, path, kind, first), HELD["2"])


async def test_the_message_of_a_connect_get(server: Server) -> None:
    """It is in the query, so that the head carries it, and compressed."""
    assert len(BOMB) < 60 * KIB
    target = f"{SERVICE}/GetDish?connect=v1&encoding=proto&base64=1&compression=gzip&message={BOMB}"
    await held(server, lambda: pour(server.http_port, get(target), iter(())), HELD["1"])


HANDSHAKE = (
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
)
MASK = b"\0\0\0\0"
LARGE = b"\x81\xff" + struct.pack(">Q", 15 * 1024 * KIB) + MASK
SOCKETS = {
    "half a frame": lambda: zeros(LARGE + b'{"metadata":{"a":["'),
    "many pairs": lambda: iter([LARGE, b'{"metadata":{"a":[""', *[b',""' * 20_000] * 60]),
    "fragments": lambda: iter([b"\x01\x80" + MASK, *[b"\0\xfe\x10\0" + MASK + bytes(4096)] * 1000]),
    "empty fragments": lambda: iter([b"\x01\x80" + MASK, *[(b"\0\x80" + MASK) * 10_000] * 60]),
    "pings": lambda: iter([(b"\x89\xfd" + MASK + bytes(125)) * 500] * 60),
}


@pytest.mark.parametrize("target", ["/v1/converse", "/v1/converse?$metadata=frame"])
@pytest.mark.parametrize("frames", SOCKETS)
async def test_frames_of_a_websocket(server: Server, frames: str, target: str) -> None:
    head = get(target, *HANDSHAKE)
    await held(server, lambda: pour(server.http_port, head, SOCKETS[frames]()), HELD["1"])
