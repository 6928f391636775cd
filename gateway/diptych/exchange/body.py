"""Reads a request body under a limit, and decompresses it.

It knows no message; it stops reading once the limit is exceeded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..compression import CODINGS, Coding, Malformed
from ..origin import Lease
from ..status import Code, Violation, error, invalid
from .body_timeouts import BodyTimeouts, Pieces, steps_of

Receive = Callable[[], Awaitable[Any]]

GZIP = (b"gzip",)
"""The codings that REST accepts."""

_TIMEOUTS = BodyTimeouts()


class Disconnected(Exception):
    """The client disconnected before its body was complete."""


def too_large(limit: int) -> Exception:
    """Returns a 413; its code is RESOURCE_EXHAUSTED, which gRPC uses for a message over the limit."""
    return error(Code.RESOURCE_EXHAUSTED, f"the request body is larger than {limit} bytes", http=413)


def coding_of(header: bytes, known: Sequence[bytes] = GZIP) -> Coding | None:
    """Returns the coding of a body by its content-encoding, None for identity.

    Raises INVALID_ARGUMENT with http 415 for a coding that is not in `known`.
    """
    name = header.strip().lower()
    if name in (b"", b"identity"):
        return None
    if name == b"x-gzip":  # equivalent (RFC 9110 section 8.4.1.3)
        name = b"gzip"
    if name in known:
        return CODINGS[name]
    listed = b", ".join(known).decode()
    shown = name.decode("latin-1")
    raise error(
        Code.INVALID_ARGUMENT,
        f"unsupported content-encoding {shown!r}; expected {listed} or identity",
        http=415,
        headers=(("accept-encoding", listed),),
    )


async def read(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    limit: int,
    timeouts: BodyTimeouts = _TIMEOUTS,
    lease: Lease | None = None,
    codings: Sequence[bytes] = GZIP,
) -> bytes:
    """Reads the whole body and decompresses it; holds at most `limit` bytes, and counts them in `lease`.

    Raises RESOURCE_EXHAUSTED (413) above the limit, INVALID_ARGUMENT for malformed data, 415 for another coding,
    DEADLINE_EXCEEDED (408) if it arrives too slowly, `Disconnected`, and what `lease` raises.
    """
    coding, declared = _begin(headers, limit, lease, codings)
    pieces: Pieces | None = None
    step = steps_of(receive())
    try:
        waiting = step.send(None)
    except StopIteration as done:  # the body is here already, as nearly always: no timer needed
        message = done.value
    else:
        pieces = Pieces(receive, timeouts, declared)
        message = await pieces.late(step, waiting)
    if coding is None and message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")  # nearly every body arrives in one piece
        return counted(body, limit, lease)
    pieces = pieces or Pieces(receive, timeouts, declared)
    sink = _Plain(limit, lease) if coding is None else _Decoded(coding, limit, lease)
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        fed = sink.feed(piece)
        # A pace of decompressed bytes would be too fast for compressed ones.
        pieces.came(len(piece), fed if coding is None else 0)
        if not message.get("more_body"):
            return sink.end()
        message = await pieces.next()


def read_whole(
    body: bytes,
    headers: Mapping[bytes, bytes],
    limit: int,
    lease: Lease | None = None,
    codings: Sequence[bytes] = GZIP,
) -> bytes:
    """Does the same with a body that has arrived whole, and raises the same except for what comes late."""
    coding, _ = _begin(headers, limit, lease, codings)
    if coding is None:
        return counted(body, limit, lease)
    sink = _Decoded(coding, limit, lease)
    sink.feed(body)
    return sink.end()


def _begin(
    headers: Mapping[bytes, bytes], limit: int, lease: Lease | None, codings: Sequence[bytes]
) -> tuple[Coding | None, int]:
    """Checks the size that a request declares; returns the coding of its body, and that size, or 0."""
    coding = coding_of(headers.get(b"content-encoding", b""), codings)
    declared = headers.get(b"content-length")
    if declared is None or not declared.isdigit():
        return coding, 0
    if int(declared) > limit:
        raise too_large(limit)
    if lease is not None:
        lease.expect(int(declared))
    return coding, int(declared)


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


class _Decoded:
    def __init__(self, coding: Coding, limit: int, lease: Lease | None) -> None:
        self._limit, self._lease = limit, lease
        self._body = bytearray()
        self._decoder = BodyDecoder(coding)

    def feed(self, data: bytes) -> int:
        """Adds a compressed piece; returns how many bytes are held."""
        self._decoder.feed(data)
        while plain := self._decoder.step(self._limit - len(self._body) + 1):
            self._body += plain
            if len(self._body) > self._limit:
                raise too_large(self._limit)
            if self._lease is not None:
                self._lease.take(len(plain))
        return len(self._body)

    def end(self) -> bytes:
        self._decoder.end()
        return bytes(self._body)


class BodyDecoder:
    """Decompresses a body in steps, so that a caller can stop at a limit."""

    def __init__(self, coding: Coding) -> None:
        self._name = coding.name.decode()
        self._inflater = coding.inflater()
        self.feed = self._inflater.feed

    def step(self, most: int) -> bytes:
        """Returns at most `most` bytes, or none if it needs more data. Raises INVALID_ARGUMENT for malformed data."""
        try:
            return self._inflater.step(most)
        except Malformed:
            text = f"the body is not valid {self._name}, but its content-encoding is {self._name}"
            raise invalid(Violation("", text)) from None

    def end(self) -> None:
        """Raises INVALID_ARGUMENT if the data is truncated."""
        try:
            self._inflater.end()
        except Malformed:
            raise invalid(Violation("", f"truncated {self._name} body")) from None
