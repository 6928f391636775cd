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
from typing import Protocol

from .job import Blob, ItemDraft, Job, JobDraft, LogEntry, LogLine, Overview, Result
from .states import ItemState, JobState, Verb
from .work import Backlog, Claimed, Outcome, Slot, Swept


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
