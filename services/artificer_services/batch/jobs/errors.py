"""The errors of batch jobs, named by whose fault they are.

Knows neither gRPC nor protos: `statuses` maps these.
"""

from __future__ import annotations

from dataclasses import dataclass


class BatchError(Exception):
    """A call failed. `message` is safe to show to a client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a request, by its path such as `phases[2].task_type`."""

    field: str
    text: str


class Invalid(BatchError):
    """The request cannot be taken, whatever the state of things."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.text}" if fault.field else fault.text for fault in faults))
        self.faults = faults


class NotFound(BatchError):
    """There is no such job, item or blob."""


class Conflict(BatchError):
    """The request id belongs to a job that was made from another request; `job_id` is that job."""

    def __init__(self, message: str, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class IllegalTransition(BatchError):
    """A job's state does not allow what was asked; `allowed` are the verbs that it does."""

    def __init__(self, state: str, verb: str, allowed: tuple[str, ...]) -> None:
        can = f"it can be changed by {', '.join(allowed)}" if allowed else "nothing can change it any more"
        super().__init__(f"a job that is {state} takes no {verb}: {can}")
        self.state, self.verb, self.allowed = state, verb, allowed


class NotReady(BatchError):
    """The job's state does not allow what was asked, for a reason that is no transition."""


class TooLarge(BatchError):
    """A limit of the server's is reached; the message says which."""


class TooSlow(BatchError):
    """A stream's reader fell too far behind; `after` is what to go on from."""

    def __init__(self, message: str, after: str) -> None:
        super().__init__(message)
        self.after = after


class Unavailable(BatchError):
    """The store or the workers cannot be reached now; asking again may help."""


class LostSlot(Exception):
    """A worker's lease is over and its items went to others: what it holds is not to be stored."""
