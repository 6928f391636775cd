"""Reads a WebSocket's handshake: its subprotocol, the origin of the page, and the metadata of the call.

Pure: takes headers and query, returns values. Browsers cannot set headers on a WebSocket, so metadata may also be in
the query or in the first frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_plus, urlsplit

import orjson

from ...exchange import Scope
from ...status import Code, StatusError, Violation, error, invalid

JSON_PROTOCOL, PROTO_PROTOCOL = "diptych.v1.json", "diptych.v1.proto"

RawPairs = list[tuple[bytes, bytes]]

MOST_METADATA_BYTES = 64 * 1024
"""The largest metadata frame, and the most that its pairs may count together; a request's head has the same limit."""
# What each pair counts besides its bytes, as in a head of HTTP/2 (RFC 9113 section 6.5.2): empty ones cost memory too.
_PAIR_BYTES = 32

_PARAMETER = "$metadata"
_KEYED = re.compile(r"\$metadata\[(.*)\]", re.DOTALL)
# gRPC over HTTP2: "Header-Name" and "ASCII-Value".
_KEY = re.compile(r"[a-z0-9_.\-]{1,256}")
_VALUE = re.compile(r"[\x20-\x7e]*")
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
OWN_SITES = (b"same-origin", b"none")
"""The values of Sec-Fetch-Site that no page of another site sends; none is the user's own act, such as a bookmark."""
# Credentials that a browser adds by itself, for pages of any origin.
_AMBIENT = frozenset((b"cookie", b"authorization"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """`metadata` are raw pairs as in headers; `query` is the query without metadata, for the request's fields."""

    proto: bool
    subprotocol: str | None
    metadata: RawPairs
    query: bytes
    in_frames: bool
    """Whether both sides send metadata in text frames."""
    anonymous: bool = False
    """Whether the page is of an untrusted origin, so that credentials added by the browser are ignored."""


def read(scope: Scope, origins: Sequence[str]) -> Handshake:
    """Reads a handshake; `origins` are allowed besides the server's own.

    Raises PERMISSION_DENIED for a page of another origin, INVALID_ARGUMENT for a malformed or unsupported handshake.
    """
    headers: RawPairs = list(scope["headers"])
    trust = trusted(headers, origins)
    if trust == "no":
        raise error(Code.PERMISSION_DENIED, "this origin is not allowed to open a WebSocket; see cors_origins")
    query, pairs, in_frames = parameters(scope["query_string"])
    own = [
        (name, value)
        for name, value in headers
        if not name.startswith(b"sec-websocket-") and not (trust == "anonymous" and name in _AMBIENT)
    ]
    subprotocol = choose(scope.get("subprotocols") or ())
    return Handshake(
        proto=subprotocol == PROTO_PROTOCOL,
        subprotocol=subprotocol,
        metadata=[*own, *pairs],
        query=query,
        in_frames=in_frames,
        anonymous=trust == "anonymous",
    )


def choose(offered: Sequence[str]) -> str | None:
    """Returns the first known subprotocol of those offered, or None, which means JSON, if none is offered.

    Raises INVALID_ARGUMENT if none of those offered is known.
    """
    for name in offered:
        if name in (JSON_PROTOCOL, PROTO_PROTOCOL):
            return name
    if offered:
        raise error(
            Code.INVALID_ARGUMENT, f"unsupported WebSocket subprotocol; expected {JSON_PROTOCOL} or {PROTO_PROTOCOL}"
        )
    return None


def trusted(headers: RawPairs, origins: Sequence[str]) -> Literal["yes", "anonymous", "no"]:
    """Whether the page may open the socket (RFC 6455 section 10.2): browsers apply no CORS checks to WebSockets.

    The allowed origin `*` admits any page, but without credentials that the browser adds, as in CORS.
    """
    named = dict(headers)
    origin, site = named.get(b"origin"), named.get(b"sec-fetch-site")
    if origin is None and (site is None or site in OWN_SITES):
        return "yes"  # not a browser
    text = (origin or b"null").decode("latin-1")
    if site == b"same-origin":
        return "yes"  # set by the browser; proxies do not change it as they do Host
    if text in origins or is_own(text, named.get(b"host", b"").decode("latin-1")):
        return "yes"
    return "anonymous" if "*" in origins else "no"


def is_own(origin: str, host: str) -> bool:
    """Whether the origin is the host in the handshake. Schemes are not compared: a proxy may terminate TLS."""
    try:
        here, there = urlsplit(origin), urlsplit(f"//{host}")
        port = _PORTS.get(here.scheme)
        return bool(here.hostname) and (here.hostname, here.port or port) == (there.hostname, there.port or port)
    except ValueError:
        return False


def parameters(query: bytes) -> tuple[bytes, RawPairs, bool]:
    """Returns the query without metadata parameters, the metadata, and whether metadata is sent in frames.

    Raises INVALID_ARGUMENT for an invalid key or value.
    """
    if b"metadata" not in query and b"%" not in query:
        return query, [], False
    rest: list[bytes] = []
    pairs: RawPairs = []
    in_frames = False
    for part in query.split(b"&"):
        name, value = _pair(part)
        keyed = _KEYED.fullmatch(name)
        if keyed is not None:
            # unquote_plus turned the "+" of unescaped base64 into a space.
            pairs.append(_checked(keyed[1], value.replace(" ", "+") if keyed[1].endswith("-bin") else value))
        elif name == _PARAMETER:
            if value != "frame":
                raise invalid(Violation(_PARAMETER, "expected frame, or $metadata[key]=value"))
            in_frames = True
        else:
            rest.append(part)
    return b"&".join(rest), pairs, in_frames


def _pair(part: bytes) -> tuple[str, str]:
    name, _, value = part.partition(b"=")
    try:
        return _unquoted(name), _unquoted(value)
    except UnicodeDecodeError:
        return "", ""  # binding the query reports the error


def _unquoted(text: bytes) -> str:
    return unquote_plus(text.decode(), errors="strict")


def metadata_frame(text: str) -> RawPairs:
    """Returns the pairs of a client's first frame, `{"metadata":{"key":"value"|["v1","v2"]}}`.

    Raises INVALID_ARGUMENT for any other frame, and RESOURCE_EXHAUSTED for a larger one than a head may be.
    """
    if len(text) > MOST_METADATA_BYTES:  # in characters: those beyond ASCII are refused below
        raise _too_large()
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    metadata = value.get("metadata") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(metadata, dict):
        raise invalid(Violation("", 'expected {"metadata":{…}} as the first frame, since $metadata=frame is set'))
    pairs: RawPairs = []
    size = 0
    for key, found in metadata.items():
        for one in found if isinstance(found, list) else [found]:
            size += len(key) + len(one if isinstance(one, str) else "") + _PAIR_BYTES
            if size > MOST_METADATA_BYTES:
                raise _too_large()
            if not isinstance(one, str):
                raise invalid(Violation(f"metadata.{key}", "expected a string or a list of strings"))
            pairs.append(_checked(key, one))
    return pairs


def _too_large() -> StatusError:
    text = f"the metadata frame exceeds {MOST_METADATA_BYTES} bytes, of which each value counts {_PAIR_BYTES} more"
    return error(Code.RESOURCE_EXHAUSTED, text)


def _checked(key: str, value: str) -> tuple[bytes, bytes]:
    name = key.lower()
    if not _KEY.fullmatch(name):
        raise invalid(Violation(f"metadata.{key}", "invalid metadata key; expected letters, digits, '-', '_' and '.'"))
    if not _VALUE.fullmatch(value):
        raise invalid(
            Violation(f"metadata.{key}", "expected printable ASCII; other bytes need a key that ends in -bin")
        )
    return name.encode(), value.encode()
