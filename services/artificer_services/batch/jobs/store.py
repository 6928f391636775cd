"""The protocol of the store of jobs.

Knows no database; the room `store` implements it. Synchronous, because workers are: the gateway calls it from threads.

How it stays consistent through any crash: a worker works on a job through a *slot*, a row with a lease that heartbeats
renew and whose id is the fencing token. Every transaction of a worker first renews its slot; if the row is gone, the
lease has expired and the transaction stores nothing (`LostSlot`). An item is claimed by writing the slot's id into it.
A job's counts are its own plus those of its open slots, so that workers share no hot row; closing a slot adds its
counts to the job, and the last slot to close ends the job. A job's concurrency is the number of its slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from .job import Blob, ItemDraft, Job, JobDraft, LogEntry, LogLine, Overview, Result
from .states import ItemState, JobState, Verb
from .work import Backlog, Claimed, Outcome, Slot, Swept


class Store(Protocol):
    """Jobs, their items and outcomes. Times are by the database's clock.

    Safe to use from several threads and processes. Every method raises `Unavailable` if the database is unreachable,
    and `NotFound` for a job that does not exist.
    """

    # For clients.

    def create(self, draft: JobDraft, items: Sequence[ItemDraft]) -> tuple[Job, bool]:
        """Create a job with its items in one transaction; false if its request id already created it.

        Raises `Conflict` if the request id was used by a different request.
        """

    def add_items(self, job_id: str, items: Sequence[ItemDraft], *, first: int | None, limit: int) -> tuple[int, int]:
        """Add items to a pending job; returns how many were stored and the new total.

        `first` is the index of the first item: those that the job already has are skipped. Raises `Invalid` for a gap,
        `NotReady` if the job is not pending, `TooLarge` beyond `limit` items of the job.
        """

    def job(self, job_id: str) -> Job:
        """Returns a job."""

    def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Returns the jobs with these ids that exist."""

    def jobs(self, *, states: Sequence[JobState], project_id: str, after: str, limit: int) -> list[Job]:
        """Returns jobs, newest first, after the one with id `after`; of any state and project if none is given."""

    def change(self, job_id: str, verb: Verb) -> Job:
        """Apply a verb. Raises `IllegalTransition`, and `NotReady` if the job to start has no items."""

    def results(
        self, job_id: str, *, states: Sequence[ItemState], after: int, limit: int, max_bytes: int
    ) -> list[Result]:
        """Returns items with an index above `after`, in order: at most `limit` and `max_bytes`, at least one."""

    def results_of(self, job_id: str, indexes: Sequence[int]) -> list[Result]:
        """Returns the items with these indexes."""

    def finished_since(self, job_id: str, *, moment: int, limit: int) -> list[tuple[int, int]]:
        """Returns (index, moment) of items that ended at `moment` (in microseconds) or later, in order."""

    def logs(self, job_id: str, *, item: int | None, after: int, limit: int) -> list[LogEntry]:
        """Returns log lines with an id above `after`, in order."""

    def log(self, job_id: str, lines: Sequence[LogLine]) -> None:
        """Write log lines outside of a slot."""

    def put_blob(self, content_type: str, pieces: Iterable[bytes]) -> Blob:
        """Store bytes, unless they are stored already."""

    def blob(self, blob_id: str) -> tuple[Blob, Iterator[bytes]]:
        """Returns a blob and its bytes in pieces. Raises `NotFound`."""

    def missing_blobs(self, blob_ids: Sequence[str]) -> set[str]:
        """Returns those of the ids that no blob has."""

    def overview(self) -> Overview:
        """Returns the totals. Reads one row per job, and only the claimed items."""

    def purge(self, keep_seconds: float) -> bool:
        """Remove a piece of the jobs that ended longer ago, with results and logs; true if there may be more."""

    def purge_blobs(self, keep_seconds: float, after: str) -> str | None:
        """Remove blobs that were last uploaded longer ago and that no input or output references.

        Examines a batch of blobs with ids above `after`; returns the last id, None at the end.
        """

    def ping(self) -> None:
        """Check that the database answers."""

    def close(self) -> None:
        """Close every connection."""

    # For workers.

    def open_slot(self, worker: str, *, job_id: str = "", task_types: Sequence[str] = ()) -> Slot | None:
        """Open a slot on a running job that has ready items and room for a slot; None if there is no such job.

        On `job_id`, or on the job with the fewest slots, the oldest of several. With `task_types`, only items whose
        next phase is one of them count.
        """

    def claim(self, slot: Slot, want: int) -> list[Claimed]:
        """Claim up to `want` ready items, the furthest advanced first; none if the job is not running.

        An item that was one of several when a worker died is claimed alone, so that a second crash identifies it.
        Raises `LostSlot`.
        """

    def checkpoint(
        self, slot: Slot, outcomes: Sequence[Outcome], logs: Sequence[LogLine] = (), *, want: int = 0
    ) -> list[Claimed]:
        """Store outcomes and counts, and claim up to `want` more, in one transaction. Raises `LostSlot`."""

    def give_back(self, slot: Slot, indexes: Sequence[int]) -> None:
        """Release items that were claimed and not started. Raises `LostSlot`."""

    def heartbeat(self, slot: Slot, logs: Sequence[LogLine] = ()) -> JobState:
        """Renew the lease; returns the job's state. Raises `LostSlot`."""

    def close_slot(self, slot: Slot) -> JobState:
        """Close a slot: give its items back, add its counts to the job, end the job if it was the last.

        Items that are given back have used up no attempt: the worker lives, so none of them has ended it. Raises
        `LostSlot`.
        """

    def sweep(self) -> list[Swept]:
        """End the slots whose lease has expired. An item that was claimed alone has used up an attempt."""

    def expire(self, worker: str, *, orderly: bool = False) -> list[Swept]:
        """End the slots of a worker that is known to be dead, like `sweep`, or like `close_slot` if it was `orderly`.

        A worker that was ended because its server stops has ended orderly, even by force.
        """

    def overdue(self) -> list[Swept]:
        """Returns the slots whose lease has expired and that `sweep` has not ended.

        Only reads, so it answers when `sweep` cannot: a process stopped in the middle of a transaction keeps SQLite's
        lock until it is killed.
        """

    def workers(self) -> list[str]:
        """Returns the names of workers that have slots."""

    def backlog(self) -> list[Backlog]:
        """Returns the unclaimed work."""

    def next_due(self) -> float | None:
        """Returns the seconds until an item of a running job may be retried; None if none waits.

        Items that may be retried now are in `backlog`.
        """
