"""Watching jobs, over a scripted store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from artificer_services.batch.api import watch as watching
from artificer_services.batch.api.watch import JobWatch
from artificer_services.batch.jobs.errors import NotFound, ServiceError, Unavailable
from artificer_services.batch.jobs.job import Counts, Job, Phase
from artificer_services.batch.jobs.states import JobState
from tests.waiting import PATIENCE


def job(job_id: str, **fields: Any) -> Job:
    made: dict[str, Any] = {
        "id": job_id,
        "name": "a job",
        "project_id": "",
        "state": JobState.RUNNING,
        "phases": (Phase(name="one", task_type="test.trial"),),
        "concurrency": 1,
        "checkpoint_frequency": 1,
        "auto_start": False,
        "total": 1000,
        "counts": Counts(),
        "current_phase": "one",
        "created": datetime.now(UTC),
    }
    return Job(**{**made, **fields})


class Jobs:
    """A store of these jobs that counts its queries."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {one.id: one for one in jobs}
        self.looks: list[list[str]] = []
        self.error: ServiceError | None = None
        self.looked = asyncio.Event()

    async def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        self.looks.append(list(job_ids))
        self.looked.set()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return {job_id: self.jobs[job_id] for job_id in job_ids if job_id in self.jobs}

    def complete(self, job_id: str, count: int, state: JobState = JobState.RUNNING) -> None:
        self.jobs[job_id] = replace(self.jobs[job_id], counts=Counts(completed=count, steps=count), state=state)

    async def next_look(self) -> list[str]:
        self.looked.clear()
        async with asyncio.timeout(PATIENCE):
            await self.looked.wait()
        return self.looks[-1]


@pytest.fixture
async def jobs() -> Jobs:
    return Jobs(job("a"), job("b"), job("idle", state=JobState.PAUSED))


@pytest.fixture
async def watch(jobs: Jobs) -> AsyncIterator[JobWatch]:
    made = JobWatch(jobs.find, 0.005)
    yield made
    await made.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "batch-watch"]


async def after(stream: AsyncGenerator[Job], count: int) -> Job:
    async with asyncio.timeout(PATIENCE):
        async for one in stream:
            if one.counts.completed >= count:
                return one
    raise AssertionError("the stream has ended")


async def test_all_watchers_share_one_query(jobs: Jobs, watch: JobWatch) -> None:
    async with watch.on("a"), watch.on("a"), watch.on("b"):
        await jobs.next_look()
        assert sorted(await jobs.next_look()) == ["a", "b"]


async def test_jobs_without_watchers_are_not_queried(jobs: Jobs, watch: JobWatch) -> None:
    async with watch.on("a"):
        await jobs.next_look()
    # Other watched jobs serve as its clock: several rounds pass.
    async with watch.on("b"):
        assert [await jobs.next_look() for _ in range(5)] == [["b"]] * 5
        looking = [task for task in asyncio.all_tasks() if task.get_name() == "batch-watch"]
    assert looking
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*looking, return_exceptions=True)  # it ends with the last watcher


async def test_a_slow_watcher_gets_the_newest_state_and_delays_no_other(jobs: Jobs, watch: JobWatch) -> None:
    async with aclosing(watch.progress("a")) as slow, aclosing(watch.progress("a")) as quick:
        assert (await anext(slow)).counts.completed == 0
        for count in (1, 2, 3):
            jobs.complete("a", count)
            await after(quick, count)
        assert (await anext(slow)).counts.completed == 3


async def test_messages_of_one_stream_have_a_minimum_interval(
    jobs: Jobs, watch: JobWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = 3600.0  # far more than a query takes; the test does not wait for it
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real(0)

    async with aclosing(watch.progress("a")) as stream:
        await anext(stream)
        monkeypatch.setattr(asyncio, "sleep", sleep)
        monkeypatch.setattr(watching, "PACE_SECONDS", pace)
        for count in range(1, 6):
            jobs.complete("a", count)
            await after(stream, count)
        monkeypatch.undo()
    paced = [seconds for seconds in waits if seconds]
    assert len(paced) == 5
    assert all(0 < seconds <= pace for seconds in paced)


async def test_an_ended_job_is_no_longer_queried(jobs: Jobs, watch: JobWatch) -> None:
    async with watch.on("a") as feed, watch.on("b"):
        jobs.complete("a", 9, JobState.COMPLETED)
        while not feed.ended:
            await jobs.next_look()
        await jobs.next_look()
        assert await jobs.next_look() == ["b"]
        async with aclosing(watch.progress("a")) as late:
            assert [one.counts.completed async for one in late] == [9]


async def test_an_idle_job_is_queried_less_often_until_it_is_poked(jobs: Jobs, watch: JobWatch) -> None:
    async with watch.on("a"), watch.on("idle"):
        while "idle" not in await jobs.next_look():
            pass
        assert "idle" not in await jobs.next_look()
        watch.poke("idle")
        assert "idle" in await jobs.next_look()


async def test_a_short_outage_of_the_database_ends_no_stream(jobs: Jobs, watch: JobWatch) -> None:
    async with aclosing(watch.progress("a")) as stream:
        await anext(stream)
        jobs.error = Unavailable("the database is away")
        for _ in range(3):
            await jobs.next_look()
        jobs.error = None
        jobs.complete("a", 1)
        assert (await after(stream, 1)).counts.completed == 1


async def test_a_long_outage_of_the_database_ends_the_stream(
    jobs: Jobs, watch: JobWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PATIENCE_SECONDS", 0.0)
    async with aclosing(watch.progress("a")) as stream:
        await anext(stream)
        jobs.error = Unavailable("the database is away")
        with pytest.raises(Unavailable):
            await after(stream, 1)
    jobs.error = None
    async with watch.on("a") as feed:
        assert feed.job.id == "a"


async def test_a_missing_job_cannot_be_watched(watch: JobWatch) -> None:
    with pytest.raises(NotFound):
        async with watch.on("none"):
            pass


async def test_the_end_of_the_service_ends_the_stream(jobs: Jobs) -> None:
    watch = JobWatch(jobs.find, 0.005)
    async with aclosing(watch.progress("a")) as stream:
        await anext(stream)
        await watch.close()
        with pytest.raises(Unavailable):
            await anext(stream)
    with pytest.raises(Unavailable):
        async with watch.on("b"):
            pass
