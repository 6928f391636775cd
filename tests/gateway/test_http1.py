"""HTTP/1.1 on the wire, with faulty clients: broken pipelines, and queries that are not text."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.conftest import Serve, Served
from tests.kitchen import Kitchen

BOTH_WAYS = True

pytestmark = pytest.mark.usefixtures("unhurried")
WAIT = b'POST /v1/wait HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"key":"k"}'
NEXT = b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\r\n"
BROKEN = b"\x00\x01 nonsense\r\n\r\n"


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client can read the last response, even if unread data of it has arrived meanwhile."""
    monkeypatch.setattr("diptych.http_server.lingering_close._LINGER_SECONDS", 60)


@asynccontextmanager
async def talking(served: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Opens a plain connection, and closes it at the end."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.parametrize("behind", [BROKEN, NEXT + BROKEN], ids=["at once", "behind another"])
async def test_a_broken_pipelined_request_does_not_affect_the_pending_response(serve: Serve, behind: bytes) -> None:
    """A 400 for it would be mistaken for the response to the previous request."""
    kitchen = Kitchen()
    async with serve(kitchen) as served, talking(served) as (reader, writer):
        writer.write(WAIT + behind)
        await kitchen.waiting["k"].wait()
        writer.write(BROKEN)
        kitchen.released["k"].set()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert body == b"{}"
        assert not kitchen.cancelled["k"].is_set()


async def test_a_broken_body_adds_nothing_to_a_begun_response(serve: Serve) -> None:
    async with serve() as served, talking(served) as (reader, writer):
        head = b"POST /v1/converse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
        writer.write(head + b"content-type: application/x-ndjson\r\naccept: application/x-ndjson\r\n\r\n")
        writer.write(b'f\r\n{"number": "1"}\r\n1\r\n\n\r\n')
        await reader.readuntil(b'{"number":"1","text":""}')
        writer.write(b"nonsense\r\n")
        assert b"HTTP" not in await reader.read()


async def test_a_broken_body_is_refused_and_not_logged_as_an_error(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /v1/echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n"
    async with serve() as served, talking(served) as (reader, writer):
        writer.write(head + b"content-type: application/json\r\n\r\nnonsense\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["status"] == "INVALID_ARGUMENT"
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_a_client_that_leaves_cancels_its_first_pipelined_request(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served:
        async with talking(served) as (_, writer):
            writer.write(WAIT + NEXT)
            await kitchen.waiting["k"].wait()
        async with asyncio.timeout(20):
            await kitchen.cancelled["k"].wait()


@pytest.mark.parametrize(("method", "status"), [("GetSpecial", 200), ("Unbound", 405)])
async def test_a_connect_query_of_any_bytes_causes_no_server_error(serve: Serve, method: str, status: int) -> None:
    """`Unbound` has one path for REST and for Connect, so that the query decides whose request it is."""
    async with serve(gateway={"unbound": "auto"}) as served:
        query = "connect=v1&encoding=proto&message=&x=%D0%7C"
        answer = await served.http.get(f"/kitchen.v1.KitchenService/{method}?{query}")
        assert answer.status_code == status


POST = b"POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
LARGEST = 64 * 1024


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\nlong: ",
        POST + b"2\r\n{}\r\n0\r\ntrailer: ",
        POST + b"2;extension=",
        NEXT + b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\nlong: ",
    ],
    ids=["a header", "a trailer", "a chunk's extension", "behind another"],
)
async def test_an_endless_head_is_refused_before_it_fills_memory(
    serve: Serve, caplog: pytest.LogCaptureFixture, head: bytes
) -> None:
    """The parser buffers an unfinished head, and the timeout alone would let a fast client send gigabytes."""
    caplog.set_level(logging.INFO, "diptych.refused")
    async with serve() as served, talking(served) as (reader, writer):
        # Otherwise the kernel buffers megabytes before the server has read any of them.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        writer.write(head)
        sent = 0
        # Until the server's log says so: the kernel may take a while to deliver the answer, and takes data meanwhile.
        while not any(one.name == "diptych.refused" for one in caplog.records):
            writer.write(b"x" * 4096)
            sent += 4096
            await writer.drain()
            assert sent < 100 * LARGEST
        assert (await reader.read()).rpartition(b"HTTP/1.1 ")[2].startswith(b"431 ")


async def test_a_head_above_64_kib_is_refused_even_in_one_piece(serve: Serve) -> None:
    async with serve() as served:
        for size, status in ((LARGEST - 1024, 200), (LARGEST, 431), (3 * LARGEST, 431)):
            async with talking(served) as (reader, writer):
                writer.write(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\nconnection: close\r\nlong: " + b"x" * size)
                writer.write(b"\r\n\r\n")
                answer = await reader.read()
                assert answer.startswith(b"HTTP/1.1 %d " % status)
                if status != 200:
                    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["status"] == "RESOURCE_EXHAUSTED"


async def test_a_large_body_does_not_count_as_head(serve: Serve) -> None:
    body = b'{"stringValue":"%b"}' % (b"x" * 20 * LARGEST)
    head = b"POST /v1/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    async with serve() as served, talking(served) as (reader, writer):
        writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


KEY = b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
VERSION = b"sec-websocket-version: 13\r\n"


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        (b"GET", KEY),
        (b"GET", KEY + b"sec-websocket-version: 12\r\n"),
        (b"GET", VERSION),
        (b"GET", VERSION + b"sec-websocket-key: short\r\n"),
        (b"GET", VERSION + KEY + KEY),
        (b"POST", VERSION + KEY),
    ],
    ids=["no version", "another version", "no key", "no key's length", "two keys", "another verb"],
)
async def test_an_invalid_websocket_handshake_gets_an_explanation(serve: Serve, verb: bytes, fields: bytes) -> None:
    async with serve() as served, talking(served) as (reader, writer):
        writer.write(verb + b" /v1/ticks HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n")
        writer.write(fields + b"\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 426 ")
        assert b"sec-websocket-version: 13" in head.split(b"\r\n")
        assert json.loads(body)["error"]["status"] == "INVALID_ARGUMENT"
