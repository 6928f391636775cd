"""The values of work: what a worker claims, and what it reports.

Knows no store and no task type.
"""

from __future__ import annotations

from dataclasses import dataclass

from .job import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A worker's place on a job; `id` is the fencing token. `claimable` numbers the phases it may claim."""

    id: int
    job_id: str
    job_key: int  # the job's primary key in the database
    worker: str
    opened: int  # in microseconds since 1970, by the database's clock
    checkpoint_frequency: int
    phases: tuple[Phase, ...]
    claimable: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An item that a slot has claimed for phase number `phase`; `attempt` counts from 1.

    `outputs` are those of the earlier phases, by name.
    """

    index: int
    phase: int
    attempt: int
    input: str
    metadata: dict[str, str]
    outputs: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A phase of an item that succeeded."""

    index: int
    phase: int
    output: str
    score: float | None = None
    tokens: int = 0
    cost_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broke:
    """A phase of an item that failed.

    It is retried after a pause, unless it is `final` or the policy allows no further attempt. Tokens and cost count
    either way.
    """

    index: int
    phase: int
    error: str
    final: bool = False
    tokens: int = 0
    cost_micros: int = 0


Outcome = Done | Broke


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """A slot that was ended because its lease expired: the worker's items were released."""

    slot_id: int
    worker: str
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Unclaimed work: `ready` items of a running job whose next phase is of `task_type`, and room for `slots`.

    Counts stop at a few thousand per phase: beyond that every worker is wanted anyway.
    """

    job_id: str
    task_type: str
    ready: int
    slots: int
