"""The state machine of jobs, as a table: the only module that knows which transitions are legal.

Knows no database and no proto.
"""

from __future__ import annotations

from enum import StrEnum

from .errors import IllegalTransition

# A worker starts an item only if it has seen the job RUNNING within so many seconds, and a pause is answered after some
# more, which a worker may need between the look and the start: no item starts after the response, and no item costs a
# separate query.
SIGHT_SECONDS = 0.02
PAUSE_SECONDS = 0.1


class JobState(StrEnum):
    """The state of a job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self in ENDED


class ItemState(StrEnum):
    """The state of an item. CANCELLED is never stored: it is the state of unfinished items of a cancelled job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Verb(StrEnum):
    """An action of a client on a job."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


ENDED = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})

# Verbs are idempotent: a caller that got no answer may repeat one.
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

# PAUSED too: items that run when a job is paused finish, and may be its last.
MAY_END = frozenset({JobState.RUNNING, JobState.PAUSED})


def after(state: JobState, verb: Verb) -> JobState:
    """Returns the state that a verb leads to. Raises IllegalTransition, which lists the legal verbs."""
    allowed = TRANSITIONS[state]
    if verb in allowed:
        return allowed[verb]
    raise IllegalTransition(state.value, verb.value, tuple(name.value for name, to in allowed.items() if to != state))


def end_of(completed: int, failed: int, total: int) -> JobState | None:
    """Returns the final state of a job by its counts of items; None while some have not ended."""
    if completed + failed < total:
        return None
    return JobState.COMPLETED if completed or not total else JobState.FAILED
