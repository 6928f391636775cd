"""The invariants after any crash: nothing is lost, counted twice or stuck, and no cancelled job runs again.

Reads the store, its tables, and the file in which test.trial records its effects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, text

from artificer_services.batch.jobs.job import Job, Result
from artificer_services.batch.jobs.states import ItemState, JobState
from artificer_services.batch.jobs.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The expected result of a job. `failing` items fail with a reason that contains this; others return their input.

    `tokens` is what each phase of each of `counted` takes.
    """

    inputs: Sequence[str]
    phases: Sequence[str]
    failing: Mapping[int, str] = field(default_factory=dict)
    tokens: int = 0
    counted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Effects:
    """How often each phase of each item of a job was done, by effect key."""

    counts: Counter[str]

    @classmethod
    def of(cls, file: Path, job_id: str) -> Effects:
        """Reads the effects from the file of test.trial."""
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        return cls(Counter(line.split()[0] for line in lines if line.startswith(f"{job_id}/")))

    @property
    def total(self) -> int:
        """The number of all effects, including repeated ones."""
        return self.counts.total()

    @property
    def repeats(self) -> int:
        """The number of repeated effects."""
        return self.total - len(self.counts)


def read(store: Store, job_id: str) -> tuple[Job, list[Result]]:
    """Returns a job and all of its items, read page by page."""
    found: list[Result] = []
    while page := store.results(
        job_id, states=(), after=found[-1].index if found else -1, limit=1000, max_bytes=1 << 22
    ):
        found += page
    return store.job(job_id), found


def faults(expected: Expected, job: Job, results: Sequence[Result], effects: Effects) -> Iterator[str]:
    """Yields the faults of a job that should have ended by itself."""
    completed = len(expected.inputs) - len(expected.failing)
    wanted = JobState.COMPLETED if completed else JobState.FAILED
    if job.state is not wanted:
        yield f"the job is {job.state}, not {wanted}"
    yield from _items(expected, results)
    counts, steps = job.counts, len(expected.inputs) * len(expected.phases)
    if (counts.completed, counts.failed, counts.steps) != (completed, len(expected.failing), steps):
        yield f"the counts are {counts}, not {completed} and {len(expected.failing)} with {steps} steps"
    if counts.tokens != (tokens := expected.tokens * len(expected.phases) * len(expected.counted)):
        yield f"{counts.tokens} tokens were counted, not {tokens}"
    yield from _recorded(job, results, effects)


def cancelled_faults(job: Job, results: Sequence[Result], effects: Effects) -> Iterator[str]:
    """Yields the faults of a job that was cancelled while it ran."""
    if job.state is not JobState.CANCELLED:
        yield f"the job was cancelled and is {job.state}"
    states = Counter(result.state for result in results)
    if states.keys() - {ItemState.COMPLETED, ItemState.FAILED, ItemState.CANCELLED}:
        yield f"its items are {dict(states)}"
    if job.counts.completed != states[ItemState.COMPLETED] or job.counts.failed != states[ItemState.FAILED]:
        yield f"its counts are {job.counts}, its items {dict(states)}"
    yield from _recorded(job, results, effects)


def table_faults(engine: Engine) -> Iterator[str]:
    """Yields the faults in the tables once no job runs."""
    with engine.connect() as connection:
        for what, statement in _TABLES.items():
            found = connection.execute(text(statement)).fetchall()
            if found:
                yield f"{what}: {[tuple(row) for row in found[:5]]}"


_TABLES = {
    "slots that nobody ends": "SELECT id, worker FROM batch_slots",
    "items that somebody still has": "SELECT job_key, item_index, slot FROM batch_items WHERE slot IS NOT NULL",
    "two results of one phase of an item": (
        "SELECT job_key, item_index, phase FROM batch_phase_results"
        " GROUP BY job_key, item_index, phase HAVING count(*) > 1"
    ),
    "results that do not fit how far an item is": (
        "SELECT i.job_key, i.item_index, i.phase, count(r.phase) FROM batch_items i LEFT JOIN batch_phase_results r"
        " ON r.job_key = i.job_key AND r.item_index = i.item_index"
        " GROUP BY i.job_key, i.item_index, i.phase HAVING count(r.phase) <> i.phase"
    ),
    "jobs whose counts do not fit their items": (
        "SELECT j.id, j.completed, j.failed, count(i.ended), sum(i.failed) FROM batch_jobs j JOIN batch_items i"
        " ON i.job_key = j.key GROUP BY j.id, j.completed, j.failed"
        " HAVING j.completed + j.failed <> count(i.ended) OR j.failed <> sum(i.failed)"
    ),
}


def _items(expected: Expected, results: Sequence[Result]) -> Iterator[str]:
    if [result.index for result in results] != list(range(len(expected.inputs))):
        yield f"there are {len(results)} items, not {len(expected.inputs)} in their order"
        return
    for result, said in zip(results, expected.inputs, strict=True):
        if result.index in expected.failing:
            if result.state is not ItemState.FAILED or expected.failing[result.index] not in result.error:
                yield f"item {result.index} is {result.state}: {result.error!r}"
        elif (result.state, result.output) != (ItemState.COMPLETED, said):
            yield f"item {result.index} is {result.state} with {result.output!r}: {result.error!r}"
        elif result.phase_outputs != dict.fromkeys(expected.phases, said):
            yield f"item {result.index} has the outputs {result.phase_outputs}"


def _recorded(job: Job, results: Sequence[Result], effects: Effects) -> Iterator[str]:
    for result in results:
        for phase in result.phase_outputs:
            if not effects.counts[f"{job.id}/{result.index}/{phase}"]:
                yield f"phase {phase} of item {result.index} is recorded and was never done"
