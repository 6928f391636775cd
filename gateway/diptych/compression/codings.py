"""What a coding can do, and zlib's two: gzip (RFC 1952) and deflate, as HTTP and gRPC call zlib's format (RFC 1950).

It knows no header.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

# Compression blocks the event loop, so every coding has its fastest level that is worth it.
_LEVEL = 1
_SLICE_BYTES = 16 * 1024


class Malformed(ValueError):
    """Data that is not in its coding."""


class Truncated(Malformed):
    """Data whose end is missing."""


class Inflater(ABC):
    """Decompresses one body in steps, so that a caller can stop at a limit."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Adds compressed data; call it only after `step` has returned nothing."""
        self._data += data

    @abstractmethod
    def step(self, most: int) -> bytes:
        """Returns at most `most` bytes, or none if it needs more data. Raises `Malformed`."""

    @abstractmethod
    def end(self) -> None:
        """Raises `Truncated` if the end of the data is missing."""


class MembersInflater(Inflater):
    """One of a coding in which members may follow one another, as many as fit.

    A member is given slices of the data: at its end it copies what is behind it, and a body may have a member in every
    nine bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._at = 0
        self._slice = b""

    def feed(self, data: bytes) -> None:
        self._data, self._at = self._data[self._at :] + data, 0

    def _next(self) -> bool:
        """Takes the next slice; returns False if there is none."""
        self._slice = self._data[self._at : self._at + _SLICE_BYTES]
        self._at += len(self._slice)
        return bool(self._slice)


class Deflater(Protocol):
    """Compresses one stream."""

    def write(self, data: bytes) -> bytes:
        """Returns everything that the client needs to read `data`."""

    def end(self, data: bytes) -> bytes:
        """Returns the rest, with the end of the stream."""


class Coding(ABC):
    """A content coding; `name` is that of HTTP, and of gRPC and Connect."""

    name: ClassVar[bytes]

    @abstractmethod
    def compress(self, data: bytes) -> bytes:
        """Returns a whole body or message, compressed."""

    @abstractmethod
    def deflater(self) -> Deflater:
        """Returns a compressor for a stream. It needs little memory, since thousands of streams may be open."""

    @abstractmethod
    def inflater(self) -> Inflater:
        """Returns a decompressor of one body or message."""


class _Zlib(Coding):
    wbits: ClassVar[int]

    def compress(self, data: bytes) -> bytes:
        return zlib.compress(data, _LEVEL, self.wbits)

    def deflater(self) -> Deflater:
        return _ZlibDeflater(self.wbits)

    def inflater(self) -> Inflater:
        return _ZlibInflater(self.wbits)


class Gzip(_Zlib):
    """RFC 1952, with any number of members."""

    name, wbits = b"gzip", 31


class Deflate(_Zlib):
    """RFC 1950."""

    name, wbits = b"deflate", 15


class _ZlibDeflater:
    # zlib's defaults take 256 KiB a stream; a window of 8 KiB and `memLevel` 6 take 64 (zconf.h).
    def __init__(self, wbits: int) -> None:
        self._stream: Any = zlib.compressobj(_LEVEL, zlib.DEFLATED, wbits - 2, 6)

    def write(self, data: bytes) -> bytes:
        packed: bytes = self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return packed

    def end(self, data: bytes) -> bytes:
        packed: bytes = self._stream.compress(data) + self._stream.flush()
        return packed


class _ZlibInflater(MembersInflater):
    def __init__(self, wbits: int) -> None:
        super().__init__()
        self._wbits = wbits
        self._member: Any = None

    def step(self, most: int) -> bytes:
        plain = b""
        while not plain and (self._slice or self._next()):
            if self._member is None:
                self._member = zlib.decompressobj(wbits=self._wbits)
            try:
                plain = self._member.decompress(self._slice, most)
            except zlib.error as wrong:
                raise Malformed(str(wrong)) from None
            if self._member.eof:
                self._slice, self._member = self._member.unused_data, None
            else:
                self._slice = self._member.unconsumed_tail
        return plain

    def end(self) -> None:
        if self._member is not None:
            raise Truncated
