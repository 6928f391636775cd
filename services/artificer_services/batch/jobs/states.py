"""The state machine of jobs, as a table. The one room that knows which change is allowed.

Knows no database and no proto.
"""

from __future__ import annotations

from enum import StrEnum

from .errors import IllegalTransition

# A worker begins no item unless it has seen that the job runs within so many seconds, and a pause is answered when so
# many have gone by: then none is begun any more, and no item costs a look of its own.
SIGHT_SECONDS = 0.02


class JobState(StrEnum):
    """What a job is doing."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing can change it any more."""
        return self in ENDED


class ItemState(StrEnum):
    """What has become of an item. CANCELLED is never stored: it is what an unfinished item of a cancelled job is."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Verb(StrEnum):
    """What people do to a job."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


ENDED = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})

# Verbs are idempotent: a job that is where a verb leads stays there, so that a caller who heard no answer asks again.
TRANSITIONS: dict[JobState, dict[Verb, JobState]] = {
    JobState.PENDING: {Verb.START: JobState.RUNNING, Verb.CANCEL: JobState.CANCELLED},
    JobState.RUNNING: {
        Verb.START: JobState.RUNNING,
        Verb.PAUSE: JobState.PAUSED,
        Verb.RESUME: JobState.RUNNING,
        Verb.CANCEL: JobState.CANCELLED,
    },
    JobState.PAUSED: {
        Verb.PAUSE: JobState.PAUSED,
        Verb.RESUME: JobState.RUNNING,
        Verb.CANCEL: JobState.CANCELLED,
    },
    JobState.COMPLETED: {},
    JobState.FAILED: {},
    JobState.CANCELLED: {Verb.CANCEL: JobState.CANCELLED},
}

# Items that run when a job is paused finish, and may be its last ones.
MAY_END = frozenset({JobState.RUNNING, JobState.PAUSED})


def after(state: JobState, verb: Verb) -> JobState:
    """The state that a verb leads to. Raises IllegalTransition, which says what is allowed."""
    allowed = TRANSITIONS[state]
    if verb in allowed:
        return allowed[verb]
    raise IllegalTransition(state.value, verb.value, tuple(name.value for name, to in allowed.items() if to != state))


def end_of(completed: int, failed: int, total: int) -> JobState | None:
    """What a job is whose items have ended; None while some have not."""
    if completed + failed < total:
        return None
    return JobState.COMPLETED if completed or not total else JobState.FAILED
