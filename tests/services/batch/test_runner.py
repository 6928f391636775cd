"""The worker's loop, in this process, over both databases: the outcome of an item for everything that a task can do."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from sqlalchemy import select

from artificer_services.batch.jobs.errors import Unavailable
from artificer_services.batch.jobs.job import Job
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Claimed
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store import database, schema
from artificer_services.batch.tasks.api import Output, PhaseView, Rejected, Task, TaskError, Work
from artificer_services.batch.tasks.trial import NAME, trial
from artificer_services.batch.worker.runner import Runner
from tests.waiting import wait_for

from .helpers import (
    ItemState,
    JobState,
    Verb,
    item,
    make_job,
    open_store,
    phase,
    results,
    settings_for,
    states,
)


class Told:
    """A task type that is a function."""

    description = ""
    scored = True
    takes: Literal["text", "document"] = "text"
    timeout: float | None = None

    def __init__(self, name: str, do: Callable[[Work], Output | str]) -> None:
        self.name, self._do = name, do
        self.closed = False

    def check(self, _: PhaseView) -> list[tuple[str, str]]:
        return []

    def run(self, work: Work) -> Output:
        made = self._do(work)
        return Output(text=made) if isinstance(made, str) else made

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def settings(place: dict[str, Any]) -> BatchSettings:
    return settings_for(place, max_attempts=2)


@pytest.fixture
def store(settings: BatchSettings) -> Iterator[Store]:
    opened = open_store(settings, durable=True)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def worker(store: Any, settings: BatchSettings, name: str = "worker", **tasks: Callable[[Work], Output | str]) -> Any:
    """Returns a runner with test.trial, and these functions as task types."""
    known: dict[str, Task] = {NAME: trial(settings.tasks)}
    known |= {key: Told(key, do) for key, do in tasks.items()}
    runner = Runner(store, known, settings, name)
    try:
        yield runner
    finally:
        runner.close()


def work_off(runner: Runner, store: Store, job: Job) -> Job:
    """Works until a job has ended, waiting for retries."""

    def look() -> bool:
        runner.work_once(job.id)
        return store.job(job.id).state.ended

    wait_for(look)
    return store.job(job.id)


def lines(store: Store, job: Job) -> list[tuple[int, str]]:
    return [(entry.line.level, entry.line.message) for entry in store.logs(job.id, item=None, after=0, limit=1000)]


def test_each_phase_gets_the_output_of_the_previous_one(store: Store, settings: BatchSettings) -> None:
    seen: list[tuple[str, str, dict[str, str], str, str]] = []

    def louder(work: Work) -> Output:
        seen.append((work.input, work.item_input, dict(work.outputs), work.project_id, work.effect_key))
        return Output(text=work.input + "!", tokens=3, cost=0.25)

    with worker(store, settings, louder=louder) as runner:
        job = make_job(store, [item("hey")], phase("a", "louder"), phase("b", "louder"), project="p1")
        done = work_off(runner, store, job)
    assert done.state is JobState.COMPLETED
    assert (done.counts.completed, done.counts.steps, done.counts.tokens, done.counts.cost_micros) == (1, 2, 6, 500_000)
    (result,) = results(store, job.id)
    assert (result.output, result.phase_outputs) == ("hey!!", {"a": "hey!", "b": "hey!!"})
    assert seen == [
        ("hey", "hey", {}, "p1", f"{job.id}/0/a"),
        ("hey!", "hey", {"a": "hey!"}, "p1", f"{job.id}/0/b"),
    ]


def rejects(_: Work) -> str:
    raise Rejected("it is no good", tokens=5)


def fails(_: Work) -> str:
    raise TaskError("not now", cost=0.5)


def breaks(_: Work) -> str:
    raise ValueError("the password is swordfish")


def exits(_: Work) -> str:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("do", "error", "attempts"),
    [
        (rejects, r"it is no good", 1),
        (fails, r"not now", 2),
        (breaks, r"unexpected ValueError; see the server's log for fault [0-9a-f]{8}", 2),
        (exits, r"unexpected SystemExit; .*", 2),  # libraries that call sys.exit
        (lambda _: "x" * 2000, r"the output is 2,000 bytes long; at most 1,000 are allowed", 1),
        (lambda _: "é" * 501, r"the output is 1,002 bytes long; at most 1,000 are allowed", 1),
        (lambda _: "a\0b", r"the output contains the character U\+0000, .*", 1),
        (lambda _: "\ud800", r"the output contains lone surrogates, .*", 1),
        (lambda _: Output(text="", score=0.42), r"score 0\.42 is below 0\.8", 2),
        (lambda _: Output(text="", score=float("nan")), r"score nan is below 0\.8", 2),
    ],
)
def test_an_item_that_fails_does_not_affect_others(
    store: Store, place: dict[str, Any], do: Callable[[Work], Output | str], error: str, attempts: int
) -> None:
    settings = settings_for(place, max_attempts=2, max_output_bytes=1000)

    def one_of_two(work: Work) -> Output | str:
        return do(work) if work.index else "well"

    with worker(store, settings, mixed=one_of_two) as runner:
        job = work_off(runner, store, make_job(store, 2, phase("a", "mixed", min_score=0.8)))
    assert (job.state, job.counts.completed, job.counts.failed) == (JobState.COMPLETED, 1, 1)
    good, bad = results(store, job.id)
    assert (good.state, good.output) == (ItemState.COMPLETED, "well")
    assert (bad.state, bad.output, bad.attempts) == (ItemState.FAILED, "", attempts)
    assert re.fullmatch(error, bad.error)


def test_the_cost_of_a_failed_attempt_is_counted(store: Store, settings: BatchSettings) -> None:
    with worker(store, settings, rejects=rejects, fails=fails) as runner:
        spent = work_off(runner, store, make_job(store, 1, phase("a", "rejects")))
        paid = work_off(runner, store, make_job(store, 1, phase("a", "fails")))
    assert (spent.state, spent.counts.tokens) == (JobState.FAILED, 5)
    assert (paid.state, paid.counts.cost_micros) == (JobState.FAILED, 1_000_000)


def test_the_owner_of_a_job_sees_no_secrets_and_the_log_does(
    store: Store, settings: BatchSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with worker(store, settings, breaks=breaks) as runner, caplog.at_level(logging.ERROR):
        job = work_off(runner, store, make_job(store, 1, phase("a", "breaks")))
    (result,) = results(store, job.id)
    fault = result.error.rpartition(" ")[2]
    assert "swordfish" not in result.error + str(lines(store, job))
    assert f"fault {fault}" in caplog.text
    assert "swordfish" in caplog.text


def test_a_sufficient_score_and_a_missing_one_pass(store: Store, settings: BatchSettings) -> None:
    with worker(store, settings, scores=lambda work: Output(text="", score=[0.8, None][work.index])) as runner:
        job = work_off(runner, store, make_job(store, 2, phase("a", "scores", min_score=0.8)))
    assert job.counts.completed == 2


def test_a_retried_item_may_succeed(store: Store, settings: BatchSettings) -> None:
    with worker(store, settings) as runner:
        job = work_off(runner, store, make_job(store, [item(do="fail", times=1, log=2)]))
    (result,) = results(store, job.id)
    assert (result.state, result.output, result.error) == (ItemState.COMPLETED, "x", "")
    assert lines(store, job) == [
        (logging.INFO, "line 0 of attempt 1"),
        (logging.INFO, "line 1 of attempt 1"),
        (logging.WARNING, "attempt 1: told to fail, attempt 1"),
        (logging.INFO, "line 0 of attempt 2"),
        (logging.INFO, "line 1 of attempt 2"),
        (logging.INFO, "the job is completed: 1 of 1 items"),
    ]


def test_log_lines_that_no_database_accepts_are_repaired(store: Store, settings: BatchSettings) -> None:
    def writes(work: Work) -> str:
        work.log(logging.INFO, "a\0b\ud800")
        work.log(logging.INFO, "long " * 10_000)
        return ""

    with worker(store, settings, writes=writes) as runner:
        job = work_off(runner, store, make_job(store, 1, phase("a", "writes")))
    (_, odd), (_, long), _ = lines(store, job)
    assert odd == "a\ufffdb?"
    assert len(long) < 20_000


def test_a_task_may_write_more_lines_than_are_buffered(store: Store, settings: BatchSettings) -> None:
    with worker(store, settings) as runner:
        job = work_off(runner, store, make_job(store, [item(log=1234)]))
    found = store.logs(job.id, item=0, after=0, limit=10_000)
    assert [entry.line.message for entry in found] == [f"line {number} of attempt 1" for number in range(1234)]


def test_blobs_are_read_and_saved(store: Store, settings: BatchSettings) -> None:
    def copies(work: Work) -> str:
        data, kind = work.read_blob(work.input.removeprefix("blob:"))
        assert work.read_document() == (data, kind)
        return work.save_blob(data * 2, kind)

    def misses(work: Work) -> str:
        with pytest.raises(KeyError):
            work.read_blob("0" * 64)
        return "missed"

    blob = store.put_blob("text/plain", [b"ab", b"cd"])
    with worker(store, settings, copies=copies, misses=misses) as runner:
        job = work_off(
            runner, store, make_job(store, [item(f"blob:{blob.id}")], phase("a", "copies"), phase("b", "misses"))
        )
    (result,) = results(store, job.id)
    saved, pieces = store.blob(result.phase_outputs["a"].removeprefix("blob:"))
    assert (b"".join(pieces), saved.content_type) == (b"abcdabcd", "text/plain")
    assert result.output == "missed"


class Watching:
    """A store that records its calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.stored: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def checkpoint(self, slot: Any, outcomes: Sequence[Any], logs: Any = (), *, want: int = 0) -> list[Claimed]:
        claimed = self._store.checkpoint(slot, outcomes, logs, want=want)
        self.stored.append(len(outcomes))
        return claimed


@pytest.mark.parametrize("frequency", [1, 7])
def test_items_held_are_bounded_by_checkpoints(store: Store, settings: BatchSettings, frequency: int) -> None:
    watching = Watching(store)
    with worker(watching, settings) as runner:
        job = work_off(runner, store, make_job(store, 100, checkpoint=frequency))
    assert job.counts.completed == 100
    assert max(watching.stored) == frequency
    assert sum(watching.stored) == 100


class Faltering(Watching):
    """A store whose database fails every other call, before or after the change."""

    calls = 0

    def checkpoint(self, slot: Any, outcomes: Sequence[Any], logs: Any = (), *, want: int = 0) -> list[Claimed]:
        self.calls += 1
        if self.calls % 4 == 1:
            raise Unavailable("the line is dead")
        claimed = super().checkpoint(slot, outcomes, logs, want=want)
        if self.calls % 4 == 3:
            raise Unavailable("the line died before the answer came")
        return claimed


def test_outages_of_the_database_lose_and_duplicate_no_result(store: Store, place: dict[str, Any]) -> None:
    settings = settings_for(place, max_attempts=1000)
    with worker(Faltering(store), settings) as runner:
        job = work_off(runner, store, make_job(store, 5, phase("a", score=1, tokens=1), phase("b", tokens=1)))
    assert (job.state, job.counts.completed, job.counts.steps, job.counts.tokens) == (JobState.COMPLETED, 5, 10, 10)


def test_a_worker_without_its_lease_discards_its_results(store: Store, place: dict[str, Any]) -> None:
    settings = settings_for(place, max_attempts=2, heartbeat_seconds=0.2)

    def loses(work: Work) -> str:
        if work.attempt == 1:
            store.expire("first")
            assert work.cancelled.wait(30), "the task was not notified"
            return "stale"
        return "fresh"

    job = make_job(store, 1, phase("a", "loses"))
    with (
        worker(store, settings, "first", loses=loses) as first,
        worker(store, settings, "second", loses=loses) as second,
    ):
        assert first.work_once(job.id)
        done = work_off(second, store, job)
    (result,) = results(store, job.id)
    assert (result.output, result.attempts) == ("fresh", 2)
    assert (done.counts.completed, done.counts.steps) == (1, 1)


def test_pause_lets_the_running_item_finish_and_begins_no_other(store: Store, settings: BatchSettings) -> None:
    begun: list[int] = []

    def pauses(work: Work) -> str:
        begun.append(work.index)
        if len(begun) == 8:  # by then several were claimed at once
            store.change(job.id, Verb.PAUSE)
            wait_for(lambda: work_seen.is_set())
        return "done"

    job = make_job(store, 50, phase("a", "pauses"), checkpoint=10)
    watching = Looking(store)
    work_seen = watching.seen
    with worker(watching, settings, pauses=pauses) as runner:
        assert runner.work_once(job.id)
        assert len(begun) == 8
        assert states(store, job.id) == [ItemState.COMPLETED] * 8 + [ItemState.PENDING] * 42
        assert {result.attempts for result in results(store, job.id)[8:]} == {0}
        assert not runner.work_once(job.id)
        store.change(job.id, Verb.RESUME)
        assert work_off(runner, store, job).counts.completed == 50
    assert sorted(begun) == list(range(50))


class Looking(Watching):
    """A store that signals when a paused job was seen, and read again."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.seen = threading.Event()
        self._told = False

    def job(self, job_id: str) -> Job:
        if self._told:
            self.seen.set()
        found = self._store.job(job_id)
        self._told = found.state is JobState.PAUSED
        return found


def test_cancel_notifies_the_running_task_and_keeps_finished_items(store: Store, settings: BatchSettings) -> None:
    def cancels(work: Work) -> str:
        if work.index == 3:
            store.change(job.id, Verb.CANCEL)
            assert work.cancelled.wait(30), "the task was not notified"
            raise TaskError("stopped on the way")
        return "done"

    job = make_job(store, 10, phase("a", "cancels"), checkpoint=10)
    with worker(store, settings, cancels=cancels) as runner:
        runner.work_once(job.id)
        assert not runner.work_once()
    assert store.job(job.id).state is JobState.CANCELLED
    assert states(store, job.id) == [ItemState.COMPLETED] * 3 + [ItemState.CANCELLED] * 7
    assert store.job(job.id).counts.completed == 3
    assert not store.workers()


def test_finished_items_are_stored_while_a_long_one_runs(store: Store, settings: BatchSettings) -> None:
    def last_waits(work: Work) -> str:
        if work.index == 9:
            wait_for(lambda: store.job(job.id).counts.completed == 9)
        return "done"

    job = make_job(store, 10, phase("a", "last"), checkpoint=100)
    with worker(store, settings, last=last_waits) as runner:
        assert work_off(runner, store, job).counts.completed == 10


def test_a_long_item_does_not_delay_others(store: Store, settings: BatchSettings) -> None:
    def one_waits(work: Work) -> str:
        if work.index == 30:  # by then several are claimed at once
            wait_for(lambda: store.job(job.id).counts.completed == 99)
        return "done"

    job = make_job(store, 100, phase("a", "one"), checkpoint=100)
    with (
        worker(store, settings, "first", one=one_waits) as first,
        worker(store, settings, "other", one=one_waits) as other,
    ):
        helper = threading.Thread(target=work_off, args=(other, store, job))
        assert first.work_once(job.id, items=20)
        helper.start()
        assert work_off(first, store, job).counts.completed == 100
        helper.join()


def test_the_log_lines_of_a_long_item_are_stored_while_it_runs(store: Store, settings: BatchSettings) -> None:
    def tells(work: Work) -> str:
        work.log(logging.INFO, "on my way")
        wait_for(lambda: lines(store, job))
        return "done"

    job = make_job(store, 1, phase("a", "tells"))
    with worker(store, settings, tells=tells) as runner:
        assert work_off(runner, store, job).counts.completed == 1


def test_a_long_item_keeps_its_lease(store: Store, place: dict[str, Any]) -> None:
    settings = settings_for(place, heartbeat_seconds=0.1)
    tables = database.connect(settings, durable=False)
    ends: list[int] = []

    def put_off() -> bool:
        with tables.connect() as connection:
            ends.append(connection.scalar(select(schema.slots.c.expires)) or 0)
        return len(set(ends)) > 5

    def long(_: Work) -> str:
        wait_for(put_off)
        return "done"

    with worker(store, settings, long=long) as runner:
        job = make_job(store, 1, phase("a", "long"))
        assert work_off(runner, store, job).counts.completed == 1
    assert ends == sorted(ends)
    tables.dispose()


def test_jobs_share_one_worker_in_turns(store: Store, place: dict[str, Any]) -> None:
    settings = settings_for(place, slice_seconds=1e-6)  # less than any item takes
    order: list[str] = []

    def notes(work: Work) -> str:
        order.append(work.job_id)
        return ""

    with worker(store, settings, notes=notes) as runner:
        jobs = [make_job(store, 12, phase("a", "notes")) for _ in range(3)]
        while runner.work_once():
            pass
    assert [store.job(job.id).counts.completed for job in jobs] == [12, 12, 12]
    first_end = min(max(place for place, one in enumerate(order) if one == job.id) for job in jobs)
    assert len(set(order[: first_end + 1])) == 3, "one job was done before another was begun"


def test_a_worker_returns_after_its_slices_and_items(store: Store, place: dict[str, Any]) -> None:
    settings = settings_for(place, slice_seconds=0.001)
    with worker(store, settings) as runner:
        job = make_job(store, 10, phase(seconds=0.01))
        runner.work_once(job.id, slices=1)
        assert store.job(job.id).counts.completed == 1
        runner.work_once(job.id, items=3)
        assert store.job(job.id).counts.completed == 4
        runner.stop()
        assert not runner.work_once(job.id)
    assert not store.workers()


def test_a_worker_does_only_its_task_types(store: Store, settings: BatchSettings) -> None:
    with worker(store, settings, a=lambda work: "a", b=lambda work: "b") as runner:
        job = make_job(store, 3, phase("first", "a"), phase("second", "b"))
        while runner.work_once(task_types=["a"]):
            pass
        assert store.job(job.id).current_phase == "second"
        while runner.work_once(task_types=["b"]):
            pass
    assert store.job(job.id).state is JobState.COMPLETED


def test_a_worker_that_lacks_a_task_type_leaves_its_items_to_others(store: Store, settings: BatchSettings) -> None:
    with worker(store, settings) as runner:
        job = make_job(store, 1, phase("a", "of a plugin that is not here"))
        assert not runner.work_once()
        assert states(store, job.id) == [ItemState.PENDING]
