"""Compression of single messages, with a limit on the decompressed size.

It knows no protocol: header values and names of codings are passed in.
"""

from __future__ import annotations

import grpc

from ...compression import ANSWERS, CODINGS, Coding, Malformed, Truncated
from ...framing.envelope import too_large
from ...status import Code, error

__all__ = ["COMPRESSIONS", "CONNECT", "coding_named", "decompressed", "decompressed_small"]

COMPRESSIONS = {grpc.Compression.Gzip: CODINGS[b"gzip"], grpc.Compression.Deflate: CODINGS[b"deflate"]}
"""The codings that a servicer selects with `set_compression`."""

CONNECT: tuple[bytes, ...] = tuple(coding.name for coding in reversed(ANSWERS))
"""The codings of Connect: `gzip`, and `br` and `zstd` if they are installed (connectrpc.com/docs/protocol)."""


def decompressed(coding: Coding, data: bytes, limit: int, fault: Code) -> bytes:
    """Returns a decompressed message.

    Raises RESOURCE_EXHAUSTED once it exceeds `limit` bytes, and `fault` for data that is not in this coding. No data is
    an empty message.
    """
    if not data:
        return b""
    name = coding.name.decode()
    try:
        plain = _inflated(coding, data, limit)
    except Truncated:
        raise error(fault, f"truncated {name} message") from None
    except Malformed:
        raise error(fault, f"a message is not valid {name}, the encoding of the request") from None
    if plain is None:
        raise too_large(limit)
    return plain


def decompressed_small(coding: Coding, data: bytes, most: int) -> bytes | None:
    """Returns the decompressed message if it is valid and has at most `most` bytes, else None."""
    try:
        return _inflated(coding, data, most)
    except Malformed:
        return None


def _inflated(coding: Coding, data: bytes, limit: int) -> bytes | None:
    """Returns a decompressed message, or None if it has more than `limit` bytes. Raises `Malformed`."""
    inflater = coding.inflater()
    inflater.feed(data)
    pieces: list[bytes] = []
    left = limit
    while piece := inflater.step(left + 1):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            return None
    inflater.end()
    return b"".join(pieces)


def coding_named(name: bytes | None, known: tuple[bytes, ...], header: str) -> Coding | None:
    """Returns the coding of that name, None for identity.

    Raises UNIMPLEMENTED for a name not in `known`, which the response lists in `header`.
    """
    if not name or name == b"identity":
        return None
    if name in known:
        return CODINGS[name]
    listed = ", ".join(one.decode() for one in known)
    shown = name.decode("latin-1")
    raise error(
        Code.UNIMPLEMENTED,
        f"unsupported message encoding {shown!r}; expected {listed} or identity",
        headers=((header, f"{listed}, identity"),),
    )
