"""uvicorn's WebSocket protocol, with fixes for slow servicers and for clients that stop reading.

It knows no route. While an application is behind, uvicorn reads nothing and so sees no pong; and a transport that is
closed while its client does not read never ends.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.transports import BaseTransport
from collections.abc import Callable, Sequence
from struct import pack
from typing import Any, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, State

from ..lingering_close import LingeringClose
from .head import Fields

# How many bytes are parsed at once: a whole read of minimal frames would be forty thousand messages, of 10 µs each.
_SLICE = 1024
_LARGE_SLICE = 4096
"""The same within a large message."""
# How much of a large message is parsed before others have their turn.
_TURN_BYTES = 65536
# How many seconds a pong may be late: a loop that was blocked may not have read it yet.
_LATE_SECONDS = 0.5
# How many seconds the last frame may take to be sent.
_FLUSH_SECONDS = 1.0
# How many bytes are held before the application accepts the handshake, when the client is not authenticated yet.
_AHEAD_BYTES = 64 * 1024
_FINAL = 0x80  # the bit of a message's last frame


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.debug = False  # it would log every header and frame
        self._rest = b""
        self.lingering: set[LingeringClose] = set()
        """The listener's connections whose last response is still being read."""
        self._stalled = self._late = False
        self._opening = False  # the handshake is neither accepted nor refused
        self._first_bytes: int | None = None  # how many may still come for the first message; None without a limit
        self._lost: Callable[[], None] | None = None
        self._arrived: Callable[[int], None] | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport = _Lingering(cast(asyncio.Transport, transport), self._linger)  # type: ignore[assignment]

    def open(self, target: str, fields: Fields) -> None:
        """Begins with a handshake that is parsed already.

        The parser of websockets has narrower limits, and uvicorn does not send its refusals: the client would wait.
        """
        self.conn.parser = Protocol.parse(self.conn)
        next(self.conn.parser)
        texts = [(name.decode("ascii"), value.decode("latin-1")) for name, value in fields]
        self.handle_connect(Request(target, Headers(texts)))

    def watch(self, arrived: Callable[[int], None]) -> None:
        """Calls `arrived` now and after each read, with the bytes of the incomplete message that are held."""
        self._arrived = arrived
        arrived(self._incomplete())

    def _incomplete(self) -> int:
        return len(self.conn.reader.buffer) + sum(map(len, self.frames))

    def hold(self, lost: Callable[[], None]) -> None:
        """Keeps the connection open during the grace period of a stop; the application closes it.

        `lost` is called when the connection is lost, even while unread messages are queued before the disconnect.
        """
        self._lost = lost

    def limit(self, size: int) -> None:
        """Closes the connection with 1009 if more than `size` bytes come and are no complete message yet."""
        self._first_bytes = size

    def shutdown(self) -> None:
        """Called by uvicorn at a stop: closes the connection, unless it is held."""
        if self.close_sent or self._lost is None:
            super().shutdown()

    def end(self) -> None:
        """Closes the connection at the end of a stop, discarding unsent data."""
        if not self.transport.is_closing():
            self.transport.close()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._arrived = None
        if self._lost is not None:
            self._lost()
            self._lost = None

    # Reading.

    def data_received(self, data: bytes) -> None:
        if self._rest or self.read_paused or self._opening:
            self._rest += data
            if len(self._rest) > _AHEAD_BYTES:
                self.transport.pause_reading()
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        at, left = 0, _TURN_BYTES
        while at < len(data) and not self.read_paused and not self._opening and not self.transport.is_closing():
            large = len(self.conn.reader.buffer) > _LARGE_SLICE
            size = _LARGE_SLICE if large else _SLICE
            piece = data[at : at + size]
            super().data_received(piece)
            at += size
            if self._first_bytes is not None:
                self._count(len(piece))
            left -= size if large else _TURN_BYTES  # there may be 170 frames in a small slice, and no message
            if left <= 0 and at < len(data) and not self.transport.is_closing():
                self.transport.pause_reading()
                self.loop.call_soon(self._next_turn)
                break
        self._rest = data[at:]
        if self._arrived is not None:
            self._arrived(self._incomplete())
        if self.read_paused:
            self._stalled = True
        if self.transport.is_closing():
            self._rest = b""

    def _count(self, size: int) -> None:
        """Counts bytes towards the first message, since the parser's own limit is fixed before a frame begins."""
        self._first_bytes = None if self.read_paused or self._first_bytes is None else self._first_bytes - size
        if self._first_bytes is not None and self._first_bytes < 0 and not self.close_sent:
            self._first_bytes = None
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "the first message is too large")
            self.handle_parser_exception()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        self._opening = not self.close_sent

    def _opened(self) -> None:
        self._opening = False
        self._feed_rest()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _next_turn(self) -> None:
        self._feed_rest()
        if not self._rest and not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _feed_rest(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self._feed(rest)

    def handle_cont(self, event: Frame) -> None:
        """Collects fragments in one buffer: uvicorn's list grows with empty fragments, which its size limit ignores."""
        pieces: list[Any] = self.frames
        if not isinstance(pieces[0], bytearray):
            pieces[0] = bytearray(pieces[0])
        pieces[0] += event.data
        if event.fin:
            pieces[0] = bytes(pieces[0])
            self.send_receive_event_to_app()

    async def receive(self) -> ASGIReceiveEvent:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._feed_rest()
            if not self.read_paused:
                self.transport.resume_reading()
        return message

    # Closing.

    def _linger(self, transport: asyncio.Transport) -> None:
        """Closes the connection so that the client can read what was written, even if it is still sending."""
        # Nothing follows the client's close frame (RFC 6455 section 5.5.1).
        if self.conn.close_rcvd is not None and not transport.get_write_buffer_size():
            transport.close()
            return
        refused = not self.handshake_complete
        self.connection_lost(ConnectionResetError())  # uvicorn would close the transport if there were no exception
        most = None if refused else _FLUSH_SECONDS
        transport.set_protocol(LingeringClose(transport, b"", self.lingering, most=most, half=refused))

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self._opening and (self.handshake_complete or self.close_sent):
            self._opened()
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # by a refusal, which uvicorn would log as an error of the application
        if self.close_timer is not None:
            # uvicorn would wait for a client that does not read.
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)
            self._feed_rest()  # it may contain the client's close frame
            if self._incomplete() > _LARGE_SLICE:  # which would come only behind the rest of a large message
                self.transport.close()

    async def send_all(self, messages: Sequence[bytes], *, text: bool) -> None:
        """Sends messages by one write, each in a frame of its own; by `send`, each costs four times as much.

        Raises OSError if the client has disconnected, like `send`.
        """
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            raise ClientDisconnected
        first = _FINAL | (Opcode.TEXT if text else Opcode.BINARY)
        self.transport.write(b"".join([_head(first, len(message)) + message for message in messages]))

    def send_keepalive_ping(self) -> None:
        self._late = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        if self._stalled:
            # The pong may be behind messages that the application has not received, or received only now. Another ping
            # is sent anyway, since only a write shows that the client has left.
            self._stalled = self.read_paused
            self.pong_timer = None
            self.send_keepalive_ping()
            return
        if not self._late:
            self._late = True
            self.pong_timer = self.loop.call_later(_LATE_SECONDS, self.keepalive_timeout)
            return
        super().keepalive_timeout()


class _Lingering:
    """A transport that is closed by `close`, which uvicorn calls as soon as it has written its last frame.

    A socket that is closed with unread bytes is reset, and the reset discards the frame on the client's side.
    """

    __slots__ = ("_close", "_closed", "_transport", "pause_reading", "resume_reading", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[asyncio.Transport], None]) -> None:
        self._transport, self._close, self._closed = transport, close, False
        self.write = transport.write
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def close(self) -> None:
        """Closes it, once."""
        if not self.is_closing():
            self._closed = True
            self._close(self._transport)

    def is_closing(self) -> bool:
        """Whether it is closed, or being closed."""
        return self._closed or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _head(first: int, length: int) -> bytes:
    """Returns the head of an unmasked frame (RFC 6455 section 5.2)."""
    if length < 126:
        return bytes((first, length))
    return pack("!BBH", first, 126, length) if length < 65536 else pack("!BBQ", first, 127, length)


def unwanted(record: logging.LogRecord) -> bool:
    """Whether a log record of uvicorn shows a WebSocket's query, which may hold metadata, or a client's error.

    A refused handshake has its line in the access log; websockets, to which uvicorn gives its logger, has one more.
    """
    text = record.msg if isinstance(record.msg, str) else ""
    return text.startswith(('%s - "WebSocket', "Invalid UTF-8 sequence", "connection open", "connection rejected"))
