"""The head of a request from its fields, and the fields of a response as bytes, by the rules of RFC 9113 section 8.

It knows no stream state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from ..authority import AUTHORITY
from . import hpack
from .hpack import Field, Fields

# Section 8.2.2: these describe one HTTP/1.1 connection.
CONNECTION_FIELDS = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path"))
_BAD_NAME = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9a-z]")  # a token (RFC 9110 section 5.6.2) in lower case
_BAD_VALUE = re.compile(rb"[\0\r\n]|\A[ \t]|[ \t]\Z")
_BAD_PATH = re.compile(rb"[^\x21-\x7e]")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*")  # RFC 3986 section 3.1


class Malformed(Exception):
    """The request is malformed (RFC 9113 section 8.1.1)."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head in ASGI's terms, shared by all requests with the same field block."""

    method: str
    path: str
    encoded_path: str
    """The path with its percent-escapes, as the client sent it."""
    query: bytes
    headers: tuple[Field, ...]
    fields: Mapping[bytes, bytes]
    """The headers by name, with the last value of repeated ones."""
    content_length: int | None
    takes_trailers: bool
    too_large: bool = False
    """Whether the fields were above the limit: then only what the refusal depends on was kept."""


def too_large(fields: Fields) -> Head:
    """Returns the head of a request with more fields than are kept."""
    known = dict(fields.kept) | fields.essential
    headers = tuple((name, known[name]) for name in (b"content-type",) if name in known)
    method = "HEAD" if known.get(b":method") == b"HEAD" else "GET"
    return Head(method, "/", "/", b"", headers, dict(headers), None, takes_trailers=False, too_large=True)


def read(fields: list[Field]) -> Head:
    """Returns the head that a block's fields describe. Raises Malformed."""
    pseudo: dict[bytes, bytes] = {}
    headers: list[Field] = []
    cookies: list[bytes] = []
    for name, value in fields:
        if name[:1] == b":":
            if headers or cookies or name in pseudo or name not in _PSEUDO:
                raise Malformed(f"pseudo-header {name!r} is unknown, repeated, or after a header")
            pseudo[name] = value
            continue
        _check(name, value)
        if name == b"cookie":
            cookies.append(value)
        else:
            headers.append((name, value))
    if cookies:
        headers.append((b"cookie", b"; ".join(cookies)))  # section 8.2.3
    target = _target(pseudo)
    path, _, query = target.partition(b"?")
    encoded = path.decode("ascii")
    whole = _with_host(headers, pseudo.get(b":authority"))
    return Head(
        method=_method(pseudo),
        path=unquote(encoded),
        encoded_path=encoded,
        query=query,
        headers=whole,
        fields=dict(whole),
        content_length=_content_length(headers),
        takes_trailers=(b"te", b"trailers") in headers,
    )


def check_trailers(fields: list[Field]) -> None:
    """Raises Malformed if a request's trailers contain a field that trailers cannot have."""
    for name, value in fields:
        _check(name, value)


def _check(name: bytes, value: bytes) -> None:
    if not name or _BAD_NAME.search(name):
        raise Malformed(f"invalid field name {name!r}")
    if _BAD_VALUE.search(value):
        raise Malformed(f"the value of {name!r} has a character that values cannot have")
    if name in CONNECTION_FIELDS or (name == b"te" and value.lower() != b"trailers"):
        raise Malformed(f"HTTP/2 has no field {name!r}, or not with this value")


def _method(pseudo: dict[bytes, bytes]) -> str:
    method = pseudo.get(b":method", b"")
    if not method or _BAD_NAME.search(method.lower()) or method == b"CONNECT":
        raise Malformed("the method is missing, invalid or CONNECT")
    return method.decode("ascii")


def _target(pseudo: dict[bytes, bytes]) -> bytes:
    target = pseudo.get(b":path", b"")
    if not _SCHEME.fullmatch(pseudo.get(b":scheme", b"")) or _BAD_PATH.search(target):
        raise Malformed("the scheme is missing or invalid, or the path has a character that paths cannot have")
    if target[:1] != b"/" and not (target == b"*" and pseudo.get(b":method") == b"OPTIONS"):
        raise Malformed("the path does not begin with a slash")
    return target


def _with_host(headers: list[Field], authority: bytes | None) -> tuple[Field, ...]:
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (hosts and authority is not None and hosts[0].lower() != authority.lower()):
        raise Malformed(":authority and host differ, or host is repeated")
    # Section 8.3.1: no user information, and nothing else that is not a host and a port.
    if not AUTHORITY.fullmatch(authority or b"") or not all(map(AUTHORITY.fullmatch, hosts)):
        raise Malformed("the host has a character that hosts cannot have")
    if authority is None or hosts:
        return tuple(headers)
    return ((b"host", authority), *headers)


def _content_length(headers: list[Field]) -> int | None:
    found = {value for name, value in headers if name == b"content-length"}
    if not found:
        return None
    length = found.pop()
    if found or not length.isdigit() or len(length) > 18:
        raise Malformed("invalid content-length")
    return int(length)


# Responses.

_REMEMBERED = 4096  # fields, of at most 256 bytes each
_known: dict[Field, bytes] = {}


def field_bytes(field: Field) -> bytes:
    """Returns a response's field in HPACK; empty if HTTP/2 has no such field. Raises ValueError."""
    found = _known.get(field)
    return found if found is not None else _encoded(field)


def _encoded(field: Field) -> bytes:
    name, value = field[0].lower(), field[1].strip(b" \t")
    if not name or _BAD_NAME.search(name) or _BAD_VALUE.search(value):
        raise ValueError(f"invalid header {field!r}")
    coded = b"" if name in CONNECTION_FIELDS or name == b"te" else hpack.encode((name, value))
    if len(coded) <= 256:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[field] = coded
    return coded


def status_bytes(status: int) -> bytes:
    """Returns the `:status` field in HPACK."""
    found = _statuses.get(status)
    return found if found is not None else hpack.encode((b":status", b"%03d" % status))


_statuses = {status: hpack.encode((b":status", b"%03d" % status)) for status in range(200, 600)}
