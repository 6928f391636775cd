"""Reads requests from envelopes: the one of a unary call, or a stream of them as the servicer asks.

It knows no route and no answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ...call import ClientGone
from ...compression import Coding
from ...exchange import (
    FREE_BYTES,
    LARGE_BYTES,
    BodyTimeouts,
    Disconnected,
    Inbound,
    MessageBounds,
    Pieces,
    Receive,
    aside,
    steps_of,
)
from ...framing.envelope import HEAD, Envelopes
from ...origin import Lease
from ...status import Code, error
from .coding import decompressed, decompressed_small
from .text import Base64Decoder

__all__ = ["EnvelopeReader", "EnvelopeSource", "plain_message", "read_one", "read_whole"]


class EnvelopeReader:
    """Turns the flags and data of an envelope into a message: decompresses and parses. `limit` is in bytes."""

    __slots__ = ("_coding", "_read", "bounds", "fault", "lease", "limit")

    def __init__(self, coding: Coding | None, limit: int, fault: Code, read: Callable[[bytes], Any] | None) -> None:
        self._coding, self.limit, self.fault, self._read = coding, limit, fault, read
        self.lease: Lease | None = None
        """Accounts for the memory of the message of a unary call, compressed and decompressed."""
        self.bounds: MessageBounds | None = None
        """Does the same for the messages of a stream."""

    def __call__(self, flags: int, data: bytes) -> Any:
        """Returns the message. Raises `StatusError`."""
        if flags:
            if self._coding is None:
                # INTERNAL in every protocol: Connect has INVALID_ARGUMENT for other malformed requests, not for this.
                raise error(Code.INTERNAL, "a message has the compressed flag, but no header names its encoding")
            plain = decompressed(self._coding, data, self.limit, self.fault)
            if self.lease is not None:
                self.lease.take(max(0, len(plain) - len(data)))  # the compressed bytes are freed
            if self.bounds is not None:
                self.bounds.hold(len(plain))
            data = plain
        return data if self._read is None else self._read(data)

    async def beside(self, flags: int, data: bytes) -> Any:
        """Does the same for a message of a stream, beside the event loop if it is large."""
        if flags:
            coding = self._coding
            if coding is None or not data:
                return self(flags, data)
            small = min(LARGE_BYTES, self.limit)
            plain = decompressed_small(coding, data, small) if len(data) <= small else None
            if plain is None:
                plain = await asyncio.to_thread(decompressed, coding, data, self.limit, self.fault)
            if self.bounds is not None:
                self.bounds.hold(len(plain))
            data = plain
        return data if self._read is None else await aside(len(data), self._read, data)


def plain_message(body: bytes, limit: int) -> bytes | None:
    """Returns the message of a body that is one uncompressed message of at most `limit` bytes, as nearly all are."""
    if len(body) < HEAD.size:
        return None
    flags, length = HEAD.unpack_from(body)
    return body[HEAD.size :] if not flags and length == len(body) - HEAD.size and length <= limit else None


def read_whole(body: bytes, reader: EnvelopeReader, decoder: Base64Decoder | None) -> Any:
    """Returns the request of a body that must hold exactly one.

    Raises UNIMPLEMENTED for none and for several (gRPC's statuscodes.md), and what the reader and its lease raise.
    """
    plain = plain_message(body, reader.limit) if decoder is None else None
    if plain is not None:  # which needs no buffer
        if reader.lease is not None:
            reader.lease.take(len(plain))
        return reader(0, plain)
    one = _OneMessage(reader, decoder)
    one.feed(body)
    return one.end()


async def read_one(
    receive: Receive, reader: EnvelopeReader, decoder: Base64Decoder | None, timeouts: BodyTimeouts
) -> Any:
    """Does the same with a body that arrives in pieces.

    Raises DEADLINE_EXCEEDED if it arrives too slowly, `Disconnected`, and what `read_whole` raises.
    """
    step, pieces = steps_of(receive()), None
    try:
        waiting = step.send(None)
    except StopIteration as done:  # the usual case: the body has arrived already, and no timer is needed
        message = done.value
    else:
        pieces = Pieces(receive, timeouts)
        message = await pieces.late(step, waiting)
    if not message.get("more_body") and message["type"] == "http.request":
        return read_whole(message.get("body", b""), reader, decoder)
    pieces = pieces or Pieces(receive, timeouts)
    one = _OneMessage(reader, decoder)
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        pieces.came(one.feed(message.get("body", b"")), one.declared)
        if not message.get("more_body"):
            return one.end()
        message = await pieces.next()


class _OneMessage:
    """Collects the pieces of a body that must hold exactly one message."""

    __slots__ = ("_decoder", "_envelopes", "_found", "_head", "_reader", "declared")

    def __init__(self, reader: EnvelopeReader, decoder: Base64Decoder | None) -> None:
        self._reader, self._decoder = reader, decoder
        self._envelopes = Envelopes(reader.limit, reader.fault)
        self._found: tuple[int, bytes] | None = None
        self._head = HEAD.size  # the envelope's head does not count as memory of the message
        self.declared = 0
        """The size in the message's envelope, once that has arrived and the message is not complete."""

    def feed(self, data: bytes) -> int:
        """Adds a piece; returns how many bytes it has, decoded."""
        if self._decoder is not None:
            data = self._decoder.feed(data)
        size = len(data)
        if self._reader.lease is not None:
            self._reader.lease.take(max(0, size - self._head))
            self._head = max(0, self._head - size)
        self._envelopes.feed(data)
        while (envelope := self._envelopes.next()) is not None:
            if self._found is not None:
                raise error(Code.UNIMPLEMENTED, "expected one request message, got more")
            self._found = envelope
        if not self.declared and (declared := self._envelopes.declared):
            self.declared = declared
            if self._reader.lease is not None:
                self._reader.lease.expect(max(0, declared + HEAD.size - self._envelopes.held))
        return size

    def end(self) -> Any:
        """Returns the message."""
        if self._decoder is not None:
            self._decoder.end()
        self._envelopes.end()
        if self._found is None:
            raise error(Code.UNIMPLEMENTED, "expected one request message, got none")
        return self._reader(*self._found)


class EnvelopeSource:
    """Reads a stream of requests as the body arrives."""

    __slots__ = ("_bounds", "_decoder", "_ended", "_envelopes", "_found", "_inbound", "_reader")

    def __init__(
        self, inbound: Inbound, reader: EnvelopeReader, decoder: Base64Decoder | None, bounds: MessageBounds
    ) -> None:
        self._inbound, self._reader, self._decoder, self._bounds = inbound, reader, decoder, bounds
        self._envelopes = Envelopes(reader.limit, reader.fault)
        self._found: tuple[int, bytes] | None = None  # one that may be large
        self._ended = False

    def take(self) -> Any:
        found = self._next() if self._found is None else None
        if found is not None and (found[0] or len(found[1]) >= LARGE_BYTES):
            self._found, found = found, None
        return None if found is None else self._reader(*found)

    def _next(self) -> tuple[int, bytes] | None:
        found = self._envelopes.next()
        if found is not None:
            bounds, size = self._bounds, len(found[1])
            if bounds.held or size >= FREE_BYTES:
                bounds.hold(size)
        return found

    async def __anext__(self) -> Any:
        if self._found is None:
            self._found = await self._arrived()
        try:
            message = await self._reader.beside(*self._found)
        except Exception:  # but not if a servicer cancels a read, to read again
            self._found = None
            raise
        self._found = None
        return message

    async def _arrived(self) -> tuple[int, bytes]:
        envelopes = self._envelopes
        while (found := self._next()) is None:
            if self._ended:
                raise StopAsyncIteration
            try:
                piece = await self._bounds.piece(self._inbound, envelopes.held, envelopes.declared)
            except Disconnected:
                raise ClientGone from None
            if piece is not None:
                envelopes.feed(piece if self._decoder is None else self._decoder.feed(piece))
                continue
            self._ended = True
            if self._decoder is not None:
                self._decoder.end()
            envelopes.end()
        return found
