"""What a WebSocket's handshake says: its subprotocol, whose page it comes from, and the metadata of its call.

Pure: headers and query in, values out. Browsers can set no header on a WebSocket, so that metadata may come in the
query, or in the first frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_plus, urlsplit

import orjson

from ...exchange import Scope
from ...status import Code, Violation, error, invalid

JSON_PROTOCOL, PROTO_PROTOCOL = "diptych.v1.json", "diptych.v1.proto"

RawPairs = list[tuple[bytes, bytes]]

_PARAMETER = "$metadata"
_KEYED = re.compile(r"\$metadata\[(.*)\]", re.DOTALL)
# gRPC over HTTP2: "Header-Name" and "ASCII-Value".
_KEY = re.compile(r"[a-z0-9_.\-]{1,256}")
_VALUE = re.compile(r"[\x20-\x7e]*")
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
# What a browser adds by itself, whoever's page it is.
_AMBIENT = frozenset((b"cookie", b"authorization"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """`metadata` are raw pairs as headers have them; `query` is what is left of it for the request's fields."""

    proto: bool
    subprotocol: str | None
    metadata: RawPairs
    query: bytes
    told: bool
    """Whether metadata goes both ways in text frames of its own."""
    anonymous: bool = False
    """Whether it is some page's, which may use nothing that its browser adds by itself."""


def read(scope: Scope, origins: Sequence[str]) -> Handshake:
    """Read it; `origins` are those whose pages may come, beside the server's own.

    Raises PERMISSION_DENIED for another's page, INVALID_ARGUMENT for what cannot be read or served.
    """
    headers: RawPairs = list(scope["headers"])
    trust = trusted(headers, origins)
    if trust == "no":
        raise error(Code.PERMISSION_DENIED, "this origin is not allowed to open a WebSocket; see cors_origins")
    query, pairs, told = parameters(scope["query_string"])
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
        told=told,
        anonymous=trust == "anonymous",
    )


def choose(offered: Sequence[str]) -> str | None:
    """The first offered subprotocol that is known; None, which means JSON, where none is offered.

    Raises INVALID_ARGUMENT where none of those offered is known.
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
    """Whether the page that opened the socket may (RFC 6455 section 10.2): a browser asks nobody else.

    Under the origin `*` any page may, but without what its browser adds by itself, as CORS has it.
    """
    named = dict(headers)
    origin = named.get(b"origin")
    if origin is None:
        return "yes"  # no browser
    text = origin.decode("latin-1")
    if text in origins or _authority(text, named.get(b"host", b"").decode("latin-1")):
        return "yes"
    return "anonymous" if "*" in origins else "no"


def _authority(origin: str, host: str) -> bool:
    """Whether the origin is the host that the handshake names; TLS may end before this process."""
    try:
        here, there = urlsplit(origin), urlsplit(f"//{host}")
        port = _PORTS.get(here.scheme)
        return bool(here.hostname) and (here.hostname, here.port or port) == (there.hostname, there.port or port)
    except ValueError:
        return False


def parameters(query: bytes) -> tuple[bytes, RawPairs, bool]:
    """The query without its metadata parameters, the pairs they hold, and whether metadata goes in frames.

    Raises INVALID_ARGUMENT for a key or a value that cannot be metadata.
    """
    if b"metadata" not in query and b"%" not in query:
        return query, [], False
    rest: list[bytes] = []
    pairs: RawPairs = []
    told = False
    for part in query.split(b"&"):
        name, value = _pair(part)
        keyed = _KEYED.fullmatch(name)
        if keyed is not None:
            # A plus is a space in a query, and base64 has none.
            pairs.append(_checked(keyed[1], value.replace(" ", "+") if keyed[1].endswith("-bin") else value))
        elif name == _PARAMETER:
            if value != "frame":
                raise invalid(Violation(_PARAMETER, "expected frame, or $metadata[key]=value"))
            told = True
        else:
            rest.append(part)
    return b"&".join(rest), pairs, told


def _pair(part: bytes) -> tuple[str, str]:
    name, _, value = part.partition(b"=")
    try:
        return _unquoted(name), _unquoted(value)
    except UnicodeDecodeError:
        return "", ""  # whoever binds the query says what is wrong with it


def _unquoted(text: bytes) -> str:
    return unquote_plus(text.decode(), errors="strict")


def metadata_frame(text: str) -> RawPairs:
    """The pairs of a client's first frame, `{"metadata":{"key":"value"|["v1","v2"]}}`.

    Raises INVALID_ARGUMENT for another frame.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    metadata = value.get("metadata") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(metadata, dict):
        raise invalid(Violation("", 'expected {"metadata":{…}} as the first frame, since $metadata=frame is set'))
    pairs: RawPairs = []
    for key, found in metadata.items():
        for one in found if isinstance(found, list) else [found]:
            if not isinstance(one, str):
                raise invalid(Violation(f"metadata.{key}", "expected a string or a list of strings"))
            pairs.append(_checked(key, one))
    return pairs


def _checked(key: str, value: str) -> tuple[bytes, bytes]:
    name = key.lower()
    if not _KEY.fullmatch(name):
        raise invalid(Violation(f"metadata.{key}", "invalid metadata key; expected letters, digits, '-', '_' and '.'"))
    if not _VALUE.fullmatch(value):
        raise invalid(
            Violation(f"metadata.{key}", "expected printable ASCII; other bytes need a key that ends in -bin")
        )
    return name.encode(), value.encode()
