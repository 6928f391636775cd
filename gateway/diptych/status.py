"""The gateway's error value, and the table between gRPC codes and HTTP status codes.

It knows no wire form: `reply` writes JSON bodies, the RPC faces write trailers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest

Code = grpc.StatusCode

# google/rpc/code.proto, the "HTTP Mapping" line of each code.
HTTP_STATUS: Mapping[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.UNAUTHENTICATED: 401,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
}

# For errors that come with an HTTP status and no gRPC code: Starlette's and those of the application's own routes.
CODE_OF_HTTP: Mapping[int, Code] = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    409: Code.ABORTED,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.INVALID_ARGUMENT,
    422: Code.INVALID_ARGUMENT,
    429: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELLED,
    501: Code.UNIMPLEMENTED,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
    505: Code.UNIMPLEMENTED,
}

CODE_BY_NUMBER: Mapping[int, Code] = {code.value[0]: code for code in Code}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status of a call that failed.

    `details` are packed google.rpc messages; `http` overrides the table where HTTP has a more precise code (405, 413,
        415); `headers` are sent with the error over HTTP (`Allow`, `Retry-After`, `WWW-Authenticate`).
    """

    code: Code
    message: str = ""
    details: tuple[Any, ...] = ()
    http: int | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def number(self) -> int:
        """Returns the code's number in google.rpc.Code."""
        number: int = self.code.value[0]
        return number

    @property
    def http_status(self) -> int:
        """Returns the HTTP status code of the response."""
        return self.http or HTTP_STATUS[self.code]

    def with_headers(self, *headers: tuple[str, str]) -> Status:
        """Returns a copy with additional HTTP headers."""
        return replace(self, headers=(*self.headers, *headers))


class StatusError(Exception):
    """Carries a `Status` to the code that turns it into a reply."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.code.name}: {status.message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Violation:
    """An invalid field of a request: its path as the client wrote it, and what is wrong with its value."""

    field: str
    description: str


def pack(message: Message) -> Any:
    """Returns `message` packed in an Any under type.googleapis.com."""
    packed = Any()
    packed.Pack(message)
    return packed


def error(
    code: Code,
    message: str,
    *,
    http: int | None = None,
    details: Iterable[Message] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> StatusError:
    """Returns an exception that carries the status; `details` are messages not packed yet."""
    packed = tuple(pack(detail) for detail in details)
    return StatusError(Status(code=code, message=message, details=packed, http=http, headers=headers))


def invalid(*violations: Violation, http: int | None = None) -> StatusError:
    """Returns an INVALID_ARGUMENT error that names each invalid field in a google.rpc.BadRequest (AIP-193)."""
    bad = BadRequest(
        field_violations=[
            BadRequest.FieldViolation(field=item.field, description=item.description) for item in violations
        ]
    )
    message = "; ".join(f"{item.field}: {item.description}" if item.field else item.description for item in violations)
    return error(Code.INVALID_ARGUMENT, message, http=http, details=[bad])


def violations(refused: StatusError) -> list[Violation]:
    """Returns the invalid fields that an error of `invalid` names; for another error, one without a field."""
    bad = BadRequest()
    if not any(detail.Unpack(bad) for detail in refused.status.details):
        return [Violation("", refused.status.message)]
    return [Violation(item.field, item.description) for item in bad.field_violations]
