"""How single messages are compressed: gzip and deflate (zlib), each under a limit on what comes out.

It knows no protocol: headers' values are handed in, and codings by their name.
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
# The fastest: the event loop waits for it.
_LEVEL = 1


class Coding:
    """One of the codings."""

    __slots__ = ("_wbits", "name")

    def __init__(self, name: bytes) -> None:
        self.name, self._wbits = name, _WBITS[name]

    def compress(self, data: bytes) -> bytes:
        """A message as it is sent."""
        return zlib.compress(data, _LEVEL, self._wbits)

    def decompress(self, data: bytes, limit: int, fault: Code) -> bytes:
        """A message as it was; a bomb is stopped where it passes `limit`, in bytes.

        Raises RESOURCE_EXHAUSTED then, and `fault` for what is not of this coding. Nothing at all is an empty message.
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
"""What a servicer asks for by `set_compression`."""


def coding_named(name: bytes | None, known: tuple[bytes, ...], header: str) -> Coding | None:
    """The coding of that name, None for identity; `header` is where `known` are listed for a client that erred.

    Raises UNIMPLEMENTED for any other.
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
    """Whether a list of codings has this one, and not with a weight of zero (RFC 9110 section 12.5.3)."""
    for part in () if header is None else header.lower().split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() == name:
            return not weight or weight.replace(b" ", b"").rstrip(b"0").rstrip(b".") not in (b"q=", b"q=0")
    return False
