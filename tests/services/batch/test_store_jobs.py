"""The store of jobs over SQLite and PostgreSQL: the methods for callers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from artificer_services.batch.jobs.errors import Conflict, IllegalTransition, Invalid, NotFound, NotReady, TooLarge
from artificer_services.batch.jobs.job import ItemDraft, Job, JobDraft, LogLine, Phase
from artificer_services.batch.jobs.states import ItemState, JobState, Verb
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Broke, Done

from .helpers import make_job, open_store, phase, results, settings_for

ALL: dict[str, Any] = {"states": (), "after": -1, "limit": 1000, "max_bytes": 1 << 30}


@pytest.fixture
def store(place: dict[str, Any]) -> Iterator[Store]:
    opened = open_store(settings_for(place, max_attempts=2, retry_first_seconds=60.0), durable=True)
    yield opened
    opened.close()


def draft(request_id: str = "", project: str = "", digest: bytes = b"", **more: Any) -> JobDraft:
    given: dict[str, Any] = {"phases": (phase("a"), phase("b")), "concurrency": 2, "checkpoint_frequency": 3, **more}
    return JobDraft(name="Grüße", project_id=project, request_id=request_id, digest=digest, **given)


def drafts(count: int, first: int = 0) -> list[ItemDraft]:
    return [ItemDraft(input=f"item {number}") for number in range(first, first + count)]


def indexes(store: Store, job: Job, *states: ItemState, **bounds: Any) -> list[int]:
    return [one.index for one in store.results(job.id, **{**ALL, "states": states, **bounds})]


def mixed(store: Store) -> Job:
    """A running job: item 0 is completed, 1 has failed, 2 is held, 3 waits for a retry, 4 is pending."""
    job = make_job(store, 5, phase("a"), phase("b"))
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    store.claim(slot, 4)
    (again,) = store.checkpoint(slot, [Done(index=0, phase=0, output="a0", tokens=3, cost_micros=5)], want=1)
    assert (again.index, again.phase, again.outputs) == (0, 1, {"a": "a0"})
    store.checkpoint(
        slot,
        [
            Done(index=0, phase=1, output="b0", score=0.5, tokens=4),
            Broke(index=1, phase=0, error="never", final=True, tokens=1),
            Broke(index=3, phase=0, error="not now", cost_micros=2),
        ],
    )
    return job


# Jobs.


def test_a_job_is_read_as_created(store: Store) -> None:
    phases = (
        Phase(name="a", task_type="x", model="m", use_rag=True, min_score=0.5, validation=True, parameters={"k": "ü"}),
        Phase(name="b", task_type="y"),
    )
    before = datetime.now(UTC)
    job, fresh = store.create(draft(project="p", phases=phases), drafts(3))
    assert fresh
    assert store.job(job.id) == job
    assert (job.name, job.project_id, job.phases, job.state) == ("Grüße", "p", phases, JobState.PENDING)
    assert (job.concurrency, job.checkpoint_frequency, job.total, job.current_phase) == (2, 3, 3, "a")
    assert abs((job.created - before).total_seconds()) < 60
    assert (job.started, job.ended) == (None, None)


def test_a_job_with_start_runs_at_once(store: Store) -> None:
    job, _ = store.create(draft(auto_start=True), drafts(1))
    assert (job.state, job.auto_start) == (JobState.RUNNING, True)
    assert job.started == job.created
    with pytest.raises(NotReady, match="has no items"):
        store.create(draft(auto_start=True), [])


def test_the_same_request_creates_one_job(store: Store) -> None:
    job, _ = store.create(draft("r", digest=b"1"), drafts(2))
    assert store.create(draft("r", digest=b"1"), drafts(2)) == (job, False)
    with pytest.raises(Conflict) as refused:
        store.create(draft("r", digest=b"2"), drafts(1))
    assert refused.value.facts["job_id"] == job.id
    other, fresh = store.create(draft("r", project="other", digest=b"2"), drafts(1))
    assert fresh
    without = [store.create(draft(), [])[0] for _ in range(2)]
    assert len({one.id for one in (job, other, *without)}) == 4


def test_a_hundred_thousand_items_are_created_at_once(store: Store) -> None:
    job, _ = store.create(draft(), drafts(100_000))
    assert store.job(job.id).total == 100_000
    (last,) = store.results(job.id, **{**ALL, "after": 99_998})
    assert (last.index, last.input, last.state) == (99_999, "item 99999", ItemState.PENDING)


def test_an_item_that_no_database_accepts_creates_no_job(store: Store) -> None:
    with pytest.raises(Invalid, match=r"items\[1\].input: must not contain the character U"):
        store.create(draft("r"), [ItemDraft(input="good"), ItemDraft(input="a\0b")])
    assert store.jobs(states=(), project_id="", after="", limit=10) == []


def test_items_are_added_once_however_often_they_are_sent(store: Store) -> None:
    job, _ = store.create(draft(), drafts(3))
    assert store.add_items(job.id, drafts(2, 3), first=None, limit=10) == (2, 5)
    assert store.add_items(job.id, drafts(4, 3), first=3, limit=10) == (2, 7)
    assert store.add_items(job.id, drafts(2), first=0, limit=10) == (0, 7)
    with pytest.raises(Invalid, match="first_index: is 8, but the job has 7 items"):
        store.add_items(job.id, drafts(1), first=8, limit=10)
    with pytest.raises(TooLarge, match="at most 8 items"):
        store.add_items(job.id, drafts(2), first=7, limit=8)
    assert [one.input for one in results(store, job.id)] == [f"item {number}" for number in range(7)]
    store.change(job.id, Verb.START)
    with pytest.raises(NotReady, match="cannot add items to a job that is RUNNING"):
        store.add_items(job.id, drafts(1), first=None, limit=10)


def test_what_is_not_there_is_not_found(store: Store) -> None:
    asked: list[Any] = [
        lambda: store.job("nope"),
        lambda: store.change("nope", Verb.CANCEL),
        lambda: store.add_items("nope", drafts(1), first=None, limit=1),
        lambda: store.results("nope", **ALL),
        lambda: store.results_of("nope", [0]),
        lambda: store.finished_since("nope", moment=0, limit=1),
        lambda: store.logs("nope", item=None, after=0, limit=1),
        lambda: store.log("nope", []),
        lambda: store.jobs(states=(), project_id="", after="nope", limit=1),
        lambda: store.blob("nope"),
    ]
    for ask in asked:
        with pytest.raises(NotFound):
            ask()
    assert store.find(["nope"]) == {}
    assert store.open_slot("w", job_id="nope") is None


def test_jobs_are_listed_newest_first_page_by_page(store: Store) -> None:
    made = [make_job(store, 1, project="p" if number % 2 else "q", start=number > 2).id for number in range(6)]

    def listed(**asked: Any) -> list[int]:
        given = {"states": (), "project_id": "", "after": "", "limit": 10, **asked}
        return [made.index(job.id) for job in store.jobs(**given)]

    assert listed() == [5, 4, 3, 2, 1, 0]
    assert listed(limit=2) == [5, 4]
    assert listed(limit=2, after=made[4]) == [3, 2]
    assert listed(project_id="p") == [5, 3, 1]
    assert listed(states=[JobState.RUNNING], project_id="p") == [5, 3]
    assert listed(states=[JobState.PENDING, JobState.PAUSED]) == [2, 1, 0]
    assert listed(states=[JobState.FAILED]) == []
    assert {made.index(found) for found in store.find([made[1], made[4], "nope"])} == {1, 4}


def test_verbs_change_a_job_and_set_its_times(store: Store) -> None:
    job = make_job(store, 1, start=False)
    with pytest.raises(IllegalTransition):
        store.change(job.id, Verb.PAUSE)
    started = store.change(job.id, Verb.START)
    assert (started.state, started.started is not None, started.ended) == (JobState.RUNNING, True, None)
    assert store.change(job.id, Verb.START) == started
    assert store.change(job.id, Verb.PAUSE).state is JobState.PAUSED
    assert store.change(job.id, Verb.RESUME) == started
    cancelled = store.change(job.id, Verb.CANCEL)
    assert (cancelled.state, cancelled.started) == (JobState.CANCELLED, started.started)
    assert cancelled.ended is not None
    assert store.change(job.id, Verb.CANCEL) == cancelled == store.job(job.id)
    empty, _ = store.create(draft(), [])
    with pytest.raises(NotReady, match="has no items"):
        store.change(empty.id, Verb.START)
    assert store.change(empty.id, Verb.CANCEL).state is JobState.CANCELLED


# Results.


def test_results_tell_what_has_become_of_each_item(store: Store) -> None:
    job = mixed(store)
    through, failed, held, waits, fresh = results(store, job.id)
    assert (through.state, through.output, through.phase_outputs) == (ItemState.COMPLETED, "b0", {"a": "a0", "b": "b0"})
    assert (failed.state, failed.error, failed.attempts, failed.output) == (ItemState.FAILED, "never", 1, "")
    assert (held.state, held.attempts) == (ItemState.RUNNING, 1)
    assert (waits.state, waits.error, waits.attempts) == (ItemState.PENDING, "not now", 1)
    assert (fresh.state, fresh.attempts, fresh.error) == (ItemState.PENDING, 0, "")
    assert store.results_of(job.id, [3, 0, 99]) == [through, waits]


def test_counts_come_with_the_results_that_they_count(store: Store) -> None:
    job = mixed(store)
    counts = store.job(job.id).counts
    assert (counts.completed, counts.failed, counts.tokens, counts.cost_micros) == (1, 1, 8, 7)
    assert counts.steps == 4  # both phases of the completed item, and both of the failed one
    assert store.job(job.id).current_phase == "a"


@pytest.mark.parametrize("cancelled", [False, True])
def test_results_can_be_filtered_by_state(store: Store, cancelled: bool) -> None:
    job = mixed(store)
    expected = {
        ItemState.COMPLETED: [0],
        ItemState.FAILED: [1],
        ItemState.RUNNING: [2],
        ItemState.PENDING: [3, 4],
        ItemState.CANCELLED: [],
    }
    if cancelled:
        store.change(job.id, Verb.CANCEL)
        expected |= {ItemState.RUNNING: [], ItemState.PENDING: [], ItemState.CANCELLED: [2, 3, 4]}
    for state, found in expected.items():
        assert indexes(store, job, state) == found
        assert {one.state for one in store.results_of(job.id, found)} <= {state}
    assert indexes(store, job, ItemState.FAILED, ItemState.COMPLETED, ItemState.CANCELLED) == sorted(
        expected[ItemState.FAILED] + expected[ItemState.COMPLETED] + expected[ItemState.CANCELLED]
    )
    assert indexes(store, job) == [0, 1, 2, 3, 4]


def test_a_page_ends_at_its_count_or_its_bytes_and_has_one_item_at_least(store: Store) -> None:
    job = make_job(store, [ItemDraft(input="x" * 100, metadata={"k": "é" * 20}) for _ in range(5)])
    assert indexes(store, job, limit=2) == [0, 1]
    assert indexes(store, job, after=2) == [3, 4]
    assert indexes(store, job, max_bytes=350) == [0, 1]
    assert indexes(store, job, max_bytes=1) == [0]
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    store.claim(slot, 5)
    store.checkpoint(slot, [Done(index=1, phase=0, output="y" * 1000)])
    assert indexes(store, job, max_bytes=2200) == [0]  # a result contains the output twice
    assert indexes(store, job, max_bytes=2400) == [0, 1]


def test_finished_items_can_be_read_by_time(store: Store) -> None:
    job = make_job(store, 6)
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    store.claim(slot, 6)
    store.checkpoint(slot, [Done(index=index, phase=0, output="") for index in (4, 2)])
    first = store.finished_since(job.id, moment=0, limit=10)
    assert [index for index, _ in first] == [4, 2]
    assert first[0][1] < first[1][1]
    store.checkpoint(slot, [Broke(index=5, phase=0, error="no", final=True), Done(index=0, phase=0, output="")])
    later = store.finished_since(job.id, moment=first[-1][1], limit=10)
    assert [index for index, _ in later] == [2, 5, 0]
    assert store.finished_since(job.id, moment=first[-1][1], limit=1) == later[:1]
    assert store.finished_since(job.id, moment=later[-1][1] + 1, limit=1) == []


# Logs and blobs.


def test_log_lines_are_read_in_order_by_job_or_item(store: Store) -> None:
    job, other = make_job(store, 2), make_job(store, 2)
    lines = [
        LogLine(level=logging.INFO, message="für alle", time=1),
        LogLine(level=logging.ERROR, message="for one", time=3, item=1, phase="a", worker="w"),
        LogLine(level=logging.DEBUG, message="a\0b\ud800", time=2, item=0),
    ]
    store.log(job.id, lines[:2])
    store.log(other.id, [LogLine(level=logging.INFO, message="elsewhere", time=1, item=1)])
    store.log(job.id, lines[2:])
    store.log(job.id, [])
    found = store.logs(job.id, item=None, after=0, limit=10)
    assert [entry.line for entry in found[:2]] == lines[:2]
    assert found[2].line.message == "a\ufffdb?"  # neither database accepts these two
    assert [entry.id for entry in found] == sorted(entry.id for entry in found)
    assert store.logs(job.id, item=None, after=found[0].id, limit=1) == found[1:2]
    assert store.logs(job.id, item=1, after=0, limit=10) == found[1:2]


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 5_000_000])
def test_a_blob_is_read_whole_and_stored_once(store: Store, size: int) -> None:
    data = bytes(index * 7 % 251 for index in range(1000)) * (size // 1000 + 1)
    data = data[:size]
    cut = size // 3
    stored = store.put_blob("text/plain", iter([data[:cut], b"", data[cut:]]))
    assert (stored.size, stored.content_type, len(stored.id)) == (size, "text/plain", 64)
    assert store.put_blob("another/type", [data]) == stored
    found, pieces = store.blob(stored.id)
    assert found == stored
    assert b"".join(pieces) == data


def test_a_blob_whose_stream_breaks_is_not_stored(store: Store) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 3_000_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.put_blob("a/b", broken())
    assert store.put_blob("c/d", [b"x" * 3_000_000]).content_type == "c/d"


def test_stored_data_outlives_its_connections(store: Store, place: dict[str, Any]) -> None:
    job = mixed(store)
    store.close()
    again = open_store(settings_for(place), durable=False)
    again.ping()
    assert again.job(job.id).counts.completed == 1
    assert len(results(again, job.id)) == 5
    again.close()
