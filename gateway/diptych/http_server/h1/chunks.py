"""Where a chunked body ends (RFC 9112 section 7.1), which llhttp does not tell.

It reads only what llhttp has accepted, and so checks nothing. It knows no request.
"""

from __future__ import annotations


class Chunks:
    """One chunked body."""

    __slots__ = ("_left", "_line", "_trailers")

    def __init__(self) -> None:
        self._left = 0  # bytes of the chunk, and of the end of its line
        self._line = bytearray()  # of a line that has arrived only in part
        self._trailers = False

    def end(self, piece: bytes, at: int) -> int:
        """Reads the piece from `at` on; returns where the body ends in it, or its size if the body goes on."""
        size = len(piece)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            stop = piece.find(b"\n", at) + 1
            self._line += piece[at : stop or size]
            if not stop:
                return size
            at, line, self._line = stop, self._line.rstrip(b"\r\n"), bytearray()
            if self._trailers:
                if not line:
                    return at
            elif count := int(line.partition(b";")[0], 16):
                self._left = count + len(b"\r\n")
            else:
                self._trailers = True
        return size
