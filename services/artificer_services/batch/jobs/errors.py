"""The errors of batch jobs, named by whose fault they are.

Knows neither gRPC nor protos: `statuses` maps these.
"""

from __future__ import annotations

from dataclasses import dataclass


class BatchError(Exception):
    """A call failed. `message` is safe to show to clients."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in one field of a request, named by its path, such as `phases[2].task_type`."""

    field: str
    text: str


class Invalid(BatchError):
    """The request is invalid in any state of the server."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.text}" if fault.field else fault.text for fault in faults))
        self.faults = faults


class NotFound(BatchError):
    """The job, item or blob does not exist."""


class Conflict(BatchError):
    """The request id was used by a different request, which created the job `job_id`."""

    def __init__(self, message: str, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class IllegalTransition(BatchError):
    """A job's state does not allow a verb; `allowed` are the verbs that it does allow."""

    def __init__(self, state: str, verb: str, allowed: tuple[str, ...]) -> None:
        can = f"allowed: {', '.join(allowed)}" if allowed else "the state is final"
        super().__init__(f"cannot {verb} a job that is {state}; {can}")
        self.state, self.verb, self.allowed = state, verb, allowed


class NotReady(BatchError):
    """The job is not in a state for this request, and no transition was requested."""


class TooLarge(BatchError):
    """The request exceeds a limit of the server; the message names it."""


class TooSlow(BatchError):
    """A stream's reader fell too far behind; `after` is the position to resume from."""

    def __init__(self, message: str, after: str) -> None:
        super().__init__(message)
        self.after = after


class Unavailable(BatchError):
    """The store or the workers are unreachable; a retry may succeed."""


class LostSlot(Exception):
    """A worker's lease has expired and its items went to others: its outcomes must not be stored."""
