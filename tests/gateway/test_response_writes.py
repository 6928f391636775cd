"""A small response is one write, so that no client receives its head without its body.

A client's deadline ends at about the time of the server's. If it ends between the head and the body of an error, the
client has a status without a message.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from diptych.http_server.h1.protocol import Http1Protocol
from tests.conftest import Serve
from tests.gateway.http1_client import answers
from tests.gateway.http2_client import connected
from tests.kitchen import Kitchen

BOTH_WAYS = True

KEY = b'{"key":"k"}'
FRAMED_KEY = b"\0\0\0\0\3\x0a\1k"  # the same as a message of gRPC-Web
ECHO = b'{"stringValue":"soup"}'
HEADERS, DATA = 1, 0  # types of frames, RFC 9113 section 6


@dataclass(frozen=True)
class Call:
    """A request, and a part of its response."""

    path: str
    headers: dict[str, str]
    body: bytes
    part: bytes
    verb: str = "POST"

    @property
    def head(self) -> bytes:
        """The head in HTTP/1.1."""
        fields = {"host": "x", "connection": "close", "content-length": str(len(self.body)), **self.headers}
        lines = (f"{self.verb} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", "")
        return "\r\n".join(lines).encode()


JSON = {"content-type": "application/json"}
WEB = {"content-type": "application/grpc-web+proto"}
RPC = "/kitchen.v1.KitchenService"
LATE = {
    "Connect": Call(f"{RPC}/Wait", {**JSON, "connect-timeout-ms": "20"}, KEY, b'"deadline_exceeded"'),
    "gRPC-Web": Call(f"{RPC}/Wait", {**WEB, "grpc-timeout": "20m"}, FRAMED_KEY, b"grpc-status: 4\r\n"),
    "REST": Call("/v1/wait", {**JSON, "x-server-timeout": "0.02"}, KEY, b'"DEADLINE_EXCEEDED"'),
}
"""Calls that exceed their deadline."""
FINE = {
    "Connect": Call(f"{RPC}/Echo", JSON, ECHO, b'"soup"'),
    "REST": Call("/v1/echo", JSON, ECHO, b'"soup"'),
    "REST stream": Call("/v1/ticks?count=1", {"accept": "application/x-ndjson"}, b"", b'"number":"1"', "GET"),
}


class Recorded:
    """A transport that records what is written."""

    def __init__(self, transport: asyncio.Transport, writes: list[bytes]) -> None:
        self._transport, self._writes = transport, writes

    def write(self, data: bytes) -> None:
        if data:
            self._writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the server has written on its connections."""
    found: list[bytes] = []
    made = Http1Protocol.connection_made

    def recorded(protocol: Http1Protocol, transport: Any) -> None:
        made(protocol, Recorded(transport, found))  # type: ignore[arg-type]

    monkeypatch.setattr(Http1Protocol, "connection_made", recorded)
    return found


@pytest.fixture(params=["whole", "in pieces"])
def pieces(request: pytest.FixtureRequest) -> bool:
    """Whether the body of the request arrives behind its head."""
    return bool(request.param == "in pieces")


async def read_alone() -> None:
    """Lets the gateway, which is on this loop, read what was written."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def received(serve: Serve, call: Call, *, pieces: bool) -> bytes:
    """Sends a request over HTTP/1.1, and returns everything that is received until the server closes."""
    async with asyncio.timeout(30), serve(Kitchen()) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(call.head)
        if pieces:
            await read_alone()
        writer.write(call.body)
        data = await reader.read()
        writer.close()
        return data


@pytest.mark.parametrize("call", LATE.values(), ids=LATE)
async def test_an_error_is_one_write(serve: Serve, writes: list[bytes], pieces: bool, call: Call) -> None:
    data = await received(serve, call, pieces=pieces)
    [answer] = answers(data)
    assert call.part in answer.body
    assert writes == [data]


@pytest.mark.parametrize("call", LATE.values(), ids=LATE)
async def test_an_error_is_one_write_over_http_2(serve: Serve, writes: list[bytes], pieces: bool, call: Call) -> None:
    async with (
        asyncio.timeout(30),
        serve(Kitchen()) as served,
        connected(served.gateway.http_port) as client,
    ):
        stream = client.request(call.path, call.verb, end=False, headers=list(call.headers.items()))
        if pieces:
            await client.flush()
            await read_alone()
        client.h2.send_data(stream, call.body, end_stream=True)
        await client.flush()
        _, body = await client.response(stream)
    assert call.part in body
    [answer] = [kinds for kinds in map(frames_of, writes) if (HEADERS, stream) in kinds]
    assert answer[:2] == [(HEADERS, stream), (DATA, stream)]


def frames_of(data: bytes) -> list[tuple[int, int]]:
    """Returns the type and the stream of each frame."""
    found, at = [], 0
    while at < len(data):
        found.append((data[at + 3], int.from_bytes(data[at + 5 : at + 9], "big")))
        at += 9 + int.from_bytes(data[at : at + 3], "big")
    return found


@pytest.mark.parametrize("call", FINE.values(), ids=FINE)
async def test_a_head_goes_out_with_the_first_message(
    serve: Serve, writes: list[bytes], pieces: bool, call: Call
) -> None:
    data = await received(serve, call, pieces=pieces)
    [answer] = answers(data)
    assert (answer.status, call.part in answer.body) == (200, True)
    assert writes[0].startswith(b"HTTP/1.1 200 ")
    assert call.part in writes[0]


async def test_a_large_body_is_not_copied_behind_the_head(serve: Serve, writes: list[bytes], pieces: bool) -> None:
    body = b"x" * 100_000
    data = await received(serve, Call("/v1/mirror", {"content-type": "text/plain"}, body, b""), pieces=pieces)
    [answer] = answers(data)
    assert answer.body == body
    assert len(writes) == 2
    assert writes[0].endswith(b"\r\n\r\n")
