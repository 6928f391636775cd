"""HTTP/1.1 (RFC 9112) over h11: one connection per request, body and response at the same time.

It knows no protocol above HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

Headers = list[tuple[str, str]]
Body = AsyncIterator[bytes] | bytes


class Cut(Exception):
    """The response ended too early."""


@dataclass(kw_only=True)
class Response:
    """A response whose body is not read yet; its trailers are known after the body."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes]
    trailers: Headers = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """Returns one header's value."""
        return next((value for key, value in self.headers if key == name), None)

    async def read(self) -> bytes:
        """Returns the whole body. Raises `Cut`."""
        return b"".join([piece async for piece in self.body])


async def iterate(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yields pieces that exist already."""
    for piece in pieces:
        yield piece


def text(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Returns headers as text."""
    return [(name.decode().lower(), value.decode("latin-1")) for name, value in headers]


@dataclass(frozen=True)
class Http1:
    """Requests to one port of this machine."""

    port: int
    version = "1"

    @asynccontextmanager
    async def exchange(self, verb: str, target: str, headers: Headers, body: Body = b"") -> AsyncIterator[Response]:
        """One request; leaving the block closes the connection, which is how HTTP/1.1 cancels."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        connection = h11.Connection(h11.CLIENT)
        framing = ("content-length", str(len(body))) if isinstance(body, bytes) else ("transfer-encoding", "chunked")
        head = [("host", f"127.0.0.1:{self.port}"), *headers, framing]
        sending = asyncio.ensure_future(
            _send(connection, writer, h11.Request(method=verb, target=target, headers=head), body)
        )
        try:
            event = await _next(connection, reader)
            while isinstance(event, h11.InformationalResponse):
                event = await _next(connection, reader)
            if not isinstance(event, h11.Response):
                raise Cut
            response = Response(status=event.status_code, headers=text(list(event.headers)), body=iterate(()))
            response.body = _receive(connection, reader, response)
            yield response
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, head: h11.Request, body: Body) -> None:
    def write(event: h11.Event) -> None:
        writer.write(connection.send(event) or b"")

    write(head)
    if isinstance(body, bytes):
        write(h11.Data(data=body))
    else:
        async for piece in body:
            write(h11.Data(data=piece))
            await writer.drain()
    write(h11.EndOfMessage())
    await writer.drain()


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Event | type[h11.PAUSED]:
    while True:
        try:
            event = connection.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]
            connection.receive_data(await reader.read(65536))
        except (h11.RemoteProtocolError, ConnectionError):
            raise Cut from None


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader, response: Response
) -> AsyncIterator[bytes]:
    while True:
        event = await _next(connection, reader)
        if isinstance(event, h11.Data):
            yield bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            response.trailers = text(list(event.headers))
            return
        else:
            raise Cut
