"""Speaks HTTP/1.1 to the HTTP port as raw bytes, and reads every answer on a connection until it closes.

It judges no request. h11 reads the answers, so a malformed one is an error.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import h11
import pytest
from google.api import httpbody_pb2

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import serving
from tests.kitchen import Context, Kitchen

PATIENCE = 20.0  # seconds for all answers of a connection
_TURNS = 100  # of the event loop, which the gateway shares: many more than a few requests need

BODY = b'{"stringValue":"x"}'
POST = b"POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
"""The head of a request that echoes `BODY`, without the fields that say how long its body is, and without its end."""


def get(name: str, *fields: bytes) -> bytes:
    """A request whose execution shows as `name` in `Listener.executed`."""
    return b"".join(
        (f"GET /v1/dishes/{name} HTTP/1.1\r\nhost: x\r\n".encode(), *(b"%b\r\n" % one for one in fields), b"\r\n")
    )


def chunked(body: bytes) -> bytes:
    """The body as one chunk, with its end."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


HIDDEN = get("hidden")
"""A request inside another one's body: it must never be executed."""
LAST = get("last", b"connection: close")
"""The request sent after the one under test. A server that finds the end of that one answers this one and closes."""

ECHOED = "echo x"
"""How the execution of a request with `BODY` shows."""

REFUSED = "refused"
"""It gets one error, nothing is executed, and the connection closes, since the next request may begin anywhere."""
SERVED = "served"
"""It and the request behind it are each executed and answered once."""
EITHER = "either"
"""The RFC leaves it to the server which of the two happens."""


@dataclass(frozen=True)
class Answer:
    """A final answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error in the body."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


def answers(data: bytes, methods: Iterable[str] = ()) -> list[Answer]:
    """Reads answers to requests with these methods, GET after the last one. The last answer may lack its end."""
    found: list[Answer] = []
    asked = iter(methods)
    while data:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=next(asked, "GET"), target="/", headers=[("host", "x")]))
        client.send(h11.EndOfMessage())
        client.receive_data(data)
        head, body = None, b""
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                client.receive_data(b"")  # the server has closed
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
        assert head is not None
        headers = {name.decode(): value.decode() for name, value in head.headers}
        found.append(Answer(head.status_code, headers, body))
        data = client.trailing_data[0]
    return found


class Ledger(Kitchen):
    """Records which requests were executed."""

    def __init__(self) -> None:
        super().__init__()
        self.executed: list[str] = []

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        self.executed.append(request.dish_id)
        return await super().GetDish(request, context)

    async def Echo(self, request: pb.EchoRequest, context: Context) -> pb.EchoRequest:
        self.executed.append(f"echo {request.string_value}")
        return request

    async def MirrorBody(self, request: httpbody_pb2.HttpBody, context: Context) -> httpbody_pb2.HttpBody:
        self.executed.append(f"mirror {request.data!r}")
        return request


class Listener:
    """A gateway's HTTP port, and what reaches the servicer through it."""

    def __init__(self, gateway: Any, ledger: Ledger) -> None:
        self.gateway, self.ledger = gateway, ledger
        self.reset = False
        """Whether the last exchange ended with a reset instead of an orderly close, by which answers may be lost."""

    @property
    def executed(self) -> list[str]:
        """The requests that were executed since `connected` was called last."""
        return self.ledger.executed

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Opens a connection, and closes it at the end."""
        self.ledger.executed.clear()
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.http_port)
            try:
                yield reader, writer
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    async def exchange(self, *pieces: bytes, methods: Iterable[str] = ()) -> list[Answer]:
        """Sends these pieces and returns all answers until the server closes; raises TimeoutError if it does not."""
        return answers(await self._talk(pieces, leave=False), methods)

    async def executes(self, *pieces: bytes) -> list[str]:
        """Sends these pieces, leaves once the gateway does nothing any more, and returns what was executed."""
        await self._talk(pieces, leave=True)
        return list(self.executed)

    async def _talk(self, pieces: Iterable[bytes], *, leave: bool) -> bytes:
        self.reset = False
        received = bytearray()

        async def receive(reader: asyncio.StreamReader) -> None:
            try:
                while data := await reader.read(65536):
                    received.extend(data)
            except ConnectionError:
                self.reset = True

        async with self.connected() as (reader, writer), asyncio.TaskGroup() as group:
            group.create_task(receive(reader))
            with suppress(ConnectionError):  # it may close before it has read everything
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)  # the gateway is on this loop, and has read the piece alone
                if leave:
                    for _ in range(_TURNS):
                        await asyncio.sleep(0)
                    writer.write_eof()
        return bytes(received)

    async def judged(self, request: bytes, outcome: str, executed: str = ECHOED, methods: Iterable[str] = ()) -> None:
        """Sends the request with another one behind it, and checks what becomes of both."""
        found = await self.exchange(request + LAST, methods=methods)
        statuses = [answer.status for answer in found]
        told = f"{statuses} for {request[:200]!r}, executed {self.executed}"
        assert "hidden" not in self.executed, told
        assert not self.reset, told
        if outcome != REFUSED and statuses == [200, 200]:
            assert self.executed == [executed, "last"], told
            return
        assert outcome != SERVED, told
        assert len(found) == 1, told
        assert statuses[0] in (400, 413, 431, 501), told
        assert self.executed == [], told
        assert found[0].error["code"] == statuses[0], told
        assert found[0].error["message"], told


@asynccontextmanager
async def listening(**settings: Any) -> AsyncIterator[Listener]:
    """Runs a gateway whose servicer records what it executes, and whose last answers a slow client can read."""
    ledger = Ledger()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diptych.http_server.lingering_close._LINGER_SECONDS", 60)
        async with serving(ledger, **settings) as served:
            yield Listener(served.gateway, ledger)
