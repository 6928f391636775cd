"""Five bytes before each message, its flags and its length, as gRPC, gRPC-Web and Connect have it.

Pure: pieces of a body in, envelopes out. It knows no protocol and no compression.
"""

from __future__ import annotations

from struct import Struct

from ..status import Code, StatusError, error

__all__ = ["COMPRESSED", "HEAD", "Envelopes", "envelope", "too_large"]

HEAD = Struct(">BI")
COMPRESSED = 0x01


def envelope(flags: int, data: bytes) -> bytes:
    """One message in its envelope."""
    return HEAD.pack(flags, len(data)) + data


def too_large(limit: int) -> StatusError:
    """RESOURCE_EXHAUSTED, as the gRPC port words it."""
    return error(Code.RESOURCE_EXHAUSTED, f"the request is larger than {limit} bytes")


class Envelopes:
    """The envelopes of one body, however it was cut into pieces.

    `limit` is the most bytes a message may declare, held before any of them is kept; `fault` is what a body that
    breaks the form is called.
    """

    __slots__ = ("_at", "_buffer", "_fault", "_limit")

    def __init__(self, limit: int, fault: Code = Code.INTERNAL) -> None:
        self._limit, self._fault = limit, fault
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Hold more; `next` has to have given None before, or a body would be held whole."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """The next message with its flags, None where more has to be fed.

        Raises RESOURCE_EXHAUSTED for one over the limit, and `fault` for flags that nobody has defined.
        """
        buffer, at = self._buffer, self._at
        if len(buffer) - at < HEAD.size:
            return None
        flags, length = HEAD.unpack_from(buffer, at)
        if flags & ~COMPRESSED:
            raise error(self._fault, f"an envelope has flags {flags:#04x}, which mean nothing in a request")
        if length > self._limit:
            raise too_large(self._limit)
        begin = at + HEAD.size
        if len(buffer) < begin + length:
            return None
        self._at = begin + length
        return flags, bytes(buffer[begin : self._at])

    def end(self) -> None:
        """Raises `fault` where the body ends within an envelope."""
        if len(self._buffer) > self._at:
            raise error(self._fault, "the request ends within a message")
