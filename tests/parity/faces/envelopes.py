"""The five bytes of flags and length before each message in gRPC, gRPC-Web and Connect."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

_HEAD = struct.Struct(">BI")


def envelope(flags: int, data: bytes) -> bytes:
    """Returns one message in its envelope."""
    return _HEAD.pack(flags, len(data)) + data


class Envelopes:
    """Yields the envelopes of a body that arrives in any pieces."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        rest = b""
        async for piece in self._pieces:
            rest += piece
            while len(rest) >= _HEAD.size:
                flags, length = _HEAD.unpack_from(rest)
                if len(rest) < _HEAD.size + length:
                    break
                yield flags, rest[_HEAD.size : _HEAD.size + length]
                rest = rest[_HEAD.size + length :]
        assert not rest, "the body ended within an envelope"
