"""What strangers can make the server log, by every face: so many bytes for each request, whatever they send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.parity.strangers import KIB, Server, over_http2, undecided
from tests.parity.test_anonymous_cost import HANDSHAKE, SERVICE
from tests.waiting import PATIENCE

REQUESTS = 40
LOGGED = 8 * KIB
"""The most bytes for one of them: two lines, with a header and paths of 1024 characters, which are escaped then."""

LONG = '\\\xff"' * 1500
"""A text that JSON and UTF-8 make longer."""
NAMES = ("user-agent", "referer", "x-request-id", "traceparent", "x-forwarded-for", "authorization", "cookie")
WRONG = {"x-api-key": "wrong", **dict.fromkeys(NAMES, LONG)}
KEYED = tuple(WRONG.items())
GRPC = (("content-type", "application/grpc"), ("te", "trailers"))
PATH = "/" + "%C3%BF%22" * 2500
"""A path of 22 KB that is decoded to characters which are escaped in a log."""


def request(verb: str, path: str, *lines: str) -> bytes:
    """A request without a body over HTTP/1.1."""
    named = [f"{name}: {value}" for name, value in WRONG.items()]
    closing = [] if lines[:2] == HANDSHAKE[:2] else ["connection: close"]
    return "\r\n".join([f"{verb} {path} HTTP/1.1", "host: x", *closing, *lines, *named, "", ""]).encode("latin-1")


FACES: dict[str, tuple[str, bytes]] = {
    "rest": ("http", request("GET", "/v1/dishes/" + "%22" * 3000)),
    "rest, unknown path": ("http", request("GET", PATH)),
    "rest, a path that is not UTF-8": ("http", request("GET", "/v1/dishes/" + "%FF" * 3000)),
    "rest, another verb": ("http", request("PUT" * 20, "/v1/dishes")),
    "connect": ("http", request("POST", f"{SERVICE}/GetDish", "content-type: application/proto", "content-length: 0")),
    "an unknown method": ("http", request("POST", f"/{'a' * 9000}/B", "content-type: application/grpc-web")),
    "grpc-web": ("http", request("POST", f"{SERVICE}/GetDish", "content-type: application/grpc-web")),
    "grpc": ("grpc", over_http2(f"{SERVICE}/GetDish", *GRPC, *KEYED, ended=True)),
    "grpc, unknown method": ("grpc", over_http2("/a.B" + PATH, *GRPC, *KEYED[:2], ended=True)),
    "grpc, another type": ("grpc", over_http2(PATH, ("content-type", LONG), ended=True)),
    "a malformed head over http/2": ("http", over_http2(PATH, ("connection", LONG), ended=True)),
    "a large head over http/2": ("http", over_http2(PATH, *KEYED, *KEYED, *KEYED, ended=True)),
    "a malformed line": ("http", b"GET  " + PATH.encode() + b" HTTP/1.1\r\n\r\n"),
    "a malformed header": ("http", b"GET / HTTP/1.1\r\nhost: x\r\n" + LONG.encode() + b"\r\n\r\n"),
    "no HTTP": ("http", b"\xff\n" * 20_000),
    "a large head": ("http", b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * 100_000),
    "a handshake": ("http", request("GET", "/v1/converse?a=" + "%22" * 3000, *HANDSHAKE)),
    "a handshake to nowhere": ("http", request("GET", PATH, *HANDSHAKE)),
    "an invalid handshake": ("http", request("GET", PATH, *HANDSHAKE[:2])),
}  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with undecided() as running:
        yield running


async def stranger(port: int, data: bytes) -> None:
    """Sends a request, and reads its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if data.startswith(b"PRI "):
        kind = 0
        while kind not in (1, 3, 7):  # HEADERS, RST_STREAM or GOAWAY
            head = await reader.readexactly(9)
            kind = head[3]
            await reader.readexactly(int.from_bytes(head[:3], "big"))
    else:
        assert await reader.read()
    writer.transport.abort()


@pytest.mark.parametrize("face", FACES)
async def test_a_refused_request_costs_few_bytes_of_the_log(server: Server, face: str) -> None:
    port, data = FACES[face]
    chosen = server.http_port if port == "http" else server.grpc_port
    name = "log-" + "".join(filter(str.isalnum, face))
    await server.neighbour(f"{name}-before")
    before = server.log.stat().st_size
    async with asyncio.timeout(PATIENCE):
        for _ in range(REQUESTS):
            await stranger(chosen, data)
    await server.neighbour(f"{name}-after")
    logged = server.log.stat().st_size - before
    assert logged <= (REQUESTS + 1) * LOGGED, f"{logged // REQUESTS} bytes for each"
    assert LONG[:30].encode("latin-1") not in server.log.read_bytes()
