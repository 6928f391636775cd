"""Compresses answers for clients that accept it (RFC 9110 sections 8.4 and 12.5.3).

It knows replies and headers, and no message.
"""

from __future__ import annotations

from ...compression import ANSWERS, STREAMS, Coding, preferred
from ...reply import JSON, Headers, Reply

VARY = (b"vary", b"accept-encoding")

_TEXTS = frozenset(b"application/" + name for name in (b"xml", b"javascript", b"yaml", b"x-yaml", b"rtf", b"wasm"))


def is_worth(content_type: bytes) -> bool:
    """Returns whether a body of this content type gets smaller by compression.

    Other types are compressed already, or may be: images, audio, archives, PDF, and bytes of an unknown type. Clients
    may have chosen the type, so it is not searched by a regular expression.
    """
    media = content_type.partition(b";")[0].strip().lower()
    if media.startswith(b"application/") and b"json" in media:
        return True
    return media.startswith(b"text/") or media in _TEXTS or media.endswith((b"+json", b"+xml", b"+yaml"))


def coding_for(reply: Reply, accept_encoding: bytes | None) -> Coding | None:
    """Returns the coding of a reply: None unless its type, the first header, is worth it and the client accepts one.

    A reply that stays as it is, but would be compressed for other clients, gets the header that says so.
    """
    content_type = reply.headers[0][1] if reply.headers else b""
    if content_type != JSON and not is_worth(content_type):
        return None
    # A part of a body is a part of the uncompressed one (RFC 9110 section 14.2).
    if len(reply.headers) > 2 and any(name == b"content-range" for name, _ in reply.headers):
        return None
    coding = preferred(accept_encoding, ANSWERS)
    if coding is None:
        reply.headers.append(VARY)
    return coding


def compressed(reply: Reply, coding: Coding) -> Reply:
    """Returns a reply compressed."""
    body = coding.compress(reply.body)
    headers = [changed for pair in reply.headers if (changed := _changed(pair)) is not None]
    headers += [(b"content-length", b"%d" % len(body)), (b"content-encoding", coding.name), VARY]
    return Reply(reply.status, headers, body)


def _changed(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes] | None:
    """Returns a header as it is true of the compressed body, or None to leave it out."""
    name, value = pair
    if name in (b"content-length", b"accept-ranges"):  # ranges are of the uncompressed body
        return None
    if name == b"etag" and not value.startswith(b"W/"):  # a strong tag names one sequence of bytes (section 8.8.3.3)
        return name, b"W/" + value
    return pair


def stream_headers(content_type: bytes, accept_encoding: bytes | None) -> tuple[Headers, Coding | None]:
    """Returns the headers that compression adds to a stream, and its coding, or None for none."""
    if not is_worth(content_type):
        return [], None
    coding = preferred(accept_encoding, STREAMS)
    return [VARY] if coding is None else [(b"content-encoding", coding.name), VARY], coding
