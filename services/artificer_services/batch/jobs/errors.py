"""The errors of batch jobs, named by whose fault they are: those of all services, and the service's own.

Knows neither gRPC nor protos: `kit.statuses` makes statuses of these.
"""

from __future__ import annotations

from ...kit.errors import Conflict, Fault, Invalid, Kind, NotFound, ServiceError
from ...kit.errors import Unavailable as _Unavailable

_JOB_STATE = ("JOB_STATE", "job")


class IllegalTransition(ServiceError):
    """A job's state does not allow a verb; `allowed` are the verbs that it does allow."""

    kind = Kind.FAILED_PRECONDITION
    reason = "ILLEGAL_TRANSITION"
    precondition = _JOB_STATE

    def __init__(self, state: str, verb: str, allowed: tuple[str, ...]) -> None:
        can = f"allowed: {', '.join(allowed)}" if allowed else "the state is final"
        message = f"cannot {verb} a job that is {state}; {can}"
        super().__init__(message, state=state, verb=verb, allowed=",".join(allowed))
        self.allowed = allowed


class NotReady(ServiceError):
    """The job is not in a state for this request, and no transition was requested."""

    kind = Kind.FAILED_PRECONDITION
    reason = "JOB_NOT_READY"
    precondition = _JOB_STATE


class TooLarge(ServiceError):
    """The request exceeds a limit of the server; the message names it."""

    kind = Kind.INVALID_ARGUMENT  # not RESOURCE_EXHAUSTED: clients would retry, and what is too large stays too large
    reason = "TOO_LARGE"


class BeyondEnd(ServiceError):
    """The client names an item that the job does not have."""

    kind = Kind.OUT_OF_RANGE
    reason = "BEYOND_END"


class Unavailable(_Unavailable):
    """The store or the workers are unreachable; a retry may succeed."""

    reason = "UNAVAILABLE"


class LostSlot(Exception):
    """A worker's lease has expired and its items went to others: its outcomes must not be stored."""


__all__ = [
    "BeyondEnd",
    "Conflict",
    "Fault",
    "IllegalTransition",
    "Invalid",
    "LostSlot",
    "NotFound",
    "NotReady",
    "ServiceError",
    "TooLarge",
    "Unavailable",
]
