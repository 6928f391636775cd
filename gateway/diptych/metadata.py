"""Converts HTTP headers to gRPC metadata and back, and reads a request's deadline.

It knows no call. A pair is `(name, value)`; the value is bytes if the name ends in `-bin`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, TypeAlias

from .status import StatusError, Violation, invalid

Pair = tuple[str, str | bytes]
Metadata = tuple[Pair, ...]
RawHeaders = Iterable[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1, and headers that describe the HTTP message instead of the call.
HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings"),
        *(b"content-length", b"content-encoding", b"expect", b"host"),
    )
)
# Names that a servicer's metadata cannot set: they would break the HTTP response, which sets them itself.
_UNSENDABLE = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"),
        *("content-length", "content-encoding", "content-type"),
    )
)
# A servicer sets the HTTP status of a successful response with this key; gRPC clients see it as plain metadata.
HTTP_CODE_KEY = "x-http-code"
# Trailing metadata that tells gRPC clients when to retry ("Pushback" in gRFC A6).
RETRY_PUSHBACK_KEY = "grpc-retry-pushback-ms"
TIMEOUT_HEADER = b"grpc-timeout"
SERVER_TIMEOUT_HEADER = b"x-server-timeout"

# gRPC over HTTP2, "Timeout → TimeoutValue TimeoutUnit": at most eight digits.
_GRPC_TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
_SECONDS = re.compile(rb"\d{1,9}(\.\d{0,9})?")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

# HTML section 9.2.4: browsers send the id of an event as UTF-8; other headers have no encoding (RFC 9110 section 5.5).
_LAST_EVENT_ID = b"last-event-id"

_REMEMBERED = 256
# Errors quote no more of a client's header.
_LONGEST_QUOTE = 40

# Keys and values that gRPC itself can carry ("ASCII-Value": space to tilde).
_KEY = re.compile(r"[a-z0-9_.\-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPolicy:
    """Decides which request headers become metadata: all except reserved ones, narrowed by `allow` and `deny`."""

    allow: frozenset[bytes] | None = None
    deny: frozenset[bytes] = frozenset()
    # Decisions by name, for headers decoded as Latin-1. Clients choose the names, so it stops growing at `_REMEMBERED`.
    _keys: dict[bytes, str | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    # A cache of names whose values are text, bounded in the same way.
    _text: set[bytes] = field(default_factory=set, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, allow: Iterable[str] | None, deny: Iterable[str]) -> HeaderPolicy:
        """Makes a policy from header names in any case; with `allow` None, only `deny` narrows."""
        return cls(
            allow=None if allow is None else frozenset(name.lower().encode() for name in allow),
            deny=frozenset(name.lower().encode() for name in deny),
        )

    def may_refuse(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether `from_headers` could raise for headers of these names, since one is of binary metadata."""
        text = self._text
        if headers.keys() <= text:
            return False
        if any(name.endswith(b"-bin") for name in headers):
            return True
        for name in headers:
            if len(text) < _REMEMBERED:
                text.add(name)
        return False

    def key(self, name: bytes) -> str | None:
        """Returns the metadata key of a header, or None if it does not become metadata."""
        dropped = (
            name in HOP_BY_HOP
            or name.startswith((b"grpc-", b":"))
            or name in self.deny
            or (self.allow is not None and name not in self.allow)
        )
        key = None if dropped else name.decode("latin-1")
        if len(self._keys) < _REMEMBERED and not name.endswith(b"-bin") and name != _LAST_EVENT_ID:
            self._keys[name] = key
        return key


def from_headers(headers: RawHeaders, policy: HeaderPolicy) -> Metadata:
    """Converts request headers to invocation metadata; names must be in lower case, as ASGI sends them.

    Values are decoded as Latin-1, which keeps every byte, except `last-event-id`, which is UTF-8.

    Raises INVALID_ARGUMENT for a `-bin` header that is not base64.
    """
    known = policy._keys
    try:
        return tuple([(key, value.decode("latin-1")) for name, value in headers if (key := known[name]) is not None])
    except KeyError:
        pass
    pairs: list[Pair] = []
    for name, value in headers:
        key = policy.key(name)
        if key is None:
            continue
        if key.endswith("-bin"):
            pairs.extend((key, decode_binary(key, part)) for part in value.split(b","))
        elif name == _LAST_EVENT_ID:
            pairs.append((key, _utf8(value)))
        else:
            pairs.append((key, value.decode("latin-1")))
    return tuple(pairs)


def _utf8(value: bytes) -> str:
    """Decodes UTF-8, or Latin-1 as other headers are if it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class UnreadMetadata(Protocol):
    """Invocation metadata that is made of the request's headers once somebody asks for it, as few servicers do."""

    def metadata(self) -> Metadata:
        """Returns the metadata; for headers that the policy `may_refuse`, it is made at once instead."""


AnyMetadata: TypeAlias = Metadata | UnreadMetadata


def read(metadata: AnyMetadata) -> Metadata:
    """Returns the metadata."""
    return metadata if isinstance(metadata, tuple) else metadata.metadata()


def decode_binary(name: str, value: bytes) -> bytes:
    """Decodes a `-bin` value: base64 with or without padding, as in gRPC over HTTP2."""
    value = value.strip()
    try:
        return binascii.a2b_base64(value + b"=" * (-len(value) % 4), strict_mode=True)
    except binascii.Error:
        raise invalid(Violation(name, "expected base64, as in every header whose name ends in -bin")) from None


def to_headers(pairs: Sequence[Pair], prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
    """Converts metadata to response headers, `-bin` values to base64; omits names that would break the response."""
    headers: list[tuple[bytes, bytes]] = []
    for key, value in pairs:
        name = _sent_name(key)
        if name is None:
            continue
        if isinstance(value, bytes):
            value = base64.b64encode(value).rstrip(b"=").decode() if key.endswith("-bin") else value.decode("latin-1")
        # Surrounding white space is not part of a value (RFC 9110 section 5.5), and HTTP servers refuse to send it.
        headers.append((prefix + name, value.encode("latin-1", "replace").strip()))
    return headers


@lru_cache(maxsize=_REMEMBERED)
def _sent_name(key: str) -> bytes | None:
    """Returns the name of a metadata key as a header, or None if it would break the response."""
    unsendable = key in _UNSENDABLE or key == HTTP_CODE_KEY or key.startswith((":", "grpc-"))
    return None if unsendable else key.encode()


def check(pairs: Iterable[tuple[str, str | bytes]]) -> Metadata:
    """Checks a servicer's metadata by gRPC's own rules, so that all faces accept the same.

    Raises ValueError for what gRPC cannot carry, and TypeError for a str value under a `-bin` key.
    """
    checked: list[Pair] = []
    for name, value in pairs:
        if not _KEY.fullmatch(name):
            raise ValueError(f"metadata was invalid: key {name!r}; expected only a-z, 0-9, '_', '-' and '.'")
        if not name.endswith("-bin"):
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if not _VALUE.fullmatch(text):
                raise ValueError(f"metadata was invalid: the value of {name!r} is not printable ASCII")
            checked.append((name, text))
        else:
            if isinstance(value, str):
                raise TypeError(f"metadata was invalid: the value of {name!r} is a str; expected bytes")
            checked.append((name, bytes(value)))
    return tuple(checked)


def timeout(grpc_timeout: bytes | None, server_timeout: bytes | None, maximum: float | None) -> float | None:
    """Returns the seconds a call may take, by the client's headers and the server's maximum; None means no limit.

    Raises INVALID_ARGUMENT for a malformed header.
    """
    seconds = maximum
    if grpc_timeout is not None:
        found = _GRPC_TIMEOUT.fullmatch(grpc_timeout)
        if not found:
            raise _unreadable("grpc-timeout", grpc_timeout, "1 to 8 digits and a unit (H, M, S, m, u or n)")
        seconds = _least(seconds, int(found[1]) * _UNITS[found[2]])
    if server_timeout is not None:
        if not _SECONDS.fullmatch(server_timeout):
            raise _unreadable("x-server-timeout", server_timeout, "a number of seconds such as 2.5")
        seconds = _least(seconds, float(server_timeout))
    return seconds


def _unreadable(name: str, value: bytes, expected: str) -> StatusError:
    return invalid(Violation(name, f"invalid value {value[:_LONGEST_QUOTE].decode('latin-1')!r}; expected {expected}"))


def _least(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)
