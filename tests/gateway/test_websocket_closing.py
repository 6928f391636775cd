"""The server's close of a WebSocket reaches a client that is still sending, and so reads nothing yet.

A socket that is closed with unread data is reset by the kernel, and the reset discards what the client has not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.certificates import Authority, settings
from tests.conftest import Serve
from tests.kitchen import Kitchen
from tests.waiting import PATIENCE

KEY = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13"
MASK = bytes(4)
MIB = 1024 * 1024


def frame(first: int, size: int) -> bytes:
    """The head of a masked frame of that many bytes."""
    return struct.pack("!BBQ", first, 0x80 | 127, size) + MASK


def small(data: bytes) -> bytes:
    """A masked text frame of less than 126 bytes."""
    return bytes((0x81, 0x80 | len(data))) + MASK + data


LARGE = frame(0x81, 16 * MIB)
CASES: dict[str, tuple[str, bytes, int]] = {
    "a metadata frame above its limit": ("/v1/converse?$metadata=frame", LARGE, 1009),
    "a message above the limit of frames": ("/v1/converse", frame(0x81, 17 * MIB), 1009),
    "a reserved opcode": ("/v1/converse", b"\x83\x80" + MASK, 1002),
    "text that is not UTF-8": ("/v1/converse", small(b"\xff") + LARGE, 1007),
    "a refused message": ("/v1/converse", small(b"{") + LARGE, 4003),
    "a message of the wrong kind": ("/v1/converse", b"\x82\x81" + MASK + b"a" + LARGE, 1003),
    "a failed call": ("/v1/ticks?count=1", LARGE, 4013),
}


class Failing(Kitchen):
    """Fails at once, with or without messages."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        if request.count:
            raise LookupError
        yield pb.TickResponse()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client on a busy machine may send nothing for half a second."""
    monkeypatch.setattr("diptych.http_server.lingering_close._LINGER_SECONDS", 2.0)


def told(port: int, path: str, data: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Sends a handshake, `data` and megabytes behind it, and only then reads until the end."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        if tls is not None:
            client = stack.enter_context(tls.wrap_socket(client, server_hostname="localhost"))
        head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n{KEY}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(12) == b"HTTP/1.1 101"
        client.sendall(data)
        for _ in range(8 * 16):
            client.sendall(bytes(65536))
        received = b""
        while piece := client.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize("case", CASES)
async def test_the_close_frame_reaches_a_client_that_is_still_sending(serve: Serve, case: str) -> None:
    path, data, code = CASES[case]
    async with serve(Failing()) as served, asyncio.timeout(PATIENCE):
        received = await asyncio.to_thread(told, served.gateway.http_port, path, data)
    assert struct.pack("!H", code) in received.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("case", ["a metadata frame above its limit", "text that is not UTF-8", "a refused message"])
async def test_it_does_so_over_tls(serve: Serve, case: str, tmp_path: Path) -> None:
    path, data, code = CASES[case]
    authority = Authority(tmp_path)
    client = authority.trusting()
    async with serve(Failing(), **settings(authority.shown())) as served, asyncio.timeout(PATIENCE):
        received = await asyncio.to_thread(told, served.gateway.http_port, path, data, client)
    assert struct.pack("!H", code) in received.partition(b"\r\n\r\n")[2]
