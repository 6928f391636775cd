"""Zstandard, `zstd` (RFC 8878), by the standard library of Python 3.14 or its backport."""

from __future__ import annotations

import sys
from typing import Any

from .codings import Coding, Deflater, Inflater, Malformed, MembersInflater, Truncated

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 1
# RFC 9659: the window of a content coding is at most 8 MiB. A stream's is 64 KiB.
_WINDOW_BITS, _STREAM_WINDOW_BITS = 23, 16
# A frame of nine bytes costs as much time as 25 KB of a long one.
_MOST_FRAMES = 1000


class Zstandard(Coding):
    """RFC 8878, with up to a thousand frames."""

    name = b"zstd"

    def compress(self, data: bytes) -> bytes:
        compressed: bytes = zstd.compress(data, _LEVEL)
        return compressed

    def deflater(self) -> Deflater:
        return _Deflater()

    def inflater(self) -> Inflater:
        return _Inflater()


class _Deflater:
    def __init__(self) -> None:
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: _LEVEL,
            zstd.CompressionParameter.window_log: _STREAM_WINDOW_BITS,
        }
        self._stream: Any = zstd.ZstdCompressor(options=options)

    def write(self, data: bytes) -> bytes:
        packed: bytes = self._stream.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK)
        return packed

    def end(self, data: bytes) -> bytes:
        packed: bytes = self._stream.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)
        return packed


class _Inflater(MembersInflater):
    def __init__(self) -> None:
        super().__init__()
        self._frame: Any = None
        self._frames = 0

    def step(self, most: int) -> bytes:
        plain = b""
        while not plain and (self._slice or self._holds_more() or self._next()):
            if self._frame is None:
                self._frames += 1
                if self._frames > _MOST_FRAMES:
                    raise Malformed("too many frames")
                self._frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_BITS})
            data, self._slice = self._slice, b""
            try:
                plain = self._frame.decompress(data, most)
            except zstd.ZstdError as wrong:
                raise Malformed(str(wrong)) from None
            if self._frame.eof:
                self._slice, self._frame = self._frame.unused_data, None
        return plain

    def _holds_more(self) -> bool:
        return self._frame is not None and not self._frame.needs_input

    def end(self) -> None:
        if self._frame is not None:
            raise Truncated
