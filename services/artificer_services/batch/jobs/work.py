"""The values of work: what a worker claims, and what it reports.

Knows no store and no task type.
"""

from __future__ import annotations

from dataclasses import dataclass

from .job import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A worker's hold on a job; `id` is the fencing token. `phases` are the numbers of those it may claim items of."""

    id: int
    job_id: str
    job_key: int  # the job's number within the database
    worker: str
    checkpoint_frequency: int
    phases: tuple[Phase, ...]
    claimable: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An item that a slot holds, about to go through phase number `phase`; `attempt` counts from 1.

    `outputs` are those of the phases before, by name.
    """

    index: int
    phase: int
    attempt: int
    input: str
    metadata: dict[str, str]
    outputs: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A phase of an item that went well."""

    index: int
    phase: int
    output: str
    score: float | None = None
    tokens: int = 0
    cost_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broke:
    """A phase of an item that did not go well. It is tried again after a while, unless it is `final` or the store's
    policy allows no further attempt. What was spent is counted all the same."""

    index: int
    phase: int
    error: str
    final: bool = False
    tokens: int = 0
    cost_micros: int = 0


Outcome = Done | Broke


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """A slot whose lease was over: what the worker held has gone back."""

    slot_id: int
    worker: str
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Work that nobody has: `ready` items of a running job whose next phase is of `task_type`, and room for `slots`.

    Each phase is counted up to a few thousand: who wants workers for more wants as many as there are.
    """

    job_id: str
    task_type: str
    ready: int
    slots: int
