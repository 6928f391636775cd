"""Reads requests from envelopes: the one of a unary call, or a stream of them as the servicer asks.

It knows no route and no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...call import ClientGone
from ...exchange import BodyTimeouts, Disconnected, Inbound, Pieces, Receive, steps_of
from ...framing.envelope import COMPRESSED, HEAD, Envelopes
from ...origin import Lease
from ...status import Code, error
from .coding import Coding
from .text import Base64Decoder

__all__ = ["EnvelopeReader", "EnvelopeSource", "read_one"]


class EnvelopeReader:
    """Turns the flags and data of an envelope into a message: decompresses and parses. `limit` is in bytes."""

    __slots__ = ("_coding", "_read", "fault", "lease", "limit")

    def __init__(self, coding: Coding | None, limit: int, fault: Code, read: Callable[[bytes], Any] | None) -> None:
        self._coding, self.limit, self.fault, self._read = coding, limit, fault, read
        self.lease: Lease | None = None
        """Accounts for the memory of a message that is held whole, compressed and decompressed."""

    def __call__(self, flags: int, data: bytes) -> Any:
        """Returns the message. Raises `StatusError`."""
        if flags:
            if self._coding is None:
                raise error(self.fault, "a message has the compressed flag, but no header names its encoding")
            plain = self._coding.decompress(data, self.limit, self.fault)
            if self.lease is not None:
                self.lease.take(max(0, len(plain) - len(data)))  # the compressed bytes are freed
            data = plain
        return data if self._read is None else self._read(data)


async def read_one(
    receive: Receive, reader: EnvelopeReader, decoder: Base64Decoder | None, timeouts: BodyTimeouts
) -> Any:
    """Returns the request of a body that must hold exactly one.

    Raises UNIMPLEMENTED for none and for several (gRPC's statuscodes.md), DEADLINE_EXCEEDED for a body that arrives too
    slowly, `Disconnected`, and what the reader's lease raises.
    """
    lease, step, pieces = reader.lease, steps_of(receive()), None
    try:
        waiting = step.send(None)
    except StopIteration as done:  # the usual case: the body has arrived already, and no timer is needed
        message = done.value
    else:
        pieces = Pieces(receive, timeouts)
        message = await pieces.late(step, waiting)
    if not message.get("more_body") and decoder is None and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) >= HEAD.size:
            flags, length = HEAD.unpack_from(body)
            if length == len(body) - HEAD.size and length <= reader.limit and flags <= COMPRESSED:
                if lease is not None:
                    lease.take(length)
                return reader(flags, body[HEAD.size :])
    pieces = pieces or Pieces(receive, timeouts)
    envelopes = Envelopes(reader.limit, reader.fault)
    found: tuple[int, bytes] | None = None
    head = HEAD.size  # the envelope's head does not count as memory of the message
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        data: bytes = message.get("body", b"")
        if decoder is not None:
            data = decoder.feed(data)
        if lease is not None:
            lease.take(max(0, len(data) - head))
            head = max(0, head - len(data))
        envelopes.feed(data)
        while (envelope := envelopes.next()) is not None:
            if found is not None:
                raise error(Code.UNIMPLEMENTED, "expected one request message, got more")
            found = envelope
        if not message.get("more_body"):
            break
        pieces.received += len(data)
        message = await pieces.next()
    if decoder is not None:
        decoder.end()
    envelopes.end()
    if found is None:
        raise error(Code.UNIMPLEMENTED, "expected one request message, got none")
    return reader(*found)


class EnvelopeSource:
    """Reads a stream of requests as the body arrives."""

    __slots__ = ("_decoder", "_ended", "_envelopes", "_inbound", "_reader")

    def __init__(self, inbound: Inbound, reader: EnvelopeReader, decoder: Base64Decoder | None) -> None:
        self._inbound, self._reader, self._decoder = inbound, reader, decoder
        self._envelopes = Envelopes(reader.limit, reader.fault)
        self._ended = False

    def take(self) -> Any:
        found = self._envelopes.next()
        return None if found is None else self._reader(*found)

    async def __anext__(self) -> Any:
        envelopes = self._envelopes
        while (found := envelopes.next()) is None:
            if self._ended:
                raise StopAsyncIteration
            try:
                piece = await self._inbound.piece()
            except Disconnected:
                raise ClientGone from None
            if piece is not None:
                envelopes.feed(piece if self._decoder is None else self._decoder.feed(piece))
                continue
            self._ended = True
            if self._decoder is not None:
                self._decoder.end()
            envelopes.end()
        return self._reader(*found)
