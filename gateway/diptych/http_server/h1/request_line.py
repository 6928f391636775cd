"""The request lines of one HTTP/1.1 connection, in the bytes that it received.

llhttp accepts several spaces between the parts of a line, and RTSP's lines besides HTTP's, but shows neither the line
nor where it begins. Both are found here. It knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping

from .chunks import Chunks

_HEAD_END = b"\r\n\r\n"
_LINE_ENDS = {"1.1": b" HTTP/1.1\r\n", "1.0": b" HTTP/1.0\r\n"}
# Where the last complete head began, if not in this piece: before it, or before it and ended there too.
_AHEAD, _LONG_AHEAD = -1, -2


class RequestLines:
    """Follows where messages begin. The first one of a piece costs one comparison, and only pipelined ones a search."""

    __slots__ = ("_chunks", "_fields", "_first", "_head", "_held", "_piece", "_tail", "body")

    def __init__(self) -> None:
        self._piece = self._tail = b""
        self._first = False
        self._head = _LONG_AHEAD
        self._fields: Mapping[bytes, bytes] = {}
        self._held = bytearray()  # the line of an incomplete head, as far as earlier pieces have it
        self._chunks = Chunks()  # the chunked body behind the last complete head
        self.body = 0
        """Bytes of the body behind the last complete head, as far as they are in this piece; the owner adds to it."""

    def feed(self, piece: bytes, between: bool) -> None:
        """Takes the bytes that the parser gets next; `between` is whether no message has begun in earlier ones."""
        if not between and not self._held and b"transfer-encoding" in self._fields:
            self._walk()
        self._piece, self._first, self.body = piece, between, 0
        self._head = 0 if between else _LONG_AHEAD

    def hold(self) -> None:
        """Called behind a piece that ends within a head."""
        piece, held = self._piece, self._held
        if not held:
            begin = self._next_begin()
            held += _upto_line_end(piece[begin:].lstrip(b"\r\n"))
            self._tail = b""
        elif held[-1:] != b"\n":
            held += _upto_line_end(piece)
        self._tail = (self._tail + piece)[-3:]

    def is_usual(self, method: bytes, target: bytes, fields: Mapping[bytes, bytes]) -> bool:
        """Whether the head that is now complete is the first of its piece and has a valid line of HTTP/1.1.

        If not, `valid` has to be asked.
        """
        if not self._first or not self._piece.startswith(b" HTTP/1.1\r\n", len(method) + 1 + len(target)):
            return False
        self._fields, self._first = fields, False
        return True

    def valid(self, method: bytes, target: bytes, version: str, fields: Mapping[bytes, bytes]) -> bool:
        """Whether the head that is now complete begins with a valid line; llhttp has checked each part of it."""
        # A second space, or another protocol, moves or changes the end of the line.
        end = _LINE_ENDS[version]
        right = self._first and self._piece.startswith(end, len(method) + 1 + len(target))
        if not right:
            right = self._found(method + b" " + target + end)
        self._fields, self._first = fields, False
        return right

    def _found(self, line: bytes) -> bool:
        held, self._held = bytes(self._held), bytearray()
        text, begin = (held + self._piece, 0) if held else (self._piece, self._next_begin())
        begin = len(text) - len(text[begin:].lstrip(b"\r\n"))  # RFC 9112 section 2.2 ignores empty lines
        right = text.startswith(line, begin)
        self._head, self.body = (_AHEAD if held else begin), 0
        return right

    def _next_begin(self) -> int:
        """Returns where the message behind the last complete head begins in this piece."""
        if self._first:
            return 0
        if b"transfer-encoding" in self._fields:
            return self._walk()
        return self._head_end() + self.body

    def _head_end(self) -> int:
        """Returns where the last complete head ends in this piece; 0 if it ended before."""
        if self._head == _LONG_AHEAD:
            return 0
        tail = self._tail if self._head == _AHEAD else b""
        return (tail + self._piece).find(_HEAD_END, max(self._head, 0)) + len(_HEAD_END) - len(tail)

    def _walk(self) -> int:
        """Returns where a chunked body ends in this piece, which the parser has read."""
        if self._head != _LONG_AHEAD:
            self._chunks = Chunks()
        return self._chunks.end(self._piece, self._head_end())


def _upto_line_end(text: bytes) -> bytes:
    return text[: text.find(b"\n") + 1 or None]
