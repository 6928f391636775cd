"""The values of jobs: what clients submit and what they see.

Knows no store, no proto and no task type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .states import ItemState, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A step that every item goes through. `min_score` is 0..1; None if outputs are not validated."""

    name: str
    task_type: str
    model: str = ""
    use_rag: bool = False
    min_score: float | None = None
    validation: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    """A valid item that is not stored yet."""

    input: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDraft:
    """A valid job that is not stored yet. `digest` identifies the content of its request."""

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
    """The counts of a job, cost in millionths of a US dollar.

    `steps` counts finished phases of items; the remaining phases of a failed item count as finished.
    """

    completed: int = 0
    failed: int = 0
    steps: int = 0
    tokens: int = 0
    cost_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A stored job. `current_phase` is the earliest phase that an item has not finished; empty if there is none."""

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
    """An item and its outcome. `output` is empty until the item is COMPLETED."""

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
    """A log line that is not stored yet.

    `level` is one of `logging`'s; `time` is in microseconds since 1970 by the database's clock; None means
    the time at which the line is stored.
    """

    level: int
    message: str
    time: int | None = None
    item: int | None = None
    phase: str = ""
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A stored log line. The ids of a job's lines grow in the order in which they become visible."""

    id: int
    line: LogLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Stored bytes; `id` is their SHA-256 in hexadecimal."""

    id: str
    size: int
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The totals of the whole database, for operators.

    `held` items are claimed by a worker; `waiting` ones belong to running jobs and are not claimed. `workers` hold an
    unexpired lease. `idle_seconds` is the longest time that a job has had work and no worker, 0 if there is none.
    """

    jobs: dict[JobState, int]
    completed: int
    failed: int
    held: int
    waiting: int
    workers: int
    idle_seconds: float
