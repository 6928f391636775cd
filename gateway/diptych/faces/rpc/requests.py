"""Reads requests from envelopes: the one of a unary call, or a stream of them as the servicer asks.

It knows no route and no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...call import ClientGone
from ...exchange import BodyPatience, Disconnected, Inbound, Pieces, Receive
from ...framing.envelope import COMPRESSED, HEAD, Envelopes
from ...origin import Lease
from ...status import Code, error
from .coding import Coding
from .text import Quanta

__all__ = ["Enveloped", "Opener", "one"]


class Opener:
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


async def one(receive: Receive, opener: Opener, quanta: Quanta | None, patience: BodyPatience) -> Any:
    """Returns the request of a body that must hold exactly one.

    Raises UNIMPLEMENTED for none and for several (gRPC's statuscodes.md), DEADLINE_EXCEEDED for a body that arrives too
    slowly, `Disconnected`, and what the opener's lease raises.
    """
    lease, step, pieces = opener.lease, receive().__await__(), None
    try:
        waiting = next(step)
    except StopIteration as done:  # the usual case: the body has arrived already, and no timer is needed
        message = done.value
    else:
        pieces = Pieces(receive, patience)
        message = await pieces.late(step, waiting)
    if not message.get("more_body") and quanta is None and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) >= HEAD.size:
            flags, length = HEAD.unpack_from(body)
            if length == len(body) - HEAD.size and length <= opener.limit and flags <= COMPRESSED:
                if lease is not None:
                    lease.take(length)
                return opener(flags, body[HEAD.size :])
    pieces = pieces or Pieces(receive, patience)
    envelopes = Envelopes(opener.limit, opener.fault)
    found: tuple[int, bytes] | None = None
    head = HEAD.size  # the envelope's head does not count as memory of the message
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        data: bytes = message.get("body", b"")
        if quanta is not None:
            data = quanta.feed(data)
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
    if quanta is not None:
        quanta.end()
    envelopes.end()
    if found is None:
        raise error(Code.UNIMPLEMENTED, "expected one request message, got none")
    return opener(*found)


class Enveloped:
    """Reads a stream of requests as the body arrives."""

    __slots__ = ("_ended", "_envelopes", "_inbound", "_opener", "_quanta")

    def __init__(self, inbound: Inbound, opener: Opener, quanta: Quanta | None) -> None:
        self._inbound, self._opener, self._quanta = inbound, opener, quanta
        self._envelopes = Envelopes(opener.limit, opener.fault)
        self._ended = False

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
                envelopes.feed(piece if self._quanta is None else self._quanta.feed(piece))
                continue
            self._ended = True
            if self._quanta is not None:
                self._quanta.end()
            envelopes.end()
        return self._opener(*found)
