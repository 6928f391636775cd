"""Envelopes of gRPC, gRPC-Web and Connect: each message is prefixed by five bytes, its flags and its length.

Pure: pieces of a body in, messages out. It knows no protocol and no compression.
"""

from __future__ import annotations

from struct import Struct

from ..status import Code, StatusError, error

__all__ = ["COMPRESSED", "HEAD", "Envelopes", "envelope", "too_large"]

HEAD = Struct(">BI")
COMPRESSED = 0x01


def envelope(flags: int, data: bytes) -> bytes:
    """Returns a message in its envelope."""
    return HEAD.pack(flags, len(data)) + data


def too_large(limit: int) -> StatusError:
    """Returns RESOURCE_EXHAUSTED, worded as on the gRPC port."""
    return error(Code.RESOURCE_EXHAUSTED, f"the request is larger than {limit} bytes")


class Envelopes:
    """Splits one body, which arrives in pieces of any size, into envelopes.

    `limit` is the most bytes a message may declare, checked before any of them is kept; `fault` is the code for a
    malformed body.
    """

    __slots__ = ("_at", "_buffer", "_fault", "_limit")

    def __init__(self, limit: int, fault: Code = Code.INTERNAL) -> None:
        self._limit, self._fault = limit, fault
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Adds a piece; call it only after `next` has returned None, or the whole body is held in memory."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def next(self) -> tuple[int, bytes] | None:
        """Returns the next message with its flags, or None if it is incomplete.

        Raises RESOURCE_EXHAUSTED for a message over the limit, and `fault` for undefined flags.
        """
        buffer, at = self._buffer, self._at
        if len(buffer) - at < HEAD.size:
            return None
        flags, length = HEAD.unpack_from(buffer, at)
        if flags & ~COMPRESSED:
            raise error(self._fault, f"unsupported envelope flags {flags:#04x}; expected 0x00 or 0x01")
        if length > self._limit:
            raise too_large(self._limit)
        begin = at + HEAD.size
        if len(buffer) < begin + length:
            return None
        self._at = begin + length
        return flags, bytes(buffer[begin : self._at])

    @property
    def held(self) -> int:
        """The bytes of the incomplete message that have arrived."""
        return len(self._buffer) - self._at

    @property
    def declared(self) -> int:
        """The bytes that the incomplete message will have, or 0 if that is not known yet."""
        return HEAD.unpack_from(self._buffer, self._at)[1] if self.held >= HEAD.size else 0

    def end(self) -> None:
        """Raises `fault` if the body ends within an envelope."""
        if len(self._buffer) > self._at:
            raise error(self._fault, "truncated request: the last message is incomplete")
