"""The answers to requests for RPC paths that use none of the protocols: HTTP's statuses, with a text.

They carry no error of an RPC protocol, since the client may speak none; Connect's clients derive the code from the
status.
"""

from __future__ import annotations

from ...reply import Reply
from .entries import Entry
from .kinds import ACCEPT_POST

__all__ = ["NEEDS_HTTP2", "plain", "wrong_type", "wrong_verb"]


def plain(status: int, text: str, *headers: tuple[bytes, bytes]) -> Reply:
    """Returns an answer of plain text."""
    body = text.encode()
    fixed = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    return Reply(status, [*fixed, *headers], body)


def wrong_type(entry: Entry) -> Reply:
    """Returns 415 with the content types that the method accepts."""
    taken = ACCEPT_POST[entry.streaming]
    text = f"unsupported content type for '{entry.path}'; expected one of {taken}"
    return plain(415, text, (b"accept-post", taken.encode()))


def wrong_verb(verb: str, entry: Entry) -> Reply:
    """Returns 405 with the HTTP methods that the method accepts."""
    allowed = "GET, POST" if entry.safe else "POST"
    text = f"method {verb} is not allowed for '{entry.path}'; expected {allowed}"
    return plain(405, text, (b"allow", allowed.encode()))


NEEDS_HTTP2 = plain(505, "gRPC requires HTTP/2; over HTTP/1.1, use gRPC-Web or Connect")
