"""The heads of HTTP/1.1: what a request's target and upgrade mean, and how a response's fields are written.

It knows no connection.
"""

from __future__ import annotations

import binascii
import logging
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Literal

import httptools

from ..authority import AUTHORITY
from ..h2.limits import MAX_HEADER_BYTES
from ..refusals import LARGE_HEAD

logger = logging.getLogger("diptych")

Fields = list[tuple[bytes, bytes]]

CLOSE = b"connection: close\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JOINED_BYTES = 65536
"""The largest piece of a body that is written together with its head, which copies it."""

# What no field name and no field value may contain (RFC 9110 sections 5.1 and 5.5).
_NOT_IN_NAME = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_NOT_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES: Mapping[int, bytes] = {status: _status_line(status) for status in range(100, 600)}


_PATH = re.compile(rb"[/?#]")
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
# What llhttp reads besides HTTP: ICE and RTSP. A CONNECT is for proxies.
_FOREIGN = frozenset(
    (
        *(b"CONNECT", b"SOURCE", b"DESCRIBE", b"ANNOUNCE", b"SETUP", b"PLAY", b"PAUSE", b"TEARDOWN"),
        *(b"GET_PARAMETER", b"SET_PARAMETER", b"REDIRECT", b"RECORD", b"FLUSH"),
    )
)


# A field costs memory besides its bytes: RFC 9113 section 6.5.2 counts 32 for each, and HTTP/2's heads are measured so.
_MOST_FIELDS = MAX_HEADER_BYTES // 32

Fault = Literal["malformed", "target", "field", "framing", "large", "host", "coding", "upgrade"]


_NOT_HTTP = ("a request that is not HTTP/1.1", 400)
NOTES: Mapping[Fault, tuple[str, int]] = {
    "malformed": _NOT_HTTP,
    "target": _NOT_HTTP,
    "field": _NOT_HTTP,
    "framing": _NOT_HTTP,
    "large": LARGE_HEAD,
    "host": ("a request without one valid Host", 400),
    "coding": ("an unsupported transfer-encoding", 501),
    "upgrade": ("an invalid WebSocket handshake", 426),
}
"""What the log says of each fault, and the HTTP status of its response."""


class BadHead(Exception):
    """The head of a request is not HTTP/1.1; `fault` names one of the canned responses."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


# What llhttp's texts say about the part of the request that is malformed.
_PARTS: tuple[tuple[str, Fault], ...] = (
    ("content-length", "framing"),
    ("transfer-encoding", "framing"),
    ("chunk", "framing"),
    ("header", "field"),
)


def fault_of(wrong: httptools.HttpParserError, *, amid_body: bool) -> Fault:
    """Returns the fault that stopped the parser; `amid_body` is whether it had a head."""
    cause = wrong.__context__
    if isinstance(cause, BadHead):
        return cause.fault
    if isinstance(wrong, httptools.HttpParserCallbackError):
        logger.error("parsing a request failed", exc_info=wrong)
    if isinstance(wrong, httptools.HttpParserInvalidURLError):
        return "target"
    text = str(wrong).lower()
    return next((fault for part, fault in _PARTS if part in text), "framing" if amid_body else "malformed")


def check(method: bytes, version: str, fields: Fields, named: Mapping[bytes, bytes]) -> bytes:
    """Raises `BadHead` for what llhttp accepts and HTTP does not; returns the host. `named` are the fields by name."""
    if version not in ("1.1", "1.0") or method in _FOREIGN:
        raise BadHead("malformed")
    if len(fields) > _MOST_FIELDS:
        raise BadHead("large")
    host = named.get(b"host")
    several = sum(name == b"host" for name, _ in fields) > 1
    # RFC 9112 section 3.2.
    if several or (host is None and version == "1.1") or not AUTHORITY.fullmatch(host or b""):
        raise BadHead("host")
    if b"transfer-encoding" in named:  # RFC 9112 section 6.1
        codings = [value.strip().lower() for name, value in fields if name == b"transfer-encoding"]
        if codings != [b"chunked"]:
            raise BadHead("coding")
    return host or b""


def target_of(target: bytes, host: bytes | None) -> tuple[str, bytes]:
    """Returns the raw path and the query of a request's target. Raises `BadHead`, also if it names another host."""
    if target.startswith(b"/") and target.find(b"#") < 0:  # not `in`, which raises and catches a TypeError before
        path, _, query = target.partition(b"?")
    elif target == b"*":  # OPTIONS asks about the server itself (RFC 9110 section 9.3.7)
        return "*", b""
    else:
        try:
            url = httptools.parse_url(target)
        except httptools.HttpParserInvalidURLError:
            raise BadHead("target") from None
        scheme, _, rest = target.partition(b"://")
        port = _DEFAULT_PORTS.get(scheme.lower())
        if url.userinfo or port is None:  # RFC 9110 section 4.2.4
            raise BadHead("target")
        # RFC 9112 section 3.2.2 has clients send the same host in both; what is checked is the field.
        named = _PATH.split(rest, maxsplit=1)[0].lower()
        if host is None or named.removesuffix(port) != host.lower().removesuffix(port):
            raise BadHead("host")
        path, query = url.path or b"/", url.query or b""
    try:
        return path.decode("ascii"), query
    except UnicodeDecodeError:
        raise BadHead("target") from None


def lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Returns the lines of response fields. Raises ValueError for one that would break the head."""
    written = []
    for name, value in fields:
        if not name or _NOT_IN_NAME.search(name) or _NOT_IN_VALUE.search(value):
            raise ValueError(f"invalid response header {name!r}: {value!r}")
        written.append(b"%b: %b\r\n" % (name.lower(), value))
    return b"".join(written)


def opens_websocket(method: bytes, fields: Fields) -> bool:
    """Whether a head is a valid handshake, apart from the upgrade itself (RFC 6455 section 4.2.1)."""
    keys = [value.strip() for name, value in fields if name == b"sec-websocket-key"]
    versions = [value.strip() for name, value in fields if name == b"sec-websocket-version"]
    try:
        right = versions == [b"13"] and len(keys) == 1 and len(binascii.a2b_base64(keys[0], strict_mode=True)) == 16
    except binascii.Error:
        return False
    return right and method == b"GET"


def without_upgrade(method: bytes, target: bytes, fields: Fields) -> bytes:
    """Returns a head again without the offer of another protocol, which a server may ignore (RFC 9110 section 7.8)."""
    kept = b"".join([b"%b: %b\r\n" % pair for pair in fields if pair[0] != b"upgrade"])
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, kept)


def size_of(target: bytes, fields: Fields) -> int:
    """Returns the bytes of a head, without the request line's verb and version."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in fields)
