"""The metrics of jobs: the store's overview in both databases, and what a scrape shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from artificer_services.batch.jobs.job import Overview
from artificer_services.batch.jobs.states import JobState, Verb
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Broke, Done

from .gateways import Served, serving
from .helpers import make_job, open_store, phase, settings_for


@pytest.fixture
def store(place: dict[str, Any]) -> Iterator[Store]:
    opened = open_store(settings_for(place, max_attempts=1), durable=False)
    yield opened
    opened.close()


@pytest.fixture
def patient(place: dict[str, Any]) -> Iterator[Store]:
    """Failed items are retried after a minute, and leases expire at once."""
    settings = settings_for(place, retry_first_seconds=60.0, lease_seconds=0.003, heartbeat_seconds=0.001)
    opened = open_store(settings, durable=False)
    yield opened
    opened.close()


def test_an_empty_database_has_nothing(store: Store) -> None:
    nothing = Overview(jobs={}, completed=0, failed=0, held=0, waiting=0, workers=0, idle_seconds=0.0)
    assert store.overview() == nothing


def test_jobs_and_items_are_counted_by_state(store: Store) -> None:
    make_job(store, 3, start=False)
    store.change(make_job(store, 2, start=False).id, Verb.CANCEL)
    job = make_job(store, 5, phase("one"))
    slot = store.open_slot("somebody", job_id=job.id)
    assert slot is not None
    first, second = store.claim(slot, 2)
    store.checkpoint(
        slot, [Done(index=first.index, phase=0, output="x"), Broke(index=second.index, phase=0, error="bad")], want=1
    )
    seen = store.overview()
    assert seen.jobs == {JobState.PENDING: 1, JobState.CANCELLED: 1, JobState.RUNNING: 1}
    assert (seen.completed, seen.failed, seen.held, seen.waiting) == (1, 1, 1, 2)
    assert (seen.workers, seen.idle_seconds) == (1, 0.0)  # a worker holds it
    store.give_back(slot, [2])
    store.close_slot(slot)  # its counts now belong to the job
    seen = store.overview()
    assert (seen.completed, seen.failed, seen.held, seen.workers) == (1, 1, 0, 0)


def test_the_age_of_waiting_work_grows(store: Store) -> None:
    make_job(store, 1, start=False)  # waits for its owner, not for a worker
    assert store.overview().idle_seconds == 0.0
    make_job(store, 1)
    once = store.overview().idle_seconds
    make_job(store, 1)
    assert store.overview().idle_seconds > once > 0.0


def test_an_item_that_waits_for_a_retry_wants_no_worker(patient: Store) -> None:
    job = make_job(patient, 1)
    slot = patient.open_slot("somebody", job_id=job.id)
    assert slot is not None
    (one,) = patient.claim(slot, 1)
    patient.checkpoint(slot, [Broke(index=one.index, phase=0, error="bad")])
    patient.close_slot(slot)
    assert patient.overview().idle_seconds == 0.0


def test_a_worker_with_an_expired_lease_is_not_counted(patient: Store) -> None:
    job = make_job(patient, 1)
    assert patient.open_slot("somebody", job_id=job.id) is not None
    while patient.overview().workers:
        pass  # three milliseconds
    assert not patient.overview().workers


async def scraped(served: Served) -> dict[tuple[str, str], float]:
    answer = await served.http.get("/metrics")
    return {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("artificer_batch")
    }


async def test_a_scrape_shows_the_last_counts_without_a_query(tmp_path: Path) -> None:
    async with serving({"data_dir": str(tmp_path)}, metrics_seconds=3600.0) as served:
        await served.service.metrics.look()
        assert (await scraped(served))["artificer_batch_jobs", "running"] == 0
        await served.started(4)
        assert (await scraped(served))["artificer_batch_jobs", "running"] == 0
        await served.service.metrics.look()
        seen = await scraped(served)
        assert seen["artificer_batch_jobs", "running"] == 1
        assert seen["artificer_batch_jobs", "completed"] == 0
        assert seen["artificer_batch_items", "waiting"] == 4
        assert seen["artificer_batch_workers", ""] == 0
        assert seen["artificer_batch_idle_seconds", ""] > 0
        assert ("artificer_batch_local_workers", "ready") not in seen  # this gateway has no workers


async def test_outdated_numbers_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving({"data_dir": str(tmp_path)}, metrics_seconds=3600.0) as served:
        await served.service.metrics.look()
        assert await scraped(served)

        def broken() -> Overview:
            raise RuntimeError("no such thing")

        monkeypatch.setattr(served.service.store, "overview", broken)
        await served.service.metrics.look()
        assert await scraped(served) == {}
