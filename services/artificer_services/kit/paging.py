"""Pages of a list: their sizes, and tokens that are opaque to clients and good only for the list they came from.

Pure; knows neither store nor protos (AIP-158).
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from .errors import Fault, Invalid

LARGEST_PAGE = 1000  # AIP-158: a larger size is reduced to this, not refused

_SUM = 6  # bytes; a token is no secret, it only has to notice a list that is not its own


def size_faults(size: int) -> list[Fault]:
    """Return what is wrong with a request's `page_size`."""
    return [Fault("page_size", f"must not be negative, but is {size}")] if size < 0 else []


def page_size(size: int, default: int) -> int:
    """Return how many entries a page has; 0 stands for the default."""
    return min(size or default, LARGEST_PAGE)


def token_of(place: str, *asked: str) -> str:
    """Return the token of the page that begins after `place`, which is alphanumeric, of the list that was asked for."""
    return base64.urlsafe_b64encode(_sum(asked) + place.encode()).rstrip(b"=").decode()


def place_of(token: str, *asked: str) -> str:
    """Return the place that a token stands for. Raises Invalid for a token of another list or no token at all."""
    try:
        data = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        place = data[_SUM:].decode("ascii")
    except (binascii.Error, ValueError):
        data, place = b"", ""
    if not place.isalnum() or data[:_SUM] != _sum(asked):
        raise _not_a_token()
    return place


def number_of(token: str, *asked: str) -> int:
    """Return the place of a token as a number of at most 63 bits. Raises Invalid as `place_of` does."""
    place = place_of(token, *asked)
    if not (place.isdigit() and len(place) < len(str(2**63))):
        raise _not_a_token()
    return int(place)


def _not_a_token() -> Invalid:
    return Invalid(Fault("page_token", "must be the next_page_token of an answer to the same request"))


def _sum(asked: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(asked).encode()).digest()[:_SUM]
