"""HTTP/2 (RFC 9113) over the h2 package with prior knowledge: one connection per request, both directions at once.

It knows no protocol above HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from tests.parity.faces.http1 import Body, Cut, Headers, Response, iterate, text


@dataclass(frozen=True)
class Http2:
    """Sends requests to one port of this machine."""

    port: int
    version = "2"

    @asynccontextmanager
    async def exchange(self, verb: str, target: str, headers: Headers, body: Body = b"") -> AsyncIterator[Response]:
        """Makes one request; leaving the block before its end resets the stream, as HTTP/2 cancels."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        stream = _Stream(reader, writer)
        authority = f"127.0.0.1:{self.port}"
        head = [(":method", verb), (":scheme", "http"), (":authority", authority), (":path", target), *headers]
        reading = asyncio.ensure_future(stream.read())
        sending = asyncio.ensure_future(stream.send(head, body))
        try:
            yield await stream.response()
        finally:
            for task in (sending, reading):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(ConnectionError):
                stream.reset()
                writer.close()
                await writer.wait_closed()


class _Stream:
    """The one stream of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._connection.initiate_connection()
        self._id = self._connection.get_next_available_stream_id()
        self._events: asyncio.Queue[h2.events.Event | None] = asyncio.Queue()
        self._credit = asyncio.Event()
        self._ended = False

    async def send(self, head: Headers, body: Body) -> None:
        """Sends the request as fast as the server's windows allow."""
        self._connection.send_headers(self._id, head, end_stream=body == b"")
        if isinstance(body, bytes):
            if body:
                await self._data(body)
                self._connection.end_stream(self._id)
        else:
            async for piece in body:
                await self._data(piece)
            self._connection.end_stream(self._id)
        await self._flush()

    async def _data(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            await self._flush()
            room = min(self._connection.local_flow_control_window(self._id), self._connection.max_outbound_frame_size)
            if room <= 0:
                self._credit.clear()
                await self._credit.wait()
                continue
            self._connection.send_data(self._id, bytes(view[:room]))
            view = view[room:]
        await self._flush()

    async def read(self) -> None:
        """Handles received data until the connection ends."""
        try:
            while data := await self._reader.read(65536):
                for event in self._connection.receive_data(data):
                    if isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
                        self._credit.set()
                    elif getattr(event, "stream_id", None) == self._id:
                        self._events.put_nowait(event)
                await self._flush()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            self._events.put_nowait(None)

    async def response(self) -> Response:
        """Returns the response's head."""
        while not isinstance(event := await self._event(), h2.events.ResponseReceived):
            pass
        headers = [(bytes(name), bytes(value)) for name, value in event.headers]
        status = int(dict(headers)[b":status"])
        plain = text([pair for pair in headers if not pair[0].startswith(b":")])
        response = Response(status=status, headers=plain, body=iterate(()))
        response.body = self._body(response)
        return response

    async def _body(self, response: Response) -> AsyncIterator[bytes]:
        while True:
            event = await self._event()
            if isinstance(event, h2.events.DataReceived):
                self._connection.acknowledge_received_data(event.flow_controlled_length or 0, self._id)
                await self._flush()
                yield event.data or b""
            elif isinstance(event, h2.events.TrailersReceived):
                response.trailers = text([(bytes(name), bytes(value)) for name, value in event.headers or ()])
            elif isinstance(event, h2.events.StreamEnded):
                self._ended = True
                return

    async def _event(self) -> h2.events.Event:
        event = await self._events.get()
        if event is None or isinstance(event, h2.events.StreamReset):
            self._ended = True
            raise Cut
        return event

    def reset(self) -> None:
        """Resets the stream, so that the server stops sending."""
        if not self._ended:
            with contextlib.suppress(h2.exceptions.ProtocolError):
                self._connection.reset_stream(self._id, h2.errors.ErrorCodes.CANCEL)
        self._writer.write(self._connection.data_to_send())

    async def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())
        await self._writer.drain()
