"""What a store of jobs is: its values, and what is asked of it.

Knows no database; `sql` has the real one. Synchronous, since workers are: the gateway calls it from threads.

How it stays true through any crash. A worker works on a job through a *slot*: a row with a lease, renewed by
heartbeats, whose id is the fencing token. Every transaction of a worker first renews its slot; where that finds no row
the lease was taken away, and nothing of the transaction is stored (`LostSlot`). Items are claimed by putting the slot's
id on them. A job's counts are its own plus those of its open slots, so that workers share no hot row; closing a slot
adds them up, and the last one to close sees whether the job has ended. A job's concurrency is the number of its slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from .states import ItemState, JobState, Verb


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long a lease lasts and how often an item is tried; times in seconds."""

    lease_seconds: float = 25.0
    max_attempts: int = 3
    retry_first_seconds: float = 0.5  # doubled with every attempt
    retry_longest_seconds: float = 30.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A stored piece of bytes; `id` is its SHA-256 in hexadecimal."""

    id: str
    size: int
    content_type: str


class Store(Protocol):
    """Jobs, their items and what became of them. Times are the database's.

    Safe to use from several threads and processes. Every method raises `Unavailable` where the database cannot be
    reached, and `NotFound` for a job that is not there.
    """

    # What people ask.

    def create(self, draft: JobDraft, items: Sequence[ItemDraft]) -> tuple[Job, bool]:
        """Store a job with its items, in one transaction; false where its request id had made it before.

        Raises `Conflict` where that request was another.
        """

    def add_items(self, job_id: str, items: Sequence[ItemDraft], *, first: int | None, limit: int) -> tuple[int, int]:
        """Add items to a pending job; how many were stored, and how many there are now.

        `first` is the index of the first one: those that the job has already are passed over. Raises `Invalid` for a
        gap, `NotReady` where the job is no longer pending, `TooLarge` beyond `limit` items of the job.
        """

    def job(self, job_id: str) -> Job:
        """A job as it stands."""

    def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Several jobs as they stand; those that are not there are left out."""

    def jobs(self, *, states: Sequence[JobState], project_id: str, after: str, limit: int) -> list[Job]:
        """Jobs, the newest first, those after the one with id `after`; of any state and project where none is given."""

    def change(self, job_id: str, verb: Verb) -> Job:
        """Do what a verb says. Raises `IllegalTransition`, and `NotReady` where a job without items is started."""

    def results(
        self, job_id: str, *, states: Sequence[ItemState], after: int, limit: int, max_bytes: int
    ) -> list[Result]:
        """Items with an index above `after`, in their order: at most `limit`, at most `max_bytes`, at least one."""

    def results_of(self, job_id: str, indexes: Sequence[int]) -> list[Result]:
        """The items with these indexes."""

    def finished_since(self, job_id: str, *, moment: int, limit: int) -> list[tuple[int, int]]:
        """(index, moment) of items that ended at `moment` (microseconds of the database's clock) or later, in order."""

    def logs(self, job_id: str, *, item: int | None, after: int, limit: int) -> list[LogEntry]:
        """Lines with an id above `after`, in their order."""

    def log(self, job_id: str, lines: Sequence[LogLine]) -> None:
        """Write lines that no worker writes."""

    def put_blob(self, content_type: str, pieces: Iterable[bytes]) -> Blob:
        """Store bytes; those that are there already are not stored again."""

    def blob(self, blob_id: str) -> tuple[Blob, Iterator[bytes]]:
        """A blob, and its bytes in pieces. Raises `NotFound`."""

    def overview(self) -> Overview:
        """How all of it stands. Reads a row of every job, and of items only those that are held."""

    def purge(self, keep_seconds: float) -> bool:
        """Remove a piece of the jobs that ended longer ago, results, logs and all; whether there may be more."""

    def purge_blobs(self, keep_seconds: float, after: str) -> str | None:
        """Remove blobs that no job names as an input or an output, and that were last uploaded longer ago.

        Looks at some, those whose ids come after the given one; the last of them, None where there are no more.
        """

    def ping(self) -> None:
        """Returns where the database answers."""

    def close(self) -> None:
        """Close every connection."""

    # What workers ask.

    def open_slot(self, worker: str, *, job_id: str = "", task_types: Sequence[str] = ()) -> Slot | None:
        """A hold on a running job with ready items and room for a slot; None where there is nothing to do.

        On `job_id`, or on the job with the fewest slots, the oldest of several. With `task_types` only items whose next
        phase is of one of them.
        """

    def claim(self, slot: Slot, want: int) -> list[Claimed]:
        """Take up to `want` ready items, those furthest on first; none where the job does not run.

        An item that was among several when a worker ended comes alone, so that it is known whose fault it was the next
        time. Raises `LostSlot`.
        """

    def checkpoint(
        self, slot: Slot, outcomes: Sequence[Outcome], logs: Sequence[LogLine] = (), *, want: int = 0
    ) -> list[Claimed]:
        """Store outcomes and counts, and claim up to `want` more, in one transaction. Raises `LostSlot`."""

    def give_back(self, slot: Slot, indexes: Sequence[int]) -> None:
        """Return items that were claimed and not begun. Raises `LostSlot`."""

    def heartbeat(self, slot: Slot, logs: Sequence[LogLine] = ()) -> JobState:
        """Renew the lease; the job's state. Raises `LostSlot`."""

    def close_slot(self, slot: Slot) -> JobState:
        """End a hold: items that it still has go back as after a crash, counts are added up, and the job ends where it
        was its last. Raises `LostSlot`."""

    def sweep(self) -> list[Swept]:
        """End the slots whose lease is over. An item that its worker had alone has used up an attempt."""

    def expire(self, worker: str) -> list[Swept]:
        """End the slots of a worker that is known to be dead, as `sweep` does."""

    def overdue(self) -> list[Swept]:
        """The slots whose lease is over and that are not ended yet.

        Only reads, so that it answers where `sweep` cannot: a process that was stopped in the middle of a transaction
        keeps SQLite's lock until somebody who knows of its lease ends it.
        """

    def workers(self) -> list[str]:
        """The workers that have slots, so that whoever knows of their end can say so."""

    def backlog(self) -> list[Backlog]:
        """Where workers are wanted now."""

    def next_due(self) -> float | None:
        """Seconds until an item of a running job may be tried again; None where none waits.

        Those that may be tried now are in `backlog`.
        """
