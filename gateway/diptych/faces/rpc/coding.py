"""Compression of single messages: gzip and deflate (zlib), with a limit on the decompressed size.

It knows no protocol: header values and names of codings are passed in.
"""

from __future__ import annotations

import zlib
from typing import Any

import grpc

from ...framing.envelope import too_large
from ...status import Code, error

__all__ = ["COMPRESSIONS", "Coding", "accepts", "coding_named"]

# zlib's wbits, by name. gRPC calls "deflate" what RFC 1950 calls zlib.
_WBITS = {b"gzip": 31, b"deflate": 15}
# The fastest level, since compression blocks the event loop.
_LEVEL = 1


class Coding:
    """A content coding."""

    __slots__ = ("_wbits", "name")

    def __init__(self, name: bytes) -> None:
        self.name, self._wbits = name, _WBITS[name]

    def compress(self, data: bytes) -> bytes:
        """Returns the compressed message."""
        return zlib.compress(data, _LEVEL, self._wbits)

    def small(self, data: bytes, most: int) -> bytes | None:
        """Returns the decompressed message if it is valid and has at most `most` bytes, else None."""
        stream: Any = zlib.decompressobj(wbits=self._wbits)
        try:
            plain: bytes = stream.decompress(data, most)
        except zlib.error:
            return None
        return plain if stream.eof and not stream.unused_data else None

    def decompress(self, data: bytes, limit: int, fault: Code) -> bytes:
        """Returns the decompressed message.

        Raises RESOURCE_EXHAUSTED once it exceeds `limit` bytes, and `fault` for data that is not in this coding. No
        data is an empty message.
        """
        plain = b""
        while data:
            stream: Any = zlib.decompressobj(wbits=self._wbits)
            try:
                plain += stream.decompress(data, limit + 1 - len(plain))
            except zlib.error:
                raise error(
                    fault, f"a message is not valid {self.name.decode()}, the encoding of the request"
                ) from None
            if len(plain) > limit:
                raise too_large(limit)
            if not stream.eof:
                raise error(fault, f"truncated {self.name.decode()} message")
            data = stream.unused_data  # gzip may have members one after another
        return plain


_CODINGS = {name: Coding(name) for name in _WBITS}
COMPRESSIONS = {grpc.Compression.Gzip: _CODINGS[b"gzip"], grpc.Compression.Deflate: _CODINGS[b"deflate"]}
"""The codings that a servicer selects with `set_compression`."""


def coding_named(name: bytes | None, known: tuple[bytes, ...], header: str) -> Coding | None:
    """Returns the coding of that name, None for identity.

    Raises UNIMPLEMENTED for a name not in `known`, which the response lists in `header`.
    """
    if not name or name == b"identity":
        return None
    if name in known:
        return _CODINGS[name]
    listed = ", ".join(one.decode() for one in known)
    shown = name.decode("latin-1")
    raise error(
        Code.UNIMPLEMENTED,
        f"unsupported message encoding {shown!r}; expected {listed} or identity",
        headers=((header, f"{listed}, identity"),),
    )


def accepts(header: bytes | None, name: bytes) -> bool:
    """Whether a list of codings has this one with a weight above zero (RFC 9110 section 12.5.3)."""
    for part in () if header is None else header.lower().split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() == name:
            return not weight or weight.replace(b" ", b"").rstrip(b"0").rstrip(b".") not in (b"q=", b"q=0")
    return False
