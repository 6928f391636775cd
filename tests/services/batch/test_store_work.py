"""The store of jobs over SQLite and PostgreSQL: the methods for workers, and what happens to items after a crash."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from artificer_services.batch.jobs.errors import LostSlot
from artificer_services.batch.jobs.job import Job, LogLine
from artificer_services.batch.jobs.states import ItemState, JobState, Verb
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Backlog, Broke, Claimed, Done, Outcome, Slot
from tests.waiting import wait_for

from .helpers import item, make_job, open_store, phase, results, settings_for

CRASHED = "the worker ended while it ran this item"
LINE = LogLine(level=logging.INFO, message="done", time=7, item=0)


@pytest.fixture
def store(place: dict[str, Any]) -> Iterator[Store]:
    """Two attempts, and half a minute between them."""
    opened = open_store(settings_for(place, max_attempts=2, retry_first_seconds=60.0), durable=False)
    yield opened
    opened.close()


@pytest.fixture
def quick(place: dict[str, Any]) -> Iterator[Store]:
    """Leases that expire at once, and retries without delay."""
    short = {"lease_seconds": 0.003, "heartbeat_seconds": 0.001, "retry_first_seconds": 0.001, "max_attempts": 3}
    opened = open_store(settings_for(place, **short), durable=False)
    yield opened
    opened.close()


def opened(store: Store, job: Job | None = None, worker: str = "w", types: Sequence[str] = ()) -> Slot:
    slot = store.open_slot(worker, job_id=job.id if job else "", task_types=types)
    assert slot is not None
    return slot


def done(*items: Claimed) -> list[Outcome]:
    return [Done(index=one.index, phase=one.phase, output=f"{one.index}.{one.phase}") for one in items]


def places(claimed: Sequence[Claimed]) -> list[tuple[int, int, int]]:
    return [(one.index, one.phase, one.attempt) for one in claimed]


def states(store: Store, job: Job) -> str:
    """Returns the first letters of the items' states."""
    return "".join(one.state.value[0] for one in results(store, job.id))


# Claiming.


def test_the_most_advanced_items_are_claimed_first(store: Store) -> None:
    job = make_job(store, [item("x", k="v"), item("y"), item("z")], phase("a"), phase("b"))
    slot = opened(store, job)
    first = store.claim(slot, 2)
    assert places(first) == [(0, 0, 1), (1, 0, 1)]
    assert (first[0].input, first[0].metadata, first[0].outputs) == ("x", {"k": "v"}, {})
    assert places(store.checkpoint(slot, done(first[1]), want=2)) == [(1, 1, 1), (2, 0, 1)]
    assert store.claim(slot, 5) == []
    assert states(store, job) == "RRR"
    (last,) = store.checkpoint(slot, done(first[0]), want=5)
    assert (last.index, last.phase, last.outputs) == (0, 1, {"a": "0.0"})


def test_a_worker_gets_only_items_of_its_task_types(store: Store) -> None:
    job = make_job(store, 2, phase("a", "one"), phase("b", "two"), phase("c", "one"))
    assert store.open_slot("w", task_types=["two", "three"]) is None
    ones = opened(store, job, types=["one"])
    claimed = store.claim(ones, 2)
    assert store.checkpoint(ones, done(*claimed), want=2) == []  # both are in a phase of the other type
    twos = opened(store, job, "v", ["two"])
    assert twos.claimable == (1,)
    assert places(store.checkpoint(twos, done(*store.claim(twos, 1)), want=5)) == [(1, 1, 1)]
    assert places(store.claim(ones, 5)) == [(0, 2, 1)]


def test_slots_go_to_the_job_with_the_fewest_within_its_concurrency(store: Store) -> None:
    one, two = (make_job(store, 9, concurrency=number) for number in (1, 2))
    assert [opened(store, worker=str(number)).job_id for number in range(3)] == [one.id, two.id, two.id]
    assert store.open_slot("w") is None
    assert store.open_slot("w", job_id=one.id) is None
    assert store.workers() == ["0", "1", "2"]


def test_a_job_that_does_not_run_is_not_worked_on(store: Store) -> None:
    job = make_job(store, 3)
    slot = opened(store, job)
    (held,) = store.claim(slot, 1)
    store.change(job.id, Verb.PAUSE)
    assert store.heartbeat(slot) is JobState.PAUSED
    assert store.checkpoint(slot, done(held), want=1) == []  # items running at the pause are kept
    assert store.open_slot("v") is None
    assert store.backlog() == []
    store.change(job.id, Verb.RESUME)
    assert places(store.claim(slot, 1)) == [(1, 0, 1)]
    store.change(job.id, Verb.CANCEL)
    assert store.claim(slot, 1) == []
    assert store.close_slot(slot) is JobState.CANCELLED
    assert [one.state for one in results(store, job.id)] == [ItemState.COMPLETED, *[ItemState.CANCELLED] * 2]
    assert store.job(job.id).counts.completed == 1


def test_unstarted_items_are_released_unchanged(store: Store) -> None:
    job = make_job(store, 3)
    slot = opened(store, job)
    claimed = store.claim(slot, 3)
    store.give_back(slot, [one.index for one in claimed[1:]])
    assert states(store, job) == "RPP"
    assert places(store.claim(slot, 3)) == [(1, 0, 1), (2, 0, 1)]


def test_workers_are_wanted_for_jobs_with_work_and_free_slots(store: Store) -> None:
    job = make_job(store, 3, phase("a", "one"), phase("b", "two"), phase("c", "one"), concurrency=2)
    make_job(store, 3, start=False)
    slot = opened(store, job)
    first, second, _ = store.claim(slot, 3)
    assert store.backlog() == []
    store.checkpoint(slot, done(first, second))
    assert store.backlog() == [Backlog(job_id=job.id, task_type="two", ready=2, slots=1)]
    again = store.checkpoint(slot, [], want=1)
    store.checkpoint(slot, done(*again))
    assert sorted((one.task_type, one.ready) for one in store.backlog()) == [("one", 1), ("two", 1)]
    opened(store, job, "v")
    assert store.backlog() == []  # no free slot


# Outcomes.


def test_the_last_slot_to_close_ends_the_job(store: Store) -> None:
    job = make_job(store, 2, phase("a"), phase("b"))
    one, two = opened(store, job), opened(store, job, "v")
    (mine,), (other,) = store.claim(one, 1), store.claim(two, 1)
    store.checkpoint(one, done(*store.checkpoint(one, done(mine), want=1)))
    store.checkpoint(two, [Broke(index=other.index, phase=0, error="no", final=True)], [LINE])
    assert store.job(job.id).current_phase == ""
    assert store.close_slot(one) is JobState.RUNNING
    assert store.close_slot(two) is JobState.COMPLETED
    ended = store.job(job.id)
    assert (ended.counts.completed, ended.counts.failed, ended.counts.steps) == (1, 1, 4)
    assert ended.ended is not None
    assert [entry.line for entry in store.logs(job.id, item=0, after=0, limit=9)] == [LINE]


@pytest.mark.parametrize("paused", [False, True])
def test_a_job_without_a_success_has_failed(store: Store, paused: bool) -> None:
    job = make_job(store, 2)
    slot = opened(store, job)
    outcomes = [Broke(index=one.index, phase=0, error="no", final=True) for one in store.claim(slot, 2)]
    if paused:
        store.change(job.id, Verb.PAUSE)
    store.checkpoint(slot, outcomes)
    assert store.close_slot(slot) is JobState.FAILED
    assert store.job(job.id).counts.failed == 2


def test_a_repeated_checkpoint_counts_once(store: Store) -> None:
    job = make_job(store, 3)
    slot = opened(store, job)
    outcomes: list[Outcome] = [*done(*store.claim(slot, 2)), Broke(index=2, phase=0, error="not held", tokens=9)]
    for _ in range(2):
        store.checkpoint(slot, outcomes)
    counts = store.job(job.id).counts
    assert (counts.completed, counts.failed, counts.steps, counts.tokens) == (2, 0, 2, 0)
    assert states(store, job) == "CCP"


def test_an_item_is_tried_again_after_a_while_and_then_fails(quick: Store) -> None:
    job = make_job(quick, 1, phase("a"), phase("b"))
    slot = opened(quick, job)
    for attempt in (1, 2, 3):
        (mine,) = wait_for(lambda: quick.claim(slot, 1))
        assert places([mine]) == [(0, 0, attempt)]
        assert quick.claim(slot, 1) == []
        quick.checkpoint(slot, [Broke(index=0, phase=0, error=f"no {attempt}", tokens=2)])
    (failed,) = results(quick, job.id)
    assert (failed.state, failed.error, failed.attempts) == (ItemState.FAILED, "no 3", 3)
    assert (quick.job(job.id).counts.steps, quick.job(job.id).counts.tokens) == (2, 6)
    assert quick.close_slot(slot) is JobState.FAILED


def test_a_successful_phase_resets_the_attempts(quick: Store) -> None:
    job = make_job(quick, 1, phase("a"), phase("b"))
    slot = opened(quick, job)
    quick.claim(slot, 1)
    quick.checkpoint(slot, [Broke(index=0, phase=0, error="no")])
    again = wait_for(lambda: quick.claim(slot, 1))
    assert places(quick.checkpoint(slot, done(*again), want=1)) == [(0, 1, 1)]
    (result,) = results(quick, job.id)
    assert (result.error, result.attempts) == ("", 1)


def test_the_time_of_the_next_attempt_is_known(store: Store) -> None:
    assert store.next_due() is None
    job = make_job(store, 2)
    slot = opened(store, job)
    store.claim(slot, 2)
    store.checkpoint(slot, [Broke(index=0, phase=0, error="no")], want=1)
    due = store.next_due()
    assert due is not None
    assert 20 < due <= 30
    assert store.claim(slot, 2) == []
    assert store.backlog() == []
    store.change(job.id, Verb.PAUSE)
    assert store.next_due() is None


def test_texts_that_no_database_accepts_are_repaired(store: Store) -> None:
    job = make_job(store, 2)
    slot = opened(store, job)
    store.claim(slot, 2)
    outcomes: list[Outcome] = [
        Done(index=0, phase=0, output="a\0b\ud800é"),
        Broke(index=1, phase=0, error="\0", final=True),
    ]
    store.checkpoint(slot, outcomes)
    good, bad = results(store, job.id)
    assert (good.output, bad.error) == ("a\ufffdb?é", "\ufffd")


# Crashes.


def test_a_revoked_slot_stores_nothing(store: Store) -> None:
    job = make_job(store, 2)
    slot = opened(store, job)
    (mine,) = store.claim(slot, 1)
    (swept,) = store.expire("w")
    assert (swept.slot_id, swept.worker, swept.job_id) == (slot.id, "w", job.id)
    lines = store.logs(job.id, item=None, after=0, limit=9)
    for ask in (
        lambda: store.checkpoint(slot, done(mine), [LINE], want=1),
        lambda: store.claim(slot, 1),
        lambda: store.heartbeat(slot, [LINE]),
        lambda: store.give_back(slot, [0]),
        lambda: store.close_slot(slot),
    ):
        with pytest.raises(LostSlot):
            ask()
    assert states(store, job) == "PP"
    assert store.job(job.id).counts.completed == 0
    assert store.logs(job.id, item=None, after=0, limit=9) == lines
    assert (store.expire("w"), store.workers()) == ([], [])


def test_an_item_lost_alone_with_its_worker_uses_up_an_attempt(quick: Store) -> None:
    job = make_job(quick, 1)
    for attempt in (1, 2, 3):
        slot = wait_for(lambda: quick.open_slot("w", job_id=job.id))
        assert slot is not None
        assert places(quick.claim(slot, 1)) == [(0, 0, attempt)]
        quick.expire("w")
    (failed,) = results(quick, job.id)
    assert (failed.state, failed.error, failed.attempts) == (ItemState.FAILED, CRASHED, 3)
    assert quick.job(job.id).state is JobState.FAILED
    said = [entry.line for entry in quick.logs(job.id, item=0, after=0, limit=9)]
    assert [(line.message, line.worker, line.phase) for line in said] == [(CRASHED, "w", "one")] * 3


def test_items_lost_together_are_retried_one_by_one(store: Store) -> None:
    job = make_job(store, 5)
    slot = opened(store, job)
    assert len(store.claim(slot, 3)) == 3
    store.expire("w")
    assert [(one.attempts, one.error) for one in results(store, job.id)[:3]] == [(0, "")] * 3  # no item is blamed yet
    slot = opened(store, job)
    others = store.claim(slot, 5)
    assert places(others) == [(3, 0, 1), (4, 0, 1)]  # suspects come last
    assert store.claim(slot, 5) == []  # and not together with another
    alone = store.checkpoint(slot, done(*others), want=5)
    assert places(alone) == [(0, 0, 1)]
    assert store.claim(slot, 5) == []
    store.expire("w")  # now the faulty item is known
    slot = opened(store, job)
    alone = store.claim(slot, 5)
    assert places(alone) == [(1, 0, 1)]
    alone = store.checkpoint(slot, done(*alone), want=5)
    assert places(alone) == [(2, 0, 1)]
    assert store.checkpoint(slot, done(*alone), want=5) == []
    assert store.close_slot(slot) is JobState.RUNNING
    assert states(store, job) == "PCCCC"
    assert (results(store, job.id)[0].error, results(store, job.id)[0].attempts) == (CRASHED, 1)


def test_items_of_a_cancelled_job_have_no_error(store: Store) -> None:
    job = make_job(store, 1)
    slot = opened(store, job)
    store.claim(slot, 1)
    store.change(job.id, Verb.CANCEL)
    store.expire("w")
    (result,) = results(store, job.id)
    assert (result.state, result.error, result.attempts) == (ItemState.CANCELLED, "", 0)
    assert store.job(job.id).state is JobState.CANCELLED


@pytest.mark.parametrize("end", ["close", "expire"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_worker_that_stops_in_order_uses_up_no_attempt(store: Store, end: str, count: int) -> None:
    job = make_job(store, 3)
    slot = opened(store, job)
    store.claim(slot, count)
    if end == "close":
        assert store.close_slot(slot) is JobState.RUNNING
    else:
        assert [one.job_id for one in store.expire("w", orderly=True)] == [job.id]
    assert [(one.state, one.error, one.attempts) for one in results(store, job.id)] == [(ItemState.PENDING, "", 0)] * 3
    slot = opened(store, job)
    assert places(store.claim(slot, 3)) == [(0, 0, 1), (1, 0, 1), (2, 0, 1)]  # together, since none is suspected


def test_a_suspect_that_is_given_back_stays_one(store: Store) -> None:
    job = make_job(store, 2)
    slot = opened(store, job)
    store.claim(slot, 2)
    store.expire("w")
    slot = opened(store, job)
    assert places(store.claim(slot, 2)) == [(0, 0, 1)]
    store.close_slot(slot)
    slot = opened(store, job)
    assert places(store.claim(slot, 2)) == [(0, 0, 1)]


def test_expired_leases_end_and_renewed_ones_do_not(store: Store, quick: Store) -> None:
    """Both stores use one database; leases of the second expire at once."""
    job = make_job(store, 2)
    kept, late = opened(store, job, "kept"), opened(quick, job, "late")
    store.claim(kept, 1)
    quick.claim(late, 1)
    wait_for(quick.overdue)
    assert store.heartbeat(late) is JobState.RUNNING  # no sweep has ended it yet
    assert store.overdue() == store.sweep() == []
    quick.heartbeat(late)
    (over,) = wait_for(quick.overdue)
    assert (over.worker, over.job_id) == ("late", job.id)
    assert store.sweep() == [over]
    assert store.sweep() == []
    assert store.workers() == ["kept"]
    with pytest.raises(LostSlot):
        quick.heartbeat(late)


def test_slot_numbers_are_not_reused(store: Store) -> None:
    job = make_job(store, 1)
    numbers = []
    for _ in range(3):
        slot = opened(store, job)
        numbers.append(slot.id)
        store.close_slot(slot)
    assert len(set(numbers)) == 3
