"""How long connections last over HTTP/1.0 and HTTP/1.1 (RFC 9112 section 9.3), and requests to upgrade."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gateway.http1_client import BODY, HIDDEN, LAST, POST, Listener, get, listening

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def listener() -> AsyncIterator[Listener]:
    """The HTTP port of a gateway with its default settings."""
    async with listening() as one:
        yield one


KINDS = {
    "get": (b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n", b"", 200),
    "post": (POST + b"content-length: %d\r\n" % len(BODY), BODY, 200),
    "nowhere": (b"GET /nowhere HTTP/1.1\r\nhost: x\r\n", b"", 404),
    "wrong body": (POST + b"content-length: 1\r\n", b"{", 400),
    "stream": (b"GET /v1/ticks?count=2 HTTP/1.1\r\nhost: x\r\n", b"", 200),
    "a page": (b"GET /healthz HTTP/1.1\r\nhost: x\r\n", b"", 200),
    "options": (b"OPTIONS /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n", b"", 204),
}
kinds = pytest.mark.parametrize(("head", "body", "status"), KINDS.values(), ids=KINDS)


@kinds
@pytest.mark.parametrize(
    "fields",
    [b"", b"connection: keep-alive\r\n", b"Connection: Keep-Alive\r\n", b"connection: x\r\n", b"connection:\r\n"],
)
async def test_a_connection_of_http_1_1_lasts(
    listener: Listener, head: bytes, body: bytes, status: int, fields: bytes
) -> None:
    found = await listener.exchange(head + fields + b"\r\n" + body + LAST)
    assert [answer.status for answer in found] == [status, 200]
    assert found[0].headers.get("connection", "keep-alive").lower() != "close"


@kinds
@pytest.mark.parametrize(
    "fields",
    [
        b"connection: close\r\n",
        b"Connection: Close\r\n",
        b"connection: close, x\r\n",
        b"connection: x, close\r\n",
        b"connection: x\r\nconnection: close\r\n",
        b"connection: keep-alive, close\r\n",
        b"connection: close\r\nconnection: keep-alive\r\n",
    ],
)
async def test_a_close_ends_it(listener: Listener, head: bytes, body: bytes, status: int, fields: bytes) -> None:
    found = await listener.exchange(head + fields + b"\r\n" + body + HIDDEN)
    assert [answer.status for answer in found] == [status]
    assert found[0].headers["connection"] == "close"
    assert "hidden" not in listener.executed


@kinds
@pytest.mark.parametrize("host", [b"host: x\r\n", b""], ids=["a host", "no host"])
async def test_a_connection_of_http_1_0_ends(
    listener: Listener, head: bytes, body: bytes, status: int, host: bytes
) -> None:
    request = head.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"host: x\r\n", host) + b"\r\n" + body
    found = await listener.exchange(request + HIDDEN)
    assert [answer.status for answer in found] == [status]
    assert "hidden" not in listener.executed


async def test_http_1_0_may_ask_to_keep_the_connection(listener: Listener) -> None:
    """Its client believes that the connection lasts only if the answer says so; otherwise the server closes."""
    request = b"GET /v1/dishes/7 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"
    first, *rest = await listener.exchange(request + LAST)
    assert first.status == 200
    if rest:
        assert first.headers["connection"].lower() == "keep-alive"
    assert listener.executed == ["7", "last"][: 1 + len(rest)]


@pytest.mark.parametrize("protocol", [b"h2c", b"foo", b"TLS/1.0", b"websocket"])
async def test_an_upgrade_that_the_connection_field_does_not_name_is_ignored(
    listener: Listener, protocol: bytes
) -> None:
    found = await listener.exchange(get("7", b"upgrade: " + protocol) + LAST)
    assert [answer.status for answer in found] == [200, 200]
    assert listener.executed == ["7", "last"]
