"""Content types: which protocol a request speaks, and how its messages are encoded.

It knows no request; a value of the header is looked up, and read once only.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["ACCEPT_POST", "Kind", "Protocol", "kind_of"]


class Protocol(Enum):
    """What a client speaks."""

    GRPC = "gRPC"
    WEB = "gRPC-Web"
    WEB_TEXT = "gRPC-Web in text mode"
    CONNECT = "Connect"
    CONNECT_STREAM = "Connect, streaming"


class Kind(NamedTuple):
    """What one content type says. `media` is what the answer's says."""

    protocol: Protocol
    json: bool
    media: bytes


def _kinds() -> dict[bytes, Kind]:
    bases = {
        b"application/grpc": Protocol.GRPC,
        b"application/grpc-web": Protocol.WEB,
        b"application/grpc-web-text": Protocol.WEB_TEXT,
    }
    found = {base: Kind(protocol, False, base) for base, protocol in bases.items()}
    for base, protocol in (*bases.items(), (b"application/connect", Protocol.CONNECT_STREAM)):
        for suffix in (b"proto", b"json"):
            media = base + b"+" + suffix
            found[media] = Kind(protocol, suffix == b"json", media)
    for suffix in (b"proto", b"json"):
        media = b"application/" + suffix
        found[media] = Kind(Protocol.CONNECT, suffix == b"json", media)
    return found


_KINDS = _kinds()

ACCEPT_POST = {
    streaming: ", ".join(
        media.decode()
        for media, kind in _KINDS.items()
        if kind.protocol is not (Protocol.CONNECT if streaming else Protocol.CONNECT_STREAM)
    )
    for streaming in (False, True)
}
"""What a method takes by POST, by whether it streams."""


def kind_of(content_type: bytes) -> Kind | None:
    """The protocol of a content type, or None; parameters, as `charset=utf-8` for JSON, change nothing."""
    found = _KINDS.get(content_type)
    if found is None:
        found = _KINDS.get(content_type.partition(b";")[0].strip().lower())
    return found
