"""Connect's streams: HTTP's status is always 200, and the last envelope carries the status of the call.

It knows no handler.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import grpc

from ...call import AnyCall
from ...compression import ANSWERS, Coding, preferred
from ...framing.envelope import envelope
from ...metadata import Pair
from ...reply import Headers
from ...settings import NEVER
from ...status import Code, Status, Violation, error, invalid
from .coding import CONNECT, coding_named
from .connect_errors import ConnectErrors
from .kinds import Kind
from .wires import Wire

__all__ = ["TIMEOUT", "VERSION", "ConnectWire", "check_version", "seconds"]

VERSION = b"connect-protocol-version"
"""The header that names Connect's version; it is optional."""
TIMEOUT = b"connect-timeout-ms"
_END_STREAM = 0x02
_MILLISECONDS = re.compile(rb"\d{1,10}")


def check_version(version: bytes) -> None:
    """Raises INVALID_ARGUMENT if the client names a protocol version other than 1."""
    if version != b"1":
        shown = version.decode("latin-1")
        raise error(Code.INVALID_ARGUMENT, f"unsupported connect-protocol-version {shown!r}; expected '1'")


def seconds(headers: Mapping[bytes, bytes], most: float | None) -> float | None:
    """Returns the timeout of the call, at most `most`. Raises INVALID_ARGUMENT for a malformed header."""
    given = headers.get(TIMEOUT)
    if given is None:
        return most
    if not _MILLISECONDS.fullmatch(given):
        raise invalid(Violation("connect-timeout-ms", "expected milliseconds in at most ten digits"))
    asked = int(given) / 1000
    return asked if most is None else min(asked, most)


class ConnectWire(Wire):
    """Writes a streamed answer."""

    __slots__ = ("_compress_from", "_errors")

    fault = Code.INVALID_ARGUMENT
    codings = CONNECT

    def __init__(self, kind: Kind, headers: Mapping[bytes, bytes], errors: ConnectErrors, compress_from: int) -> None:
        super().__init__(kind, headers)
        self._errors, self._compress_from = errors, compress_from

    def opening(self, most: float | None) -> tuple[float | None, Coding | None]:
        headers = self._headers
        if VERSION in headers:
            check_version(headers[VERSION])
        allowed = seconds(headers, most)
        return allowed, coding_named(headers.get(b"connect-content-encoding"), CONNECT, "connect-accept-encoding")

    def _choose(self, call: AnyCall) -> Headers:
        if call.context.compression is grpc.Compression.NoCompression or self._compress_from == NEVER:
            return []
        self.coding = preferred(self._headers.get(b"connect-accept-encoding"), ANSWERS)
        return [] if self.coding is None else [(b"connect-content-encoding", self.coding.name)]

    def _compresses(self, message: bytes) -> bool:
        return len(message) >= self._compress_from

    def end(self, data: bytes, status: Status | None, trailing: Sequence[Pair]) -> tuple[bytes, Headers | None]:
        return data + envelope(_END_STREAM, self._errors.end(status, trailing)), None
