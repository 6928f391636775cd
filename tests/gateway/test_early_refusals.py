"""Early refusals reach a client that is still sending, with and without TLS (RFC 9112 section 9.6).

A connection that is closed with unread data is reset, and asyncio cannot close one half of a TLS connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from tests.certificates import Authority, settings
from tests.conftest import Serve
from tests.gateway.http2_client import frame
from tests.waiting import PATIENCE

POST = b"POST /v1/dishes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
CASES: dict[str, tuple[str, bytes, bytes]] = {
    "too large": ("http/1.1", POST + b"content-length: 40000000\r\nconnection: close\r\n\r\n", b"HTTP/1.1 413"),
    "no such path": ("http/1.1", b"POST /no HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n", b"HTTP/1.1 404"),
    "malformed": ("http/1.1", b"GET  / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
    "a broken HTTP/2 connection": ("h2", PREFACE + frame(0, 0, 1, b"x"), b"an idle stream"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client on a busy machine may send nothing for half a second."""
    monkeypatch.setattr("diptych.http_server.lingering_close._LINGER_SECONDS", 2.0)


def told(port: int, tls: ssl.SSLContext | None, data: bytes) -> bytes:
    """Sends `data` and megabytes behind it, and only then reads until the end."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        if tls is not None:
            client = stack.enter_context(tls.wrap_socket(client, server_hostname="localhost"))
        client.sendall(data)
        for _ in range(62):
            client.sendall(bytes(65536))
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize("over", ["TLS", "TCP"])
@pytest.mark.parametrize("case", CASES)
async def test_a_refusal_reaches_a_client_that_is_still_sending(
    serve: Serve, case: str, over: str, tmp_path: Path
) -> None:
    protocol, data, answer = CASES[case]
    authority = Authority(tmp_path)
    tls = authority.trusting(None, protocol) if over == "TLS" else None
    given = {} if tls is None else settings(authority.shown())
    async with serve(**given) as served, asyncio.timeout(PATIENCE):
        received = await asyncio.to_thread(told, served.gateway.http_port, tls, data)
    assert answer in received
