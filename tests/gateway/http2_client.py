"""An HTTP/2 client that sends what a test scripts, and a listener over a plain ASGI app as its server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from starlette.types import ASGIApp

from diptych.codec import Codec
from diptych.http_server import HttpListener
from diptych.reply import ErrorReplier

Setting = h2.settings.SettingCodes
Code = h2.errors.ErrorCodes
Headers = list[tuple[str, str]]
E = TypeVar("E", bound=h2.events.Event)

WINDOW = 2**31 - 1 - 65535


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, *, stop: float = 0, **options: Any) -> AsyncIterator[HttpListener]:
    """Serves the app on any port; `stop` is the grace at the end, in seconds."""
    listener = HttpListener(app, "127.0.0.1", 0, ErrorReplier(Codec([]), "google"), **options)
    await listener.start({})
    try:
        yield listener
    finally:
        await listener.stop(stop)


class Client:
    """One connection. It reads, and credits windows, only while a test waits for something."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.events: list[h2.events.Event] = []
        self.closed = False
        self.credits = True
        self._rest = bytearray()

    async def greet(self, settings: dict[Setting, int] | None = None) -> None:
        """Exchanges preface and SETTINGS."""
        if settings:
            self.h2.local_settings = h2.settings.Settings(client=True, initial_values=settings)
        self.h2.initiate_connection()
        await self.flush()
        await self.event(h2.events.SettingsAcknowledged)

    async def flush(self) -> None:
        """Sends what h2 has queued."""
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def raw(self, *frames: bytes) -> None:
        """Sends these bytes, without h2."""
        self.writer.write(self.h2.data_to_send() + b"".join(frames))
        await self.writer.drain()

    def request(self, path: str = "/", method: str = "GET", *, end: bool = True, headers: Headers | None = None) -> int:
        """Begins a request; the next flush sends it."""
        stream: int = self.h2.get_next_available_stream_id()
        fixed = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        self.h2.send_headers(stream, [*fixed, *(headers or [])], end_stream=end)
        return stream

    async def read(self) -> None:
        """Reads once, and collects the events."""
        try:
            data = await self.reader.read(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return
        events = self._take(data)
        self.events += events
        if self.credits:
            for event in events:
                if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                    self._credit(event)
        with contextlib.suppress(ConnectionError):  # the peer may have left; the next read reports it
            await self.flush()

    def _take(self, data: bytes) -> list[h2.events.Event]:
        """Parses frame by frame: after a GOAWAY, h2 ignores the rest of the data, though streams continue."""
        self._rest += data
        events: list[h2.events.Event] = []
        while len(self._rest) >= 9 and len(self._rest) >= (size := 9 + int.from_bytes(self._rest[:3], "big")):
            events += self.h2.receive_data(bytes(self._rest[:size]))
            del self._rest[:size]
            if self.h2.state_machine.state is h2.connection.ConnectionState.CLOSED:
                self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        return events

    def _credit(self, event: h2.events.DataReceived) -> None:
        assert event.flow_controlled_length is not None
        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    async def until(self, found: Callable[[], Any]) -> None:
        """Reads until `found` is true. Raises EOFError if the connection ends before."""
        while not found():
            if self.closed:
                raise EOFError("the server closed the connection")
            await self.read()

    async def event(self, kind: type[E], stream: int | None = None) -> E:
        """Returns the first event of a type, of one stream if it is given."""

        def matching() -> list[E]:
            return [
                event
                for event in self.events
                if isinstance(event, kind) and (stream is None or getattr(event, "stream_id", None) == stream)
            ]

        await self.until(matching)
        return matching()[0]

    async def eof(self) -> None:
        """Returns when the server has closed."""
        while not self.closed:
            await self.read()

    def body(self, stream: int) -> bytes:
        """Returns the received part of a stream's body."""
        return b"".join(
            event.data or b""
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream
        )

    def has(self, stream: int, said: bytes) -> bool:
        """Returns whether such an event was received on a stream."""
        return said in self.body(stream)

    async def response(self, stream: int) -> tuple[dict[str, str], bytes]:
        """Returns a whole response: its headers, including `:status`, and its body."""
        await self.event(h2.events.StreamEnded, stream)
        got = await self.event(h2.events.ResponseReceived, stream)
        return fields(got), self.body(stream)

    async def get(self, path: str = "/", **more: Any) -> tuple[dict[str, str], bytes]:
        """Sends one request; returns its response."""
        stream = self.request(path, **more)
        await self.flush()
        return await self.response(stream)

    async def upload(self, stream: int, body: bytes) -> None:
        """Sends a body as fast as the server's windows allow."""
        at = 0
        while at < len(body):
            await self.until(lambda: self.h2.local_flow_control_window(stream) > 0)
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body) - at)
            at += size
            self.h2.send_data(stream, body[at - size : at], end_stream=at == len(body))
            await self.flush()
        if not body:
            self.h2.end_stream(stream)
            await self.flush()


def fields(event: Any) -> dict[str, str]:
    """The headers of a response, or trailers."""
    return dict(event.headers)


@contextlib.asynccontextmanager
async def connected(
    port: int, settings: dict[Setting, int] | None = None, *, greet: bool = True, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    """Opens a connection to a local port, and closes it at the end."""
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    client = Client(reader, writer)
    try:
        if greet:
            await client.greet(settings)
        yield client
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Returns a frame as bytes, valid or not."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


async def drain(receive: Any) -> bytes:
    """The body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def answer(send: Any, body: bytes = b"", status: int = 200, headers: Any = (), trailers: Any = None) -> None:
    """A whole response."""
    trails = trailers is not None
    await send({"type": "http.response.start", "status": status, "headers": list(headers), "trailers": trails})
    await send({"type": "http.response.body", "body": body})
    if trails:
        await send({"type": "http.response.trailers", "headers": trailers})
