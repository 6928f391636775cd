"""Jobs and workers for tests: settings with short waits, and drafts in one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from artificer_services.batch.jobs.job import ItemDraft, Job, JobDraft, Phase, Result
from artificer_services.batch.jobs.jobs import Jobs
from artificer_services.batch.jobs.states import ItemState, JobState, Verb
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store.database import open_store
from artificer_services.batch.worker.engines.local import LocalEngine
from artificer_services.batch.worker.sweeper import Sweeper
from tests.waiting import until


def settings_for(place: dict[str, Any], **more: Any) -> BatchSettings:
    """Returns settings with short waits, for a database of the `place` fixture."""
    quick: dict[str, Any] = {
        "workers": 2,
        "retry_first_seconds": 0.02,
        "sweep_seconds": 0.2,
        "poll_seconds": 0.1,
        "trial_tasks": True,
    }
    return BatchSettings(**{**quick, **place, **more})


def phase(name: str = "one", task_type: str = "test.trial", **parameters: Any) -> Phase:
    """Returns a phase of test.trial with these orders; `min_score` is its validation."""
    least = parameters.pop("min_score", None)
    orders = {key.replace("__", "."): str(value) for key, value in parameters.items()}
    return Phase(name=name, task_type=task_type, validation=least is not None, min_score=least, parameters=orders)


def item(text: str = "x", **orders: Any) -> ItemDraft:
    """Returns an item with its own orders."""
    return ItemDraft(input=text, metadata={key.replace("__", "."): str(value) for key, value in orders.items()})


def make_job(
    store: Store,
    items: Sequence[ItemDraft] | int,
    *phases: Phase,
    concurrency: int = 8,
    checkpoint: int = 1,
    start: bool = True,
    project: str = "",
) -> Job:
    """Stores a job, running by default; a number means that many equal items."""
    drafts = [item(f"item {number}") for number in range(items)] if isinstance(items, int) else items
    draft = JobDraft(
        name="a job",
        project_id=project,
        phases=phases or (phase(),),
        concurrency=concurrency,
        checkpoint_frequency=checkpoint,
    )
    job, _ = store.create(draft, drafts)
    return store.change(job.id, Verb.START) if start else job


def results(store: Store, job_id: str) -> list[Result]:
    """Returns all items of a job."""
    return store.results(job_id, states=(), after=-1, limit=1_000_000, max_bytes=1 << 30)


def states(store: Store, job_id: str) -> list[ItemState]:
    """Returns the states of a job's items."""
    return [result.state for result in results(store, job_id)]


async def ended(store: Store, job_id: str) -> Job:
    """Returns a job once it has ended."""
    await until(lambda: store.job(job_id).state.ended)
    return store.job(job_id)


@dataclass(frozen=True)
class Served:
    """A store and a running engine."""

    store: Store
    engine: LocalEngine
    settings: BatchSettings

    async def run(self, items: Sequence[ItemDraft] | int, *phases: Phase, **options: Any) -> Job:
        """Creates a job, and waits until it has ended."""
        job = await self.begin(items, *phases, **options)
        return await ended(self.store, job.id)

    async def begin(self, items: Sequence[ItemDraft] | int, *phases: Phase, **options: Any) -> Job:
        """Creates a job, and notifies the workers."""
        job = await asyncio.to_thread(make_job, self.store, items, *phases, **options)
        self.engine.nudge(job.id)
        return job

    async def begun(self, job_id: str) -> None:
        """Waits until a worker holds an item of a job."""
        await until(lambda: ItemState.RUNNING in states(self.store, job_id))


@asynccontextmanager
async def working(settings: BatchSettings, reports: dict[str, Any] | None = None) -> AsyncIterator[Served]:
    """Runs workers on a database, and the service's sweeper."""
    store = await asyncio.to_thread(open_store, settings, durable=True)
    engine = LocalEngine(store, settings, reports)
    jobs = Jobs(store, {}, settings, document=lambda _: None, nudge=engine.nudge)
    sweeper = Sweeper(jobs, engine, settings.sweep_seconds)
    try:
        await engine.start()
        sweeper.start()
        try:
            yield Served(store, engine, settings)
        finally:
            await sweeper.stop()
            await engine.stop()
    finally:
        await asyncio.to_thread(jobs.close)
        await asyncio.to_thread(store.close)


__all__ = [
    "ItemState",
    "JobState",
    "Served",
    "Verb",
    "ended",
    "item",
    "make_job",
    "open_store",
    "phase",
    "results",
    "settings_for",
    "states",
    "working",
]
