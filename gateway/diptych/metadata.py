"""HTTP headers to gRPC metadata and back, and the deadline a request carries.

It knows no call; a pair is `(name, value)`, with bytes for a value where the name ends in `-bin`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .status import Violation, invalid

Pair = tuple[str, str | bytes]
Metadata = tuple[Pair, ...]
RawHeaders = Iterable[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1, and what describes the HTTP message, not the call.
HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings"),
        *(b"content-length", b"content-encoding", b"expect", b"host"),
    )
)
# A servicer's metadata that would break the HTTP message it travels on; the reply's own are its own.
_UNSENDABLE = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"),
        *("content-length", "content-encoding", "content-type"),
    )
)
# A servicer sets the status of a success with this key; gRPC clients see it as plain metadata.
HTTP_CODE_KEY = "x-http-code"
# When a client's retries may go on ("Pushback" in gRPC's A6), trailing metadata that gRPC itself speaks.
RETRY_PUSHBACK_KEY = "grpc-retry-pushback-ms"
TIMEOUT_HEADER = b"grpc-timeout"
SERVER_TIMEOUT_HEADER = b"x-server-timeout"

# gRPC over HTTP2, "Timeout → TimeoutValue TimeoutUnit": at most eight digits.
_GRPC_TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
_SECONDS = re.compile(rb"\d{1,9}(\.\d{0,9})?")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

_REMEMBERED = 256

# Keys and values that gRPC itself can carry ("ASCII-Value": space to tilde).
_KEY = re.compile(r"[a-z0-9_.\-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPolicy:
    """Which request headers become metadata: all but the reserved, narrowed by a list of either sense."""

    allow: frozenset[bytes] | None = None
    deny: frozenset[bytes] = frozenset()
    # What was decided for the names seen so far. Clients choose the names, so that it stops growing at `_REMEMBERED`.
    _keys: dict[bytes, str | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, allow: Iterable[str] | None, deny: Iterable[str]) -> HeaderPolicy:
        """From header names in any case; `allow` None lets all through that `deny` does not stop."""
        return cls(
            allow=None if allow is None else frozenset(name.lower().encode() for name in allow),
            deny=frozenset(name.lower().encode() for name in deny),
        )

    def key(self, name: bytes) -> str | None:
        """The metadata key of a header, or None where it becomes no metadata."""
        dropped = (
            name in HOP_BY_HOP
            or name.startswith((b"grpc-", b":"))
            or name in self.deny
            or (self.allow is not None and name not in self.allow)
        )
        key = None if dropped else name.decode("latin-1")
        if len(self._keys) < _REMEMBERED:
            self._keys[name] = key
        return key


def from_headers(headers: RawHeaders, policy: HeaderPolicy) -> Metadata:
    """Request headers as invocation metadata; lower-case names are expected, as ASGI has them.

    Raises INVALID_ARGUMENT for a `-bin` header that is not base64.
    """
    known = policy._keys
    pairs: list[Pair] = []
    for name, value in headers:
        key = known[name] if name in known else policy.key(name)
        if key is None:
            continue
        if key.endswith("-bin"):
            pairs.extend((key, decode_binary(key, part)) for part in value.split(b","))
        else:
            pairs.append((key, value.decode("latin-1")))
    return tuple(pairs)


def decode_binary(name: str, value: bytes) -> bytes:
    """A `-bin` value: base64, padded or not, as the gRPC wire format has it."""
    value = value.strip()
    try:
        return binascii.a2b_base64(value + b"=" * (-len(value) % 4), strict_mode=True)
    except binascii.Error:
        raise invalid(Violation(name, "a header named -bin holds base64")) from None


def to_headers(pairs: Sequence[Pair], prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
    """Metadata as response headers, `-bin` values in base64; what would break the message is left out."""
    headers: list[tuple[bytes, bytes]] = []
    for name, value in pairs:
        if name in _UNSENDABLE or name == HTTP_CODE_KEY or name.startswith((":", "grpc-")):
            continue
        if isinstance(value, bytes):
            value = base64.b64encode(value).rstrip(b"=").decode() if name.endswith("-bin") else value.decode("latin-1")
        # White space around a value is not part of it (RFC 9110 section 5.5), and HTTP servers refuse to write it.
        headers.append((prefix + name.encode(), value.encode("latin-1", "replace").strip()))
    return headers


def check(pairs: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """A servicer's metadata, refused where gRPC would refuse it, so that both faces agree.

    Raises ValueError for what gRPC cannot carry, and TypeError for text under a `-bin` key.
    """
    checked: list[Pair] = []
    for name, value in pairs:
        if not _KEY.fullmatch(name):
            raise ValueError(f"metadata was invalid: {name!r} is no metadata key")
        if not name.endswith("-bin"):
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if not _VALUE.fullmatch(text):
                raise ValueError(f"metadata was invalid: the value of {name!r} is not printable ASCII")
            checked.append((name, text))
        else:
            if isinstance(value, str):
                raise TypeError(f"metadata was invalid: {name!r} holds bytes, not text")
            checked.append((name, bytes(value)))
    return tuple(checked)


def timeout(grpc_timeout: bytes | None, server_timeout: bytes | None, maximum: float | None) -> float | None:
    """Seconds a call may take, by the client's headers and the server's maximum; None is without end.

    Raises INVALID_ARGUMENT for a header that cannot be read.
    """
    seconds = maximum
    if grpc_timeout is not None:
        found = _GRPC_TIMEOUT.fullmatch(grpc_timeout)
        if not found:
            raise invalid(Violation("grpc-timeout", "up to eight digits and one of the units H, M, S, m, u, n"))
        seconds = _least(seconds, int(found[1]) * _UNITS[found[2]])
    if server_timeout is not None:
        if not _SECONDS.fullmatch(server_timeout):
            raise invalid(Violation("x-server-timeout", "a number of seconds, such as 2.5"))
        seconds = _least(seconds, float(server_timeout))
    return seconds


def _least(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)
