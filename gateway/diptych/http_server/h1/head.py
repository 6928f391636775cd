"""The heads of HTTP/1.1: what a request's target and upgrade mean, and how a response's fields are written.

It knows no connection.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import httptools

Fields = list[tuple[bytes, bytes]]

CLOSE = b"connection: close\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

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


class BadHead(Exception):
    """The head of a request is not HTTP/1.1."""


def target_of(target: bytes) -> tuple[str, bytes]:
    """Returns the raw path and the query of a request's target. Raises `BadHead`."""
    if target[:1] == b"/" and b"#" not in target:
        path, _, query = target.partition(b"?")
    else:
        try:
            url = httptools.parse_url(target)
        except httptools.HttpParserInvalidURLError:
            raise BadHead from None
        path, query = url.path or b"/", url.query or b""
    try:
        return path.decode("ascii"), query
    except UnicodeDecodeError:
        raise BadHead from None


def lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Returns the lines of response fields. Raises ValueError for one that would break the head."""
    written = []
    for name, value in fields:
        if not name or _NOT_IN_NAME.search(name) or _NOT_IN_VALUE.search(value):
            raise ValueError(f"invalid response header {name!r}: {value!r}")
        written.append(b"%b: %b\r\n" % (name.lower(), value))
    return b"".join(written)


def opens_websocket(verb: str, fields: Fields) -> bool:
    """Whether a head is a valid handshake, apart from the upgrade itself (RFC 6455 section 4.2.1)."""
    keys = [value.strip() for name, value in fields if name == b"sec-websocket-key"]
    versions = [value.strip() for name, value in fields if name == b"sec-websocket-version"]
    try:
        right = versions == [b"13"] and len(keys) == 1 and len(binascii.a2b_base64(keys[0], strict_mode=True)) == 16
    except binascii.Error:
        return False
    return right and verb == "GET"


def size_of(target: bytes, fields: Fields) -> int:
    """Returns the bytes of a head, without the request line's verb and version."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in fields)
