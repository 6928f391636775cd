"""A request body off the wire: read under a limit, decoded, and its content type told apart.

It knows no message; it stops reading as soon as the limit is passed.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..status import Code, Violation, error, invalid

Receive = Callable[[], Awaitable[Any]]


class Disconnected(Exception):
    """The client left before its body was complete."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """A content type: `media` in lower case without parameters, `text` as the header had it."""

    media: str
    text: str

    @classmethod
    def of(cls, header: bytes | None) -> ContentType:
        """From the header's value; without a header both are empty."""
        if header == b"application/json":
            return _JSON
        text = (header or b"").decode("latin-1").strip()
        return cls(text.partition(";")[0].strip().lower(), text)

    @property
    def is_json(self) -> bool:
        """Whether it is JSON: application/json, or a +json suffix (RFC 6839)."""
        return self.media == "application/json" or self.media.endswith("+json")

    def parameter(self, name: str) -> str:
        """A parameter's value without its quotes, or nothing."""
        for part in self.text.split(";")[1:]:
            key, _, value = part.partition("=")
            if key.strip().lower() == name:
                return value.strip().strip('"')
        return ""


_JSON = ContentType("application/json", "application/json")  # what nearly every body is


def too_large(limit: int) -> Exception:
    """413, as gRPC's RESOURCE_EXHAUSTED for a message over the limit."""
    return error(Code.RESOURCE_EXHAUSTED, f"the request body is larger than {limit} bytes", http=413)


async def read(receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """The whole body, decompressed; at most `limit` bytes of it are ever held.

    Raises RESOURCE_EXHAUSTED (413) beyond the limit, INVALID_ARGUMENT for broken gzip, 415 for another coding.
    """
    coding = headers.get(b"content-encoding", b"").strip().lower()
    if coding not in (b"", b"identity", b"gzip", b"x-gzip"):
        name = coding.decode("latin-1")
        raise error(
            Code.INVALID_ARGUMENT,
            f"content-encoding {name!r} is not taken: gzip or none is",
            http=415,
            headers=(("accept-encoding", "gzip"),),
        )
    declared = headers.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    message = await receive()
    if coding in (b"", b"identity") and message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")  # nearly every body comes in one piece
        if len(body) > limit:
            raise too_large(limit)
        return body
    sink = _Gunzip(limit) if coding.endswith(b"gzip") else _Plain(limit)
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        sink.feed(message.get("body", b""))
        if not message.get("more_body"):
            return sink.end()
        message = await receive()


class _Plain:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._limit:
            raise too_large(self._limit)
        self._body += data

    def end(self) -> bytes:
        return bytes(self._body)


class _Gunzip:
    """RFC 1952, members one after another; a bomb is stopped at the limit, not after it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()
        self._member: Any = None

    def feed(self, data: bytes) -> None:
        while data:
            if self._member is None:
                self._member = zlib.decompressobj(wbits=31)
            try:
                self._body += self._member.decompress(data, self._limit - len(self._body) + 1)
            except zlib.error:
                raise invalid(Violation("", "the body is not gzip, as its content-encoding says")) from None
            if len(self._body) > self._limit:
                raise too_large(self._limit)
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            else:
                data = self._member.unconsumed_tail

    def end(self) -> bytes:
        if self._member is not None:
            raise invalid(Violation("", "the gzip body ends too early"))
        return bytes(self._body)
