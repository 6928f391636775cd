"""The errors of services, named by whose fault they are.

Owns what an error tells a client. Knows neither gRPC nor protos; `statuses` turns these errors into statuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar


class Kind(Enum):
    """How clients should react to an error. The names are those of gRPC's codes (AIP-193)."""

    INVALID_ARGUMENT = auto()
    NOT_FOUND = auto()
    ALREADY_EXISTS = auto()
    FAILED_PRECONDITION = auto()
    ABORTED = auto()
    OUT_OF_RANGE = auto()
    RESOURCE_EXHAUSTED = auto()
    DEADLINE_EXCEEDED = auto()
    UNAVAILABLE = auto()
    UNIMPLEMENTED = auto()
    INTERNAL = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a request. `field` is a path such as `phases[2].name`, or empty."""

    field: str
    text: str


class ServiceError(Exception):
    """A call failed. `message` is safe to show to a client.

    A subclass sets `kind`, and `reason` if clients must distinguish it from other errors of its kind. `faults` become a
    BadRequest, `precondition` (type and subject) a PreconditionFailure, `retry_seconds` a RetryInfo, and `facts` the
    metadata of the ErrorInfo that carries `reason`.
    """

    kind: ClassVar[Kind]
    reason: ClassVar[str] = ""
    precondition: ClassVar[tuple[str, str] | None] = None
    retry_seconds: float | None = None

    def __init__(self, message: str, *, faults: tuple[Fault, ...] = (), **facts: str) -> None:
        super().__init__(message)
        self.message, self.faults, self.facts = message, faults, facts


class Invalid(ServiceError):
    """The request is invalid in every state of the service; `faults` names all fields to correct."""

    kind = Kind.INVALID_ARGUMENT

    def __init__(self, *faults: Fault) -> None:
        text = "; ".join(f"{fault.field}: {fault.text}" if fault.field else fault.text for fault in faults)
        super().__init__(text, faults=faults)


class NotFound(ServiceError):
    """The resource does not exist."""

    kind = Kind.NOT_FOUND


class Conflict(ServiceError):
    """The client's request id was already used for a different request; `facts` name the existing resource."""

    kind = Kind.ALREADY_EXISTS
    reason = "REQUEST_ID_IN_USE"


class TooSlow(ServiceError):
    """The reader of a stream fell too far behind. `after` is the id to resume from."""

    # The reader has used up its buffer. Not ABORTED, which HTTP maps to 409 Conflict.
    kind = Kind.RESOURCE_EXHAUSTED
    reason = "READER_TOO_SLOW"

    def __init__(self, message: str, after: str) -> None:
        super().__init__(message, after=after)
        self.after = after


class Unavailable(ServiceError):
    """A dependency is unreachable or the service is stopping; a retry after `retry_seconds` may succeed."""

    kind = Kind.UNAVAILABLE

    def __init__(self, message: str, retry_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds
