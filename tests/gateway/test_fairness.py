"""Floods of tiny messages and frames: how much of one is done between two turns of another client on the event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from diptych.faces.rest import requests
from diptych.framing.elements import ArraySplitter, LinesSplitter
from diptych.http_server.h1.websocket import WebSocketProtocol
from diptych.http_server.h1.whole_request import WholeRequest
from diptych.http_server.h2.connection import Connection
from tests.conftest import Serve
from tests.gateway.http2_client import connected, frame
from tests.waiting import PATIENCE, until_here

MANY = 20_000
SERVICE = "/kitchen.v1.KitchenService"


class Neighbour:
    """Counts what is done between two of its turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.total = self.most = self._now = 0
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._now = 0
        self._handle = self._loop.call_soon(self._turn)

    def watch(self, owner: type, name: str, amount: Callable[[Any], int] = lambda done: 1) -> None:
        """Counts the calls of a method, or an amount of what it returns."""
        method = getattr(owner, name)

        def counted(*args: Any, **more: Any) -> Any:
            done = method(*args, **more)
            found = amount(done)
            self.total, self._now = self.total + found, self._now + found
            self.most = max(self.most, self._now)
            return done

        self._monkeypatch.setattr(owner, name, counted)

    def stop(self) -> None:
        """Takes no more turns."""
        self._handle.cancel()


@pytest.fixture
async def neighbour(monkeypatch: pytest.MonkeyPatch) -> Any:
    """One neighbour, for the length of a test."""
    one = Neighbour(monkeypatch)
    yield one
    one.stop()


@pytest.mark.parametrize("form", ["lines", "array"])
async def test_a_body_of_tiny_messages_is_split_in_small_parts(
    form: str, neighbour: Neighbour, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the splitter says that each part takes a second."""
    seconds: Iterator[int] = itertools.count()
    monkeypatch.setattr(requests, "perf_counter", lambda: next(seconds))
    for splitter in (LinesSplitter, ArraySplitter):
        neighbour.watch(splitter, "feed", len)
    array = form == "array"
    body = b"[" + b",".join([b"{}"] * MANY) + b"]" if array else b"{}\n" * MANY
    headers = {"content-type": "application/json" if array else "application/x-ndjson"}
    async with asyncio.timeout(PATIENCE), serve() as served:
        assert (await served.http.post("/v1/sum", content=body, headers=headers)).status_code == 200
    assert neighbour.total == MANY
    assert neighbour.most <= 2 * 1024 // len(b"{}\n")


@pytest.mark.parametrize("size", [1, 5])
async def test_tiny_frames_of_one_connection_take_turns(size: int, neighbour: Neighbour, serve: Serve) -> None:
    neighbour.watch(Connection, "_frame")
    async with asyncio.timeout(PATIENCE), serve() as served, connected(served.gateway.grpc_port) as client:
        headers = [("content-type", "application/grpc"), ("te", "trailers")]
        stream = client.request(f"{SERVICE}/Sum", "POST", end=False, headers=headers)
        body = b"\0\0\0\0\0" * (MANY * size // 5)
        pieces = [frame(0, 0, stream, body[at : at + size]) for at in range(0, len(body), size)]
        await client.raw(*pieces, frame(0, 1, stream))
        assert (await client.response(stream))[0][":status"] == "200"
    assert neighbour.total >= MANY
    assert neighbour.most <= 300


async def test_requests_of_one_connection_take_turns(neighbour: Neighbour, serve: Serve, taken: list[str]) -> None:
    neighbour.watch(Connection, "_on_block")
    async with asyncio.timeout(PATIENCE), serve() as served, connected(served.gateway.http_port) as client:
        streams = [client.request("/v1/dishes/1") for _ in range(90)]
        await client.flush()
        for stream in streams:
            assert (await client.response(stream))[0][":status"] == "200"
    assert len(taken) == neighbour.total == 90
    assert neighbour.most <= 40


async def test_pipelined_requests_take_turns(neighbour: Neighbour, serve: Serve) -> None:
    neighbour.watch(WholeRequest, "__init__")
    get = b"GET /v1/dishes/1 HTTP/1.1\r\nhost: x\r\n\r\n"
    async with asyncio.timeout(PATIENCE), serve() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(get * 2000)
        for _ in range(2000):
            await reader.readuntil(b'"Soup"')
        writer.close()
    assert neighbour.total == 2000
    assert neighbour.most <= 4096 // len(get) + 1


@pytest.mark.parametrize("form", ["json", "proto"])
async def test_tiny_messages_of_a_websocket_take_turns(form: str, neighbour: Neighbour, serve: Serve) -> None:
    neighbour.watch(WebSocketProtocol, "send_receive_event_to_app")
    text = form == "json"
    message = Frame(Opcode.TEXT if text else Opcode.BINARY, b"{}" if text else b"").serialize(mask=True)
    protocols: Any = [f"diptych.v1.{form}"]
    async with asyncio.timeout(PATIENCE), serve() as served:
        url = f"ws://127.0.0.1:{served.gateway.http_port}/v1/sum"
        async with connect(url, subprotocols=protocols) as socket:
            socket.transport.write(message * MANY)
            await socket.send("")
            assert await socket.recv() is not None
    assert neighbour.total == MANY + 1
    assert neighbour.most <= 1024 // len(message) + 1


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.CONT])
async def test_frames_without_a_message_take_turns(opcode: Opcode, neighbour: Neighbour, serve: Serve) -> None:
    neighbour.watch(WebSocketProtocol, "handle_ping" if opcode is Opcode.PING else "handle_cont")
    empty, many = Frame(opcode, b"", fin=opcode is Opcode.PING).serialize(mask=True), 5000
    async with asyncio.timeout(PATIENCE), serve() as served:
        socket = await connect(f"ws://127.0.0.1:{served.gateway.http_port}/v1/sum")
        if opcode is Opcode.CONT:
            socket.transport.write(Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True))
        socket.transport.write(empty * many)
        await until_here(lambda: neighbour.total >= many)
        await socket.close()
    assert neighbour.most <= 1024 // len(empty) + 1
