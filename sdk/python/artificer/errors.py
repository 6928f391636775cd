"""The exceptions of the client: a failed call raises the subclass of `APIError` for its gRPC code."""

from __future__ import annotations

import copyreg
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "APIConnectionError",
    "APIError",
    "AbortedError",
    "AlreadyExistsError",
    "ArtificerError",
    "CancelledError",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "FieldViolation",
    "InternalError",
    "InvalidArgumentError",
    "InvalidRequestError",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
]


class ArtificerError(Exception):
    """Anything that the client raises on its own. It may be pickled and copied, as worker processes do."""

    def __reduce__(self) -> tuple[Any, ...]:
        # That of Exception calls the class with `args`, which lack what a subclass requires besides.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of the request that is at fault."""

    field: str
    description: str


class InvalidRequestError(ArtificerError, ValueError):
    """A call was not sent, since no request can have the value of an argument. `field_violations` names each."""

    def __init__(self, field_violations: list[FieldViolation]) -> None:
        super().__init__(
            "; ".join(f"{one.field}: {one.description}" if one.field else one.description for one in field_violations)
        )
        self.field_violations: list[FieldViolation] = field_violations


class APIError(ArtificerError):
    """A call failed. `code` is the name of the gRPC code.

    Attributes:
        message: What went wrong, for people.
        details: The google.rpc messages of the error in their JSON form; `@type` names each one's type.
        http_status: The HTTP status, over REST.
        request_id: What the server's log names the call by.
        retry_after: The seconds after which the server wants to be asked again.
        metadata: What the server sent besides, initial and trailing. Over REST a stream has no trailing metadata.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        details: list[dict[str, Any]] | None = None,
        http_status: int | None = None,
        request_id: str = "",
        retry_after: float | None = None,
        metadata: dict[str, str | bytes | list[bytes]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message: str = message
        self.details: list[dict[str, Any]] = details or []
        self.http_status: int | None = http_status
        self.request_id: str = request_id
        self.retry_after: float | None = retry_after
        self.metadata: dict[str, str | bytes | list[bytes]] = metadata or {}

    def __str__(self) -> str:
        found = "; ".join(f"{one.field}: {one.description}" for one in self.field_violations)
        more = f" ({found})" if found and found not in self.message else ""
        known = f" [request {self.request_id}]" if self.request_id else ""
        return f"{self.code}: {self.message}{more}{known}"

    @property
    def field_violations(self) -> list[FieldViolation]:
        """The fields at fault, of google.rpc.BadRequest."""
        listed = [one.get("fieldViolations") for one in self.details if _is(one, "google.rpc.BadRequest")]
        return [
            FieldViolation(str(one.get("field", "")), str(one.get("description", "")))
            for found in listed
            if isinstance(found, list)
            for one in found
            if isinstance(one, dict)
        ]

    @property
    def reason(self) -> str:
        """The reason of google.rpc.ErrorInfo, such as `PAGE_LIMIT`; empty if there is none."""
        found = (one for one in self.details if _is(one, "google.rpc.ErrorInfo"))
        return str(next(found, {}).get("reason", ""))


def _is(detail: dict[str, Any], name: str) -> bool:
    return str(detail.get("@type", "")).endswith(name)  # other servers than the gateway may send anything


class CancelledError(APIError):
    """The call was cancelled."""

    code = "CANCELLED"


class UnknownError(APIError):
    """The server ended the call with UNKNOWN, or with a code that gRPC does not define."""

    code = "UNKNOWN"


class InvalidArgumentError(APIError):
    """A field of the request is at fault; `field_violations` names it."""

    code = "INVALID_ARGUMENT"


class DeadlineExceededError(APIError):
    """The call took longer than its `timeout`."""

    code = "DEADLINE_EXCEEDED"


class NotFoundError(APIError):
    """There is no such resource."""

    code = "NOT_FOUND"


class AlreadyExistsError(APIError):
    """The resource exists already."""

    code = "ALREADY_EXISTS"


class PermissionDeniedError(APIError):
    """The caller is known but may not do this."""

    code = "PERMISSION_DENIED"


class ResourceExhaustedError(APIError):
    """A rate, a quota or a size limit is exceeded."""

    code = "RESOURCE_EXHAUSTED"


class FailedPreconditionError(APIError):
    """The state of the resource does not allow the call."""

    code = "FAILED_PRECONDITION"


class AbortedError(APIError):
    """Another call came first: read again, then retry."""

    code = "ABORTED"


class OutOfRangeError(APIError):
    """A position is beyond the end."""

    code = "OUT_OF_RANGE"


class UnimplementedError(APIError):
    """The server does not have the method, or lacks something that the method needs."""

    code = "UNIMPLEMENTED"


class InternalError(APIError):
    """Something broke in the server; its log has more under `request_id`."""

    code = "INTERNAL"


class UnavailableError(APIError):
    """The server is overloaded, stopping, or cannot reach something that it needs."""

    code = "UNAVAILABLE"


class APIConnectionError(UnavailableError):
    """The server cannot be reached, or the connection broke. `sent` tells whether it may have received the request."""

    def __init__(self, message: str, *, sent: bool, **more: Any) -> None:
        super().__init__(message, **more)
        self.sent: bool = sent


class DataLossError(APIError):
    """Stored data is damaged."""

    code = "DATA_LOSS"


class UnauthenticatedError(APIError):
    """There are no credentials, or they are wrong."""

    code = "UNAUTHENTICATED"


_NUMBERED: dict[int, type[APIError]] = dict(
    enumerate(
        (
            CancelledError,
            UnknownError,
            InvalidArgumentError,
            DeadlineExceededError,
            NotFoundError,
            AlreadyExistsError,
            PermissionDeniedError,
            ResourceExhaustedError,
            FailedPreconditionError,
            AbortedError,
            OutOfRangeError,
            UnimplementedError,
            InternalError,
            UnavailableError,
            DataLossError,
            UnauthenticatedError,
        ),
        start=1,
    )
)  # google/rpc/code.proto
_NAMED: dict[str, type[APIError]] = {kind.code: kind for kind in _NUMBERED.values()}


def error_type(code: int | str) -> type[APIError]:
    """Returns the exception for a gRPC code, by its number or its name."""
    found = _NUMBERED.get(code) if isinstance(code, int) else _NAMED.get(code)
    return found or UnknownError


def is_code(name: object) -> bool:
    """Whether it is the name of a gRPC code."""
    return isinstance(name, str) and name in _NAMED
