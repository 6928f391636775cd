"""Page tokens: opaque to clients, and valid only for the list they came from.

Pure. Knows neither store nor protos.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from .errors import Fault, Invalid

_SUM = 6  # bytes; the checksum detects a token of another list, it protects no secret


def token_of(place: str, *asked: str) -> str:
    """Returns the token of the page that begins after `place` in the list identified by `asked`."""
    return base64.urlsafe_b64encode(_sum(asked) + place.encode()).rstrip(b"=").decode()


def place_of(token: str, *asked: str) -> str:
    """Returns the place that a token encodes. Raises Invalid if it is malformed or belongs to another list."""
    try:
        data = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        place = data[_SUM:].decode("ascii")
    except (binascii.Error, ValueError):
        data, place = b"", ""
    if not place.isalnum() or data[:_SUM] != _sum(asked):
        raise Invalid(Fault("page_token", "must be the next_page_token of an answer to the same request"))
    return place


def _sum(asked: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(asked).encode()).digest()[:_SUM]
