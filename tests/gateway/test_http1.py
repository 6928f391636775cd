"""HTTP/1.1 on the wire where clients break it: pipelines with something wrong in them, and queries that are no text."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.conftest import Serve, Served
from tests.kitchen import Kitchen

WAIT = b'POST /v1/wait HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"key":"k"}'
NEXT = b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n\r\n"
BROKEN = b"\x00\x01 nonsense\r\n\r\n"


@asynccontextmanager
async def talking(served: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A plain connection, closed in the end."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.parametrize("behind", [BROKEN, NEXT + BROKEN], ids=["at once", "behind another"])
async def test_a_broken_request_takes_nothing_from_the_answer_that_is_owed(serve: Serve, behind: bytes) -> None:
    """Its own 400 would be taken for the answer to the request before it."""
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


async def test_a_broken_body_puts_no_words_into_an_answer_that_has_begun(serve: Serve) -> None:
    async with serve() as served, talking(served) as (reader, writer):
        head = b"POST /v1/converse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
        writer.write(head + b"content-type: application/x-ndjson\r\naccept: application/x-ndjson\r\n\r\n")
        writer.write(b'f\r\n{"number": "1"}\r\n1\r\n\n\r\n')
        await reader.readuntil(b'{"number":"1","text":""}')
        writer.write(b"nonsense\r\n")
        assert b"HTTP" not in await reader.read()


async def test_a_broken_body_is_told_so_and_logged_as_nobodys_fault(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /v1/echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n"
    async with serve() as served, talking(served) as (reader, writer):
        writer.write(head + b"content-type: application/json\r\n\r\nnonsense\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["status"] == "INVALID_ARGUMENT"
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_who_leaves_cancels_the_first_of_what_it_asked_for(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served:
        async with talking(served) as (_, writer):
            writer.write(WAIT + NEXT)
            await kitchen.waiting["k"].wait()
        async with asyncio.timeout(20):
            await kitchen.cancelled["k"].wait()


@pytest.mark.parametrize(("method", "status"), [("GetSpecial", 200), ("Unbound", 405)])
async def test_a_connect_query_of_any_bytes_is_no_error_of_the_servers(serve: Serve, method: str, status: int) -> None:
    """`Unbound` has one path for REST and for Connect, so that the query decides whose request it is."""
    async with serve(gateway={"unbound": "auto"}) as served:
        query = "connect=v1&encoding=proto&message=&x=%D0%7C"
        answer = await served.http.get(f"/kitchen.v1.KitchenService/{method}?{query}")
        assert answer.status_code == status
