"""Connect's unary calls by GET: the request is in the query, for methods declared NO_SIDE_EFFECTS.

Pure: takes a query, returns the request.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ...framing.envelope import too_large
from ...status import Code, Violation, error, invalid
from .coding import CONNECT, coding_named, decompressed

__all__ = ["QueryRequest", "asked"]

_ENCODINGS = {b"json": True, b"proto": False}
_STANDARD = bytes.maketrans(b"-_", b"+/")


class QueryRequest(NamedTuple):
    """What a query asks for. Its message is decoded only once the call may be made: it may be compressed."""

    json: bool
    parameters: Mapping[bytes, bytes]

    def message(self, limit: int) -> bytes:
        """Returns the message; `limit` is the most bytes of it, after decompression.

        Raises INVALID_ARGUMENT for malformed base64, UNIMPLEMENTED for an unknown compression and RESOURCE_EXHAUSTED
        above the limit.
        """
        given = self.parameters
        message = given[b"message"]
        if given.get(b"base64") == b"1":
            message = _from_base64(message)
        if len(message) > limit:
            raise too_large(limit)
        coding = coding_named(given.get(b"compression"), CONNECT, "accept-encoding")
        return message if coding is None else decompressed(coding, message, limit, Code.INVALID_ARGUMENT)


def asked(query: bytes) -> QueryRequest:
    """Reads a query. Raises INVALID_ARGUMENT for missing or malformed parameters (http 415 for an unknown encoding)."""
    given: dict[bytes, bytes] = {}
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        given.setdefault(name, unquote_to_bytes(value.replace(b"+", b" ")))
    version = given.get(b"connect", b"v1")
    if version != b"v1":
        raise invalid(Violation("connect", "unsupported protocol version; expected v1"))
    for needed in (b"encoding", b"message"):
        if needed not in given:
            raise invalid(Violation(needed.decode(), "missing query parameter of a Connect GET request"))
    json = _ENCODINGS.get(given[b"encoding"])
    if json is None:
        raise invalid(Violation("encoding", "expected json or proto"), http=415)
    return QueryRequest(json, given)


def _from_base64(text: bytes) -> bytes:
    """Decodes either alphabet of RFC 4648, padded or not."""
    text = text.rstrip(b"=").translate(_STANDARD)
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        raise error(Code.INVALID_ARGUMENT, "message: expected base64, since base64=1 is set") from None
