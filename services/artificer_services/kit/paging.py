"""Page sizes and page tokens (AIP-158). A token is opaque to clients and valid only for the list it came from.

Pure; knows neither stores nor protos.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from .errors import Fault, Invalid

LARGEST_PAGE = 1000  # a larger size is reduced to this, not refused (AIP-158)

_CHECKSUM_BYTES = 6  # a token is no secret; the checksum only detects use with another list


def size_faults(size: int) -> list[Fault]:
    """Returns the faults of a request's `page_size`."""
    return [Fault("page_size", f"must not be negative, but is {size}")] if size < 0 else []


def page_size(size: int, default: int) -> int:
    """Returns the number of entries of a page; size 0 means the default."""
    return min(size or default, LARGEST_PAGE)


def token_of(place: str, *scope: str) -> str:
    """Returns the token of the page after `place`, an alphanumeric position in the list that `scope` identifies."""
    return base64.urlsafe_b64encode(_checksum(scope) + place.encode()).rstrip(b"=").decode()


def place_of(token: str, *scope: str) -> str:
    """Returns the position of a token. Raises Invalid if it is malformed or belongs to another list."""
    try:
        data = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        place = data[_CHECKSUM_BYTES:].decode("ascii")
    except (binascii.Error, ValueError):
        data, place = b"", ""
    if not place.isalnum() or data[:_CHECKSUM_BYTES] != _checksum(scope):
        raise invalid_token()
    return place


def number_of(token: str, *scope: str) -> int:
    """Returns the position of a token as a number of at most 63 bits. Raises Invalid as `place_of` does."""
    place = place_of(token, *scope)
    if not (place.isdigit() and len(place) < len(str(2**63))):
        raise invalid_token()
    return int(place)


def invalid_token() -> Invalid:
    """Returns the error for a token that is malformed or belongs to another list."""
    return Invalid(Fault("page_token", "must be the next_page_token of a response to the same request"))


def _checksum(scope: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(scope).encode()).digest()[:_CHECKSUM_BYTES]
