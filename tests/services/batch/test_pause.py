"""Pauses over both databases: after its response no item begins, even if a worker has claimed more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import pytest

from artificer_services.batch.jobs.jobs import Jobs
from artificer_services.batch.jobs.states import JobState, Verb
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.tasks.api import Output, PhaseView, Task, Work
from artificer_services.batch.worker.runner import Runner
from tests.waiting import wait_for

from .helpers import make_job, open_store, phase, settings_for

ITEMS = 20_000  # more items than begin while the test pauses the job twice


class Counting:
    """A task type that takes a moment, and counts the items that it has begun."""

    name = "counting"
    description = ""
    takes: Literal["text", "document"] = "text"
    scored = False
    timeout: float | None = None

    def __init__(self, moment: float) -> None:
        self.begun: list[int] = []
        self.answered = threading.Event()
        self._moment, self._never = moment, threading.Event()

    def check(self, _: PhaseView) -> list[tuple[str, str]]:
        return []

    def run(self, work: Work) -> Output:
        self.begun.append(work.index)
        if len(self.begun) % (ITEMS // 4) == 0:  # enough items to be left even if the pause is slow
            self.answered.wait()
        if self._moment:
            self._never.wait(self._moment)
        return Output(text="")

    def has_begun(self, count: int) -> bool:
        return len(self.begun) >= count

    def close(self) -> None:
        pass


@pytest.fixture
def settings(place: dict[str, Any]) -> BatchSettings:
    # Workers check their job too rarely by themselves to affect this test.
    return settings_for(place, poll_seconds=30.0, heartbeat_seconds=30.0, lease_seconds=90.0)


@pytest.fixture
def store(settings: BatchSettings) -> Iterator[Store]:
    opened = open_store(settings, durable=False)
    try:
        yield opened
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("moment", "checkpoint"),
    [
        (0.0, 1),  # sixteen are claimed at once
        (0.0, 1000),  # hundreds are
        (0.004, 1000),  # half a second of items
    ],
)
def test_after_the_response_to_pause_no_item_begins(
    store: Store, settings: BatchSettings, moment: float, checkpoint: int
) -> None:
    counting = Counting(moment)
    tasks: dict[str, Task] = {counting.name: counting}
    runner = Runner(store, tasks, settings, "worker")
    jobs = Jobs(store, tasks, settings, document=lambda _: None, nudge=lambda _: None)
    job = make_job(store, ITEMS, phase("a", counting.name), checkpoint=checkpoint)
    try:
        for _ in range(2):
            counting.answered.clear()
            before = len(counting.begun)
            working = threading.Thread(target=runner.work_once, args=(job.id,))
            working.start()
            wait_for(partial(counting.has_begun, before + 100))
            assert asyncio.run(jobs.change(job.id, Verb.PAUSE)).state is JobState.PAUSED
            answered = len(counting.begun)
            counting.answered.set()
            working.join()
            assert len(counting.begun) == answered < ITEMS
            assert store.job(job.id).counts.completed == answered
            store.change(job.id, Verb.RESUME)
    finally:
        counting.answered.set()
        runner.close()
        jobs.close()
    assert len(set(counting.begun)) == len(counting.begun), "an item that was given back was done twice"
