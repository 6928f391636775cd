"""How far HTTP/1.1 reads ahead of a client that pipelines more requests than are served."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from diptych.http_server.h1.whole_request import WholeRequest
from tests.conftest import Serve

GET = b"GET /v1/dishes/%d HTTP/1.1\r\nhost: x\r\n\r\n"
OFFER = b"GET /v1/dishes/%d HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n"
POST = (
    b"POST /v1/mirror HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\ncontent-length: 40008\r\n\r\n" + b"x" * 40000
) + b"%08d"
READ_AHEAD = 16 * 1024


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch, taken: list[str]) -> list[int]:
    """For each request that was parsed, how many are parsed and not begun."""
    found: list[int] = []
    make = WholeRequest.__init__

    def counted(request: WholeRequest, *args: Any) -> None:
        found.append(len(found) + 1 - len(taken))
        make(request, *args)

    monkeypatch.setattr(WholeRequest, "__init__", counted)
    return found


async def test_requests_are_parsed_no_faster_than_they_are_served(serve: Serve, ahead: list[int]) -> None:
    """Parsed requests take much more memory than their bytes, and parsing them keeps others from running."""
    many = 20_000
    async with asyncio.timeout(60), serve() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(b"".join([GET % number for number in range(many)]))
        for number in range(many):
            await reader.readuntil(b"\r\n\r\n")
            assert f'"id":"{number}"'.encode() in await reader.readuntil(b"}")
            await reader.readuntil(b"}")
        writer.close()
    assert len(ahead) == many
    assert max(ahead) <= 2 * READ_AHEAD / len(GET)


@pytest.mark.parametrize("kinds", [[GET], [OFFER], [POST], [GET, OFFER, POST]], ids=["GET", "offers", "POST", "mixed"])
async def test_every_request_is_answered_in_order(serve: Serve, kinds: list[bytes]) -> None:
    sent = [kinds[number % len(kinds)] % number for number in range(600)]
    async with asyncio.timeout(60), serve() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(b"".join(sent))
        for number, request in enumerate(sent):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            assert body.endswith(b"%08d" % number) if request.startswith(b"POST") else b'"id":"%d"' % number in body
        writer.close()
