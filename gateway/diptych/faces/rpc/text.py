"""gRPC-Web's text mode: a body in base64, of parts that may each be encoded and padded separately.

It knows no envelope.
"""

from __future__ import annotations

import binascii
from base64 import b64encode

from ...status import Violation, invalid

__all__ = ["Base64Decoder", "b64encode"]


class Base64Decoder:
    """Decodes base64 as it arrives, by quanta of four characters (RFC 4648 section 4)."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Returns the bytes of the quanta that are complete. Raises INVALID_ARGUMENT for text that is not base64."""
        data = self._rest + data
        whole = len(data) & ~3
        self._rest, data = data[whole:], data[:whole]
        plain, at = b"", 0
        # Padding within the text ends one part; the next begins with the next quantum.
        while (padded := data.find(b"=", at)) != -1:
            end = (padded | 3) + 1
            plain += _decode(data[at:end])
            at = end
        return plain + _decode(data[at:])

    def end(self) -> None:
        """Raises INVALID_ARGUMENT if the text ends within a quantum."""
        if self._rest:
            raise _not_base64()


def _decode(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        raise _not_base64() from None


def _not_base64() -> Exception:
    return invalid(Violation("", "the body is not valid base64, but its content type is application/grpc-web-text"))
