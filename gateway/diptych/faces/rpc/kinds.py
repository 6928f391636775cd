"""Content types: the protocol of a request, and the encoding of its messages.

It knows no request, only header values.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from ...origin import ProtocolName

__all__ = ["ACCEPT_POST", "KINDS", "NAMES", "OWN_HEADERS", "Kind", "WireProtocol", "kind_of"]


class WireProtocol(Enum):
    """A protocol on the wire."""

    GRPC = "gRPC"
    WEB = "gRPC-Web"
    WEB_TEXT = "gRPC-Web in text mode"
    CONNECT = "Connect"
    CONNECT_STREAM = "Connect, streaming"


NAMES: Mapping[WireProtocol, ProtocolName] = {
    WireProtocol.GRPC: "grpc",
    WireProtocol.WEB: "grpc-web",
    WireProtocol.WEB_TEXT: "grpc-web",
    WireProtocol.CONNECT: "connect",
    WireProtocol.CONNECT_STREAM: "connect",
}
"""The name of each protocol for interceptors and telemetry."""

_HTTP_OWN = ("content-type", "accept-encoding")
_OWN: Mapping[ProtocolName, tuple[str, ...]] = {
    "grpc": _HTTP_OWN,
    "grpc-web": (*_HTTP_OWN, "x-grpc-web"),
    "connect": (
        *_HTTP_OWN,
        *("connect-protocol-version", "connect-timeout-ms", "connect-content-encoding", "connect-accept-encoding"),
    ),
}
OWN_HEADERS = {protocol: _OWN[name] for protocol, name in NAMES.items()}
"""The headers of HTTP and of the protocol itself, which are not the call's metadata."""


class Kind(NamedTuple):
    """The meaning of one content type; `media` is the content type of the response."""

    protocol: WireProtocol
    json: bool
    media: bytes


def _kinds() -> dict[bytes, Kind]:
    bases = {
        b"application/grpc": WireProtocol.GRPC,
        b"application/grpc-web": WireProtocol.WEB,
        b"application/grpc-web-text": WireProtocol.WEB_TEXT,
    }
    found = {base: Kind(protocol, False, base) for base, protocol in bases.items()}
    for base, protocol in (*bases.items(), (b"application/connect", WireProtocol.CONNECT_STREAM)):
        for suffix in (b"proto", b"json"):
            media = base + b"+" + suffix
            found[media] = Kind(protocol, suffix == b"json", media)
    for suffix in (b"proto", b"json"):
        media = b"application/" + suffix
        found[media] = Kind(WireProtocol.CONNECT, suffix == b"json", media)
    return found


KINDS: Mapping[bytes, Kind] = _kinds()
"""The content types, by their names without parameters; the name is the `media` of its kind."""

ACCEPT_POST = {
    streaming: ", ".join(
        media.decode()
        for media, kind in KINDS.items()
        if kind.protocol is not (WireProtocol.CONNECT if streaming else WireProtocol.CONNECT_STREAM)
    )
    for streaming in (False, True)
}
"""The content types that a method accepts, keyed by whether it streams."""


def kind_of(content_type: bytes) -> Kind | None:
    """Returns the kind of a content type, or None for an unknown one; parameters such as `charset` are ignored."""
    found = KINDS.get(content_type)
    if found is None:
        found = KINDS.get(content_type.partition(b";")[0].strip().lower())
    return found
