"""Reads a request body under a limit, and decompresses it.

It knows no message; it stops reading once the limit is exceeded.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..origin import Lease
from ..status import Code, Violation, error, invalid
from .body_timeouts import BodyTimeouts, Pieces, steps_of

Receive = Callable[[], Awaitable[Any]]


_TIMEOUTS = BodyTimeouts()


class Disconnected(Exception):
    """The client disconnected before its body was complete."""


def too_large(limit: int) -> Exception:
    """Returns a 413; its code is RESOURCE_EXHAUSTED, which gRPC uses for a message over the limit."""
    return error(Code.RESOURCE_EXHAUSTED, f"the request body is larger than {limit} bytes", http=413)


def coding_of(header: bytes) -> bool:
    """Returns whether a body is gzip, by its content-encoding. Raises INVALID_ARGUMENT with http 415 for others."""
    coding = header.strip().lower()
    if coding in (b"", b"identity"):
        return False
    if coding in (b"gzip", b"x-gzip"):
        return True
    name = coding.decode("latin-1")
    raise error(
        Code.INVALID_ARGUMENT,
        f"unsupported content-encoding {name!r}; expected gzip or identity",
        http=415,
        headers=(("accept-encoding", "gzip"),),
    )


async def read(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    limit: int,
    timeouts: BodyTimeouts = _TIMEOUTS,
    lease: Lease | None = None,
) -> bytes:
    """Reads the whole body and decompresses it; holds at most `limit` bytes, and counts them in `lease`.

    Raises RESOURCE_EXHAUSTED (413) above the limit, INVALID_ARGUMENT for malformed gzip, 415 for another coding,
    DEADLINE_EXCEEDED (408) if it arrives too slowly, `Disconnected`, and what `lease` raises.
    """
    gzip, declared = _begin(headers, limit, lease)
    pieces: Pieces | None = None
    step = steps_of(receive())
    try:
        waiting = step.send(None)
    except StopIteration as done:  # the body is here already, as nearly always: no timer needed
        message = done.value
    else:
        pieces = Pieces(receive, timeouts, declared)
        message = await pieces.late(step, waiting)
    if not gzip and message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")  # nearly every body arrives in one piece
        return counted(body, limit, lease)
    pieces = pieces or Pieces(receive, timeouts, declared)
    sink = _Gunzip(limit, lease) if gzip else _Plain(limit, lease)
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        fed = sink.feed(piece)
        pieces.came(
            len(piece), 0 if gzip else fed
        )  # a pace of decompressed bytes would be too fast for compressed ones
        if not message.get("more_body"):
            return sink.end()
        message = await pieces.next()


def read_whole(body: bytes, headers: Mapping[bytes, bytes], limit: int, lease: Lease | None = None) -> bytes:
    """Does the same with a body that has arrived whole, and raises the same except for what comes late."""
    if not _begin(headers, limit, lease)[0]:
        return counted(body, limit, lease)
    sink = _Gunzip(limit, lease)
    sink.feed(body)
    return sink.end()


def _begin(headers: Mapping[bytes, bytes], limit: int, lease: Lease | None) -> tuple[bool, int]:
    """Checks the size that a request declares; returns whether its body is gzip, and that size, or 0."""
    gzip = coding_of(headers.get(b"content-encoding", b""))
    declared = headers.get(b"content-length")
    if declared is None or not declared.isdigit():
        return gzip, 0
    if int(declared) > limit:
        raise too_large(limit)
    if lease is not None:
        lease.expect(int(declared))
    return gzip, int(declared)


def counted(body: bytes, limit: int, lease: Lease | None) -> bytes:
    """Returns a body that has arrived whole. Raises RESOURCE_EXHAUSTED (413), and what `lease` raises."""
    if len(body) > limit:
        raise too_large(limit)
    if lease is not None:
        lease.take(len(body))
    return body


class _Plain:
    def __init__(self, limit: int, lease: Lease | None) -> None:
        self._limit, self._lease = limit, lease
        self._body = bytearray()

    def feed(self, data: bytes) -> int:
        """Adds a piece; returns how many bytes are held."""
        if len(self._body) + len(data) > self._limit:
            raise too_large(self._limit)
        if self._lease is not None:
            self._lease.take(len(data))
        self._body += data
        return len(self._body)

    def end(self) -> bytes:
        return bytes(self._body)


class _Gunzip:
    def __init__(self, limit: int, lease: Lease | None) -> None:
        self._limit, self._lease = limit, lease
        self._body = bytearray()
        self._gunzip = Gunzip()

    def feed(self, data: bytes) -> int:
        """Adds a compressed piece; returns how many bytes are held."""
        self._gunzip.feed(data)
        while plain := self._gunzip.step(self._limit - len(self._body) + 1):
            self._body += plain
            if len(self._body) > self._limit:
                raise too_large(self._limit)
            if self._lease is not None:
                self._lease.take(len(plain))
        return len(self._body)

    def end(self) -> bytes:
        self._gunzip.end()
        return bytes(self._body)


class Gunzip:
    """Decompresses gzip (RFC 1952, any number of members) in steps, so that a caller can stop at a limit."""

    def __init__(self) -> None:
        self._data = b""
        self._member: Any = None

    def feed(self, data: bytes) -> None:
        """Adds compressed data; call it only after `step` has returned nothing."""
        self._data += data

    def step(self, most: int) -> bytes:
        """Returns at most `most` bytes, or none if it needs more data. Raises INVALID_ARGUMENT for malformed gzip."""
        plain = b""
        while self._data and not plain:
            if self._member is None:
                self._member = zlib.decompressobj(wbits=31)
            try:
                plain = self._member.decompress(self._data, most)
            except zlib.error:
                raise invalid(Violation("", "the body is not valid gzip, but its content-encoding is gzip")) from None
            if self._member.eof:
                self._data, self._member = self._member.unused_data, None
            else:
                self._data = self._member.unconsumed_tail
        return plain

    def end(self) -> None:
        """Raises INVALID_ARGUMENT if the data is truncated."""
        if self._member is not None:
            raise invalid(Violation("", "truncated gzip body"))
