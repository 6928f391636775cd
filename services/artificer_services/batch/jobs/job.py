"""The values of jobs: what people hand in, and what they are told.

Knows no store, no proto and no task type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .states import ItemState, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A step of every item. `min_score` is 0..1, None where outputs are not looked at."""

    name: str
    task_type: str
    model: str = ""
    use_rag: bool = False
    min_score: float | None = None
    validation: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    """An item that has been found good and is to be stored."""

    input: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDraft:
    """A job that has been found good and is to be stored. `digest` tells its request from another's."""

    name: str
    project_id: str
    phases: tuple[Phase, ...]
    concurrency: int
    checkpoint_frequency: int
    auto_start: bool = False
    request_id: str = ""
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`steps` are phases of items that are over; a failed item's remaining phases count as over. Cost in millionths."""

    completed: int = 0
    failed: int = 0
    steps: int = 0
    tokens: int = 0
    cost_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A stored job as it stands. `current_phase` is the earliest that some item has yet to go through, else empty."""

    id: str
    name: str
    project_id: str
    state: JobState
    phases: tuple[Phase, ...]
    concurrency: int
    checkpoint_frequency: int
    auto_start: bool
    total: int
    counts: Counts
    current_phase: str
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An item and what has become of it. `output` is empty until it is COMPLETED."""

    index: int
    input: str
    metadata: dict[str, str]
    state: ItemState
    output: str
    phase_outputs: dict[str, str]
    error: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line to be written. `level` is of `logging`; `time` is in microseconds since 1970."""

    level: int
    message: str
    time: int
    item: int | None = None
    phase: str = ""
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A stored line. The ids of a job's lines grow in the order in which they become visible."""

    id: int
    line: LogLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A stored piece of bytes; `id` is its SHA-256 in hexadecimal."""

    id: str
    size: int
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What an operator wants to see of all jobs at once. `jobs` and items are those of the whole database.

    `held` items are with a worker, `waiting` ones of running jobs are with none. `workers` have a lease that is not
    over. `idle_seconds` is how long the job that has waited longest has work and no worker; 0 where none does.
    """

    jobs: dict[JobState, int]
    completed: int
    failed: int
    held: int
    waiting: int
    workers: int
    idle_seconds: float
