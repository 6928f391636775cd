"""Page tokens of a list: opaque to clients, and good only for the list they came from.

Pure; knows neither store nor protos.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from .errors import Fault, Invalid

_SUM = 6  # bytes; a token is no secret, it only has to notice a list that is not its own


def token_of(sequence: int, *asked: str) -> str:
    """The token of the page that begins beyond message number `sequence` of the list that was asked for."""
    data = sequence.to_bytes(8, "big") + _sum(asked)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sequence_of_token(token: str, *asked: str) -> int:
    """The number that a token stands for. Raises Invalid where it is of another list, or is none."""
    try:
        data = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != 8 + _SUM or data[8:] != _sum(asked) or data[0] >= 0x80:
        raise Invalid(Fault("page_token", "must be the next_page_token of an answer to the same request"))
    return int.from_bytes(data[:8], "big")


def _sum(asked: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(asked).encode()).digest()[:_SUM]
