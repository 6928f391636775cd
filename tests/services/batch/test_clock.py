"""A clock that is set back: retries still happen, leases still end, and times stay in order."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from artificer_services.batch.jobs.store import Store
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store import database
from artificer_services.batch.store.clock import Clock
from artificer_services.batch.tasks.trial import NAME, trial
from artificer_services.batch.worker.runner import Runner
from tests.waiting import wait_for

from .helpers import ItemState, JobState, Verb, item, make_job, open_store, phase, results, settings_for

HOUR = 3_600_000_000  # microseconds


@pytest.fixture
def settings(place: dict[str, Any]) -> BatchSettings:
    return settings_for(place, retry_first_seconds=0.3, lease_seconds=2, heartbeat_seconds=0.5)


@pytest.fixture
def store(settings: BatchSettings) -> Iterator[Store]:
    opened = open_store(settings, durable=True)
    try:
        yield opened
    finally:
        opened.close()


def set_clock(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Sets the machine's clock, as Python sees it."""
    wall_ns, wall = time.time_ns, time.time
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + int(hours * HOUR) * 1000)
    monkeypatch.setattr(time, "time", lambda: wall() + hours * 3600)


def run(settings: BatchSettings, statement: str, **params: Any) -> None:
    """Runs SQL in the database of a store."""
    engine = database.connect(settings, durable=True)
    with engine.begin() as connection:
        connection.execute(text(statement), params)
    engine.dispose()


def test_a_clock_is_never_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Clock(str(tmp_path / "clock")), Clock(str(tmp_path / "clock"))
    before = one.now()
    assert abs(before - time.time_ns() // 1000) < HOUR / 100
    set_clock(monkeypatch, -1)
    assert before <= one.now() <= other.now() < before + HOUR / 100
    set_clock(monkeypatch, 3)
    assert one.now() >= before + 1.9 * HOUR  # followed
    assert other.now() >= before + 1.9 * HOUR
    set_clock(monkeypatch, -1)
    one.close()
    other.close()
    assert Clock(str(tmp_path / "clock")).now() < before + 1.1 * HOUR  # nobody had it open, so it was set


_PROCESS = """
import sys, time
wall = time.time_ns
time.time_ns = lambda: wall() + int(sys.argv[2]) * 1000
from artificer_services.batch.store.clock import Clock
print(Clock(sys.argv[1]).now())
"""


def test_processes_that_start_after_the_clock_was_set_back_share_the_time(tmp_path: Path) -> None:
    path = str(tmp_path / "clock")
    clock = Clock(path)
    before = clock.now()
    command = [sys.executable, "-c", _PROCESS, path, str(-HOUR)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert before <= told <= clock.now()


def test_retries_happen_and_times_stay_in_order_though_the_machines_clock_is_set_back(
    store: Store, settings: BatchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(store, [item(do="fail", times=2, log=1)], checkpoint=1)
    runner = Runner(store, {NAME: trial(settings.tasks)}, settings, "w")
    assert runner.work_once(job.id)
    set_clock(monkeypatch, -1)
    wait_for(lambda: runner.work_once(job.id) and store.job(job.id).state.ended)
    runner.close()
    done = store.job(job.id)
    assert (done.state, results(store, job.id)[0].attempts) == (JobState.COMPLETED, 3)
    assert done.started is not None
    assert done.ended is not None
    assert done.created <= done.started <= done.ended < done.created + timedelta(minutes=30)
    times = [entry.line.time or 0 for entry in store.logs(job.id, item=None, after=0, limit=99)]
    assert len(times) == 6
    assert times == sorted(times)


def test_a_wait_from_before_the_databases_clock_was_set_back_is_over(store: Store, settings: BatchSettings) -> None:
    job = make_job(store, [item(do="fail", times=1)], checkpoint=1)
    runner = Runner(store, {NAME: trial(settings.tasks)}, settings, "w")
    assert runner.work_once(job.id)
    run(settings, "UPDATE batch_items SET not_before = not_before + :hour WHERE not_before > 0", hour=HOUR)
    assert not runner.work_once(job.id)
    store.sweep()
    assert runner.work_once(job.id)
    assert store.job(job.id).state is JobState.COMPLETED
    runner.close()


def test_a_lease_from_before_the_databases_clock_was_set_back_ends(store: Store, settings: BatchSettings) -> None:
    job = make_job(store, 1)
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    store.claim(slot, 1)
    run(settings, "UPDATE batch_slots SET expires = expires + :hour", hour=HOUR)
    assert wait_for(store.sweep)[0].worker == "w"
    assert results(store, job.id)[0].state is ItemState.PENDING


@pytest.mark.parametrize("verb", [None, Verb.CANCEL])
def test_a_job_does_not_end_before_it_began(store: Store, settings: BatchSettings, verb: Verb | None) -> None:
    job = make_job(store, 1, phase())
    columns = "created = created + :hour, started = started + :hour"
    run(settings, f"UPDATE batch_jobs SET {columns}", hour=HOUR)
    if verb is None:
        runner = Runner(store, {NAME: trial(settings.tasks)}, settings, "w")
        runner.work_once(job.id)
        runner.close()
    else:
        store.change(job.id, verb)
    done = store.job(job.id)
    assert done.state.ended
    assert done.started is not None
    assert done.ended is not None
    assert done.created <= done.started <= done.ended
