"""The listener's HTTP/1.1 responses to clients whose request could not be read, as bytes.

It knows no connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from ...reply import ErrorReplier
from ...status import Code, Status, Violation, invalid
from ..h2 import HEAD_TOO_LARGE

GRPC_ONLY = "this port serves gRPC over HTTP/2 only; REST, gRPC-Web and Connect are served on the HTTP port"


@dataclass(frozen=True, slots=True, kw_only=True)
class CannedResponses:
    """Whole responses, after each of which the connection is closed."""

    malformed: bytes
    """The request has no valid request line."""
    target: bytes
    """The request line has no valid target."""
    field: bytes
    """A header or trailer field cannot be parsed."""
    framing: bytes
    """Where the body ends cannot be known."""
    host: bytes
    """The request has no host, several, or an invalid one."""
    coding: bytes
    """The request has a transfer coding besides chunked."""
    large: bytes
    """The head, or the trailer section, is too large."""
    late: bytes
    """The head took too long."""
    upgrade: bytes
    """An invalid WebSocket handshake."""
    full: bytes
    """There are too many connections."""
    plain: bytes
    """Plain HTTP on a TLS port."""
    grpc_only: bytes
    """HTTP/1.x, or something else, on a port that serves gRPC only."""
    grpc_plain: bytes
    """The same without TLS on a TLS port."""

    @classmethod
    def of(cls, errors: ErrorReplier) -> Self:
        """Returns the responses in the gateway's error dialect."""
        return cls(
            malformed=_invalid(errors, "expected a request line such as GET /path HTTP/1.1 (RFC 9112 section 3)"),
            target=_invalid(errors, "the request line has an invalid target (RFC 9112 section 3.2)"),
            field=_invalid(errors, "a header field is not of the form NAME: VALUE (RFC 9112 section 5)"),
            framing=_invalid(errors, "the length of the body is invalid (RFC 9112 section 6 and, for chunks, 7.1)"),
            host=_raw(errors, invalid(Violation("host", "expected one Host header: a host, and a port if any")).status),
            coding=_raw(
                errors, Status(code=Code.UNIMPLEMENTED, message="unsupported transfer-encoding; expected chunked")
            ),
            large=_raw(errors, HEAD_TOO_LARGE),
            late=_raw(
                errors, Status(code=Code.DEADLINE_EXCEEDED, message="the request's head took too long", http=408)
            ),
            upgrade=_raw(
                errors,
                Status(
                    code=Code.INVALID_ARGUMENT,
                    message="a WebSocket is opened by a GET with Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key",
                    http=426,
                ),
                (b"connection", b"upgrade"),
                (b"upgrade", b"websocket"),
                (b"sec-websocket-version", b"13"),
            ),
            full=_raw(errors, Status(code=Code.UNAVAILABLE, message="there are too many connections")),
            plain=_raw(errors, invalid(Violation("", "this port speaks TLS: ask for https")).status),
            # RFC 9110 15.6.6: the major version of HTTP is not supported.
            grpc_only=_raw(errors, Status(code=Code.UNIMPLEMENTED, message=GRPC_ONLY, http=505)),
            grpc_plain=_raw(errors, invalid(Violation("", f"{GRPC_ONLY}, and it expects TLS")).status),
        )


def _invalid(errors: ErrorReplier, text: str) -> bytes:
    return _raw(errors, invalid(Violation("", text)).status)


def _raw(errors: ErrorReplier, status: Status, *more: tuple[bytes, bytes]) -> bytes:
    reply = errors.reply(status)
    lines = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}".encode(),
        *(b"%b: %b" % pair for pair in (*reply.headers, *more)),
        b"connection: close",
        b"",
        b"",
    ]
    return b"\r\n".join(lines) + reply.body
