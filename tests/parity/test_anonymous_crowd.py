"""A thousand strangers at once by every face: what they make the server hold, and whether a neighbour is served.

`test_anonymous_cost` measures single strangers, who send as much as the server reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.parity.strangers import KIB, Server, over_http2, undecided
from tests.parity.test_anonymous_cost import HANDSHAKE, HELD, LARGE, SERVICE, get
from tests.waiting import PATIENCE

STRANGERS = 1000
SENT = 192 * KIB
"""What each of them sends if the server reads it: more than is read ahead of an authenticator."""
AT_ONCE = 100
"""How many connect in one turn: the kernel's queue of a listening socket is short."""

ENVELOPE = struct.pack(">BI", 0, 3 * 1024 * KIB)
BODY = bytes(SENT)
GRPC = (("content-type", "application/grpc"), ("te", "trailers"))


def post(path: str, kind: str) -> bytes:
    """The head of a POST."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {4096 * KIB}\r\n\r\n"
    return head.encode()


FACES: dict[str, tuple[str, bytes]] = {
    "nothing": ("http", b""),
    "half a head": ("http", b"GET / HTTP/1.1\r\na: " + bytes(b"b" * 60 * KIB)),
    "rest": ("http", post("/v1/dishes", "application/json") + b'{"title":"' + BODY),
    "ndjson": ("http", post("/v1/sum", "application/x-ndjson") + b"{}\n" * (SENT // 3)),
    "connect stream": ("http", post(f"{SERVICE}/Sum", "application/connect+proto") + ENVELOPE + BODY),
    "grpc-web": ("http", post(f"{SERVICE}/CreateDish", "application/grpc-web+proto") + ENVELOPE + BODY),
    "rest over http/2": ("http", over_http2("/v1/dishes", ("content-type", "application/json"), body=b'{"' + BODY)),
    "grpc": ("grpc", over_http2(f"{SERVICE}/CreateDish", *GRPC, body=ENVELOPE + BODY)),
    "grpc stream": ("grpc", over_http2(f"{SERVICE}/Sum", *GRPC, body=ENVELOPE + BODY)),
    "websocket": ("http", get("/v1/converse", *HANDSHAKE) + LARGE + BODY),
    "a metadata frame": ("http", get("/v1/converse?$metadata=frame", *HANDSHAKE) + LARGE + BODY[: 60 * KIB]),
}  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with undecided() as running:
        yield running


async def stranger(port: int, data: bytes) -> asyncio.StreamWriter:
    """Connects and sends; reads nothing."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    return writer


@pytest.mark.parametrize("face", FACES)
async def test_a_thousand_strangers_and_their_neighbour(server: Server, face: str) -> None:
    port, data = FACES[face]
    chosen = server.http_port if port == "http" else server.grpc_port
    server.reset_peak()
    before = server.peak()
    held: list[asyncio.StreamWriter] = []
    try:
        async with asyncio.timeout(PATIENCE):
            for _ in range(STRANGERS // AT_ONCE):
                held += await asyncio.gather(*[stranger(chosen, data) for _ in range(AT_ONCE)])
            with contextlib.suppress(ConnectionError):  # of those that are refused
                await asyncio.gather(*[one.drain() for one in held])
        name = "crowd-" + "".join(filter(str.isalnum, face))
        await server.neighbour(name)  # beside them, and behind what they sent
        assert server.peak() - before < STRANGERS * HELD["2" if "http/2" in face or face[:4] == "grpc" else "1"]
    finally:
        for writer in held:
            writer.transport.abort()
    await server.neighbour(f"{name}-after")
