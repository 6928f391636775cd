"""The local engine with real worker processes: what ends them, what that costs the job, and what remains."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from artificer_services.batch.jobs.work import Backlog
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.worker.engines.local import LocalEngine
from artificer_services.batch.worker.engines.process import WorkerProcess
from tests.waiting import PATIENCE, exited, until, until_here, wait_for

from .helpers import (
    ItemState,
    JobState,
    Served,
    Verb,
    ended,
    item,
    make_job,
    open_store,
    phase,
    results,
    settings_for,
    states,
    working,
)


@pytest.fixture
def folder(tmp_path: Path) -> dict[str, Any]:
    """An SQLite database, for tests of processes, which do not depend on the database."""
    return {"data_dir": str(tmp_path / "data")}


def told(place: dict[str, Any], **more: Any) -> tuple[BatchSettings, Path]:
    """Returns settings, and the file in which test.trial records its effects."""
    effects = Path(place.get("data_dir", "/nowhere")).with_name("effects")
    return settings_for(place, tasks={"test.trial": {"effects": str(effects)}}, **more), effects


def pids(effects: Path) -> list[int]:
    """Returns the process of every effect, in order."""
    return [int(line.split()[2]) for line in effects.read_text().splitlines()] if effects.exists() else []


async def ready(served: Served) -> None:
    await until(lambda: len(served.engine.workers) == served.settings.workers)


@contextmanager
def passing(effects: Path) -> Iterator[int]:
    """With a pipe as the file of effects, items pass their effect only inside this block; yields the readable end."""
    pipe = os.open(effects, os.O_RDWR)
    try:
        yield pipe
    finally:
        os.close(pipe)


async def test_all_workers_do_a_job_on_either_database(place: dict[str, Any], tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    os.mkfifo(effects)
    settings = settings_for(place, tasks={"test.trial": {"effects": str(effects)}})
    async with working(settings) as served:
        await ready(served)
        assert served.engine.healthy
        job = await served.begin(20, phase("a"), phase("b"), checkpoint=3)
        await until(lambda: states(served.store, job.id).count(ItemState.RUNNING) == 2)  # each waits at its first item
        with passing(effects) as pipe:
            job = await ended(served.store, job.id)
            lines = [line.split() for line in os.read(pipe, 1 << 16).decode().splitlines()]
        assert (job.state, job.counts.completed, job.counts.steps) == (JobState.COMPLETED, 20, 40)
        assert {int(pid) for _, _, pid in lines} == {worker.pid for worker in served.engine.workers}
        keys = Counter(key for key, _, _ in lines)
        assert keys == Counter({f"{job.id}/{index}/{name}": 1 for index in range(20) for name in "ab"})


async def test_a_job_of_concurrency_one_has_one_worker(folder: dict[str, Any]) -> None:
    settings, effects = told(folder)
    os.mkfifo(effects)
    async with working(settings) as served:
        await ready(served)
        job = await served.begin(30, phase(seconds=0.01), concurrency=1)
        await served.begun(job.id)

        def look() -> bool:
            assert states(served.store, job.id).count(ItemState.RUNNING) <= 1
            assert len(served.store.workers()) <= 1
            return served.store.job(job.id).state.ended

        assert not await asyncio.to_thread(look)
        with passing(effects):
            await until(look)


async def test_a_poison_item_fails_alone(folder: dict[str, Any]) -> None:
    settings, _ = told(folder, max_attempts=2)
    items = [item(str(number)) for number in range(40)]
    items[7] = item("7", do="crash")
    items[8] = item("8", do="exit")
    items[20] = item("20", do="crash", times=1)
    async with working(settings) as served:
        job = await served.run(items, checkpoint=10)
        assert (job.state, job.counts.completed, job.counts.failed) == (JobState.COMPLETED, 38, 2)
        found = results(served.store, job.id)
        assert [one.index for one in found if one.state is ItemState.FAILED] == [7, 8]
        assert {found[7].error, found[8].error} == {"the worker ended while it ran this item"}
        assert found[20].output == "20"


async def test_a_task_that_hangs_is_killed_and_its_worker_replaced(folder: dict[str, Any]) -> None:
    settings, _ = told(folder, max_attempts=1, item_timeout_seconds=0.3)
    async with working(settings) as served:
        await ready(served)
        before = {worker.pid for worker in served.engine.workers}
        job = await served.run([item(do="hang"), item("1"), item("2")], checkpoint=5)
        hung, *others = results(served.store, job.id)
        assert (hung.state, hung.error) == (ItemState.FAILED, "took longer than 0.3 seconds")
        assert {one.state for one in others} == {ItemState.COMPLETED}
        await until(lambda: len({worker.pid for worker in served.engine.workers} - before) == 1)
        await ready(served)


async def test_a_cooperative_task_that_times_out_costs_no_worker(folder: dict[str, Any]) -> None:
    settings, _ = told(folder, max_attempts=1, item_timeout_seconds=0.2)
    async with working(settings) as served:
        await ready(served)
        before = {worker.pid for worker in served.engine.workers}
        job = await served.run([item(seconds=3600)])
        assert results(served.store, job.id)[0].error == "took longer than 0.2 seconds"
        assert {worker.pid for worker in served.engine.workers} == before


async def test_a_task_that_holds_the_gil_is_killed_when_its_lease_expires(folder: dict[str, Any]) -> None:
    # Enough attempts for a busy machine, on which other items may lose such a short lease too.
    settings, _ = told(folder, max_attempts=100, lease_seconds=1.5, heartbeat_seconds=0.3)
    async with working(settings) as served:
        job = await served.run([item(do="freeze", times=1), item("1")])
        assert {one.state for one in results(served.store, job.id)} == {ItemState.COMPLETED}
        first, *_ = served.store.logs(job.id, item=0, after=0, limit=10)
        assert first.line.message == "the worker ended while it ran this item"
        await ready(served)


async def test_cancel_kills_a_worker_that_blocks_in_a_library(folder: dict[str, Any]) -> None:
    settings, effects = told(folder)
    async with working(settings) as served:
        await ready(served)
        items = [item(str(number)) for number in range(5)]
        items[2] = item("2", seconds=3600, deaf=True, log=1)
        job = await served.begin(items)
        await until(lambda: states(served.store, job.id).count(ItemState.COMPLETED) == 4)
        (said,) = await until(lambda: served.store.logs(job.id, item=2, after=0, limit=10))  # and then it sleeps
        (sleeper,) = [worker.pid for worker in served.engine.workers if worker.name == said.line.worker]
        sleeping = os.pidfd_open(sleeper)
        served.store.change(job.id, Verb.CANCEL)
        await exited(sleeping)
        assert states(served.store, job.id).count(ItemState.COMPLETED) == 4
        assert states(served.store, job.id)[2] is ItemState.CANCELLED
        assert (await served.run(3)).state is JobState.COMPLETED, "the replaced worker does no work"
        assert len(pids(effects)) == 7


async def test_a_stopped_worker_that_wakes_again_can_store_nothing(folder: dict[str, Any]) -> None:
    settings, effects = told(folder, lease_seconds=1.2, heartbeat_seconds=0.2)
    store = open_store(settings, durable=True)
    setup = {"settings": {**folder, **_plain(settings)}, "log_level": 30}
    workers = [await WorkerProcess.start(setup, 60) for _ in range(2)]
    try:
        job = make_job(store, [item(do="stop", times=1)])
        workers[0].nudge("")
        await until(lambda: _stopped(workers[0].pid))
        swept = await until(store.sweep)
        assert [one.worker for one in swept] == [workers[0].name]
        workers[1].nudge("")
        done = await ended(store, job.id)
        os.kill(workers[0].pid, signal.SIGCONT)
        await until(lambda: len(pids(effects)) == 2)  # both did it: no lease can prevent a stopped process from that
        workers[0].stop()
        await workers[0].closed.wait()
        (result,) = results(store, job.id)
        assert (result.attempts, store.job(job.id)) == (2, done)
        assert done.counts.completed == 1
    finally:
        for worker in workers:
            worker.kill()
            await worker.closed.wait()
        store.close()


def _plain(settings: BatchSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}


def _stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_a_worker_without_heartbeat_is_replaced_without_the_sweeper(folder: dict[str, Any]) -> None:
    settings, _ = told(folder, workers=1, lease_seconds=0.8, heartbeat_seconds=0.2)
    store = open_store(settings, durable=True)
    engine = LocalEngine(store, settings)
    await engine.start()
    try:
        (worker,) = await until(lambda: engine.workers)
        os.kill(worker.pid, signal.SIGSTOP)
        await asyncio.wait_for(worker.closed.wait(), PATIENCE)
        job = make_job(store, 3)
        engine.wanted(await asyncio.to_thread(store.backlog))
        assert (await ended(store, job.id)).counts.completed == 3
    finally:
        await engine.stop()
        store.close()


async def test_workers_are_replaced_after_their_maximum_of_items(folder: dict[str, Any]) -> None:
    settings, effects = told(folder, workers=1, worker_items=4)
    async with working(settings) as served:
        job = await served.run(10, checkpoint=3)
        assert job.counts.completed == 10
    assert sorted(Counter(pids(effects)).values()) == [2, 4, 4]


async def test_a_retry_does_not_wait_for_the_sweeper(folder: dict[str, Any]) -> None:
    settings, _ = told(folder, sweep_seconds=3600.0)
    async with working(settings) as served:
        job = await served.run([item(do="fail", times=2)])
        assert results(served.store, job.id)[0].state is ItemState.COMPLETED


async def test_a_lost_nudge_delays_work_by_one_sweep(folder: dict[str, Any]) -> None:
    settings, _ = told(folder)
    async with working(settings) as served:
        await ready(served)
        job = make_job(served.store, 3)  # without a nudge
        assert (await ended(served.store, job.id)).state is JobState.COMPLETED


async def test_a_stop_while_a_worker_ends_starts_no_other(folder: dict[str, Any]) -> None:
    settings, _ = told(folder, workers=1)
    async with working(settings) as served:
        await ready(served)
        (worker,) = served.engine.workers
        worker.kill()
        await worker.closed.wait()
        async with asyncio.timeout(30):
            await served.engine.stop()
        assert served.engine.workers == ()


async def test_stopping_releases_unfinished_items(folder: dict[str, Any]) -> None:
    settings, _ = told(folder, workers=1, stop_grace_seconds=0.2)
    store = open_store(settings, durable=True)
    engine = LocalEngine(store, settings)
    await engine.start()
    (worker,) = await until(lambda: engine.workers)
    fd = os.pidfd_open(worker.pid)
    job = make_job(store, [item(seconds=3600, deaf=True, times=1), item("1")], checkpoint=2)
    engine.nudge(job.id)
    await until(lambda: ItemState.RUNNING in states(store, job.id))
    await engine.stop()
    await exited(fd)
    assert not engine.healthy
    assert set(states(store, job.id)) == {ItemState.PENDING}
    assert not store.workers()
    store.close()


DEEDS = {
    "heeds cancellation": {"seconds": 3600},
    "sleeps in a library": {"seconds": 3600, "deaf": True},
    "hangs": {"do": "hang"},
    "holds the GIL": {"do": "freeze"},
    "is suspended": {"do": "stop"},
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
async def test_an_orderly_stop_uses_up_no_attempt(folder: dict[str, Any], deed: dict[str, Any]) -> None:
    settings, _ = told(folder, workers=1, stop_grace_seconds=0.1, max_attempts=1)
    store = open_store(settings, durable=True)
    engine = LocalEngine(store, settings)
    await engine.start()
    await until(lambda: engine.workers)
    job = make_job(store, [item("0"), item("1", **deed, times=1)], checkpoint=9)
    engine.nudge(job.id)
    await until(lambda: ItemState.RUNNING in states(store, job.id))
    await until(lambda: results(store, job.id)[1].state is ItemState.RUNNING)
    await engine.stop()
    _, stopped = results(store, job.id)
    assert (stopped.state, stopped.attempts, stopped.error) == (ItemState.PENDING, 0, "")
    assert not store.workers()
    said = [entry.line.message for entry in store.logs(job.id, item=1, after=0, limit=9)]
    assert said == ["the worker stopped and gave back this item; no attempt is used up"]
    store.close()


async def test_a_worker_that_is_told_to_end_by_sigterm_gives_its_item_back(folder: dict[str, Any]) -> None:
    settings, effects = told(folder, workers=1, stop_grace_seconds=0.1, max_attempts=1)
    os.mkfifo(effects)
    async with working(settings) as served:
        await ready(served)
        (worker,) = served.engine.workers
        job = await served.begin(1)
        await served.begun(job.id)
        os.kill(worker.pid, signal.SIGTERM)
        await worker.closed.wait()
        with passing(effects):
            assert (await ended(served.store, job.id)).counts.completed == 1
        assert results(served.store, job.id)[0].attempts == 1


async def test_stopping_lets_a_short_item_finish(folder: dict[str, Any]) -> None:
    settings, effects = told(folder, workers=1, stop_grace_seconds=PATIENCE)
    os.mkfifo(effects)
    store = open_store(settings, durable=True)
    engine = LocalEngine(store, settings)
    await engine.start()
    (worker,) = await until(lambda: engine.workers)
    job = make_job(store, 2)
    engine.nudge(job.id)
    await until(lambda: ItemState.RUNNING in states(store, job.id))
    stopping = asyncio.create_task(engine.stop())
    await until_here(lambda: not engine.workers)
    worker.stop()
    worker.ping()
    await until_here(lambda: worker.ping() == 0)  # it has answered, so it has read the earlier messages
    with passing(effects):
        await stopping
    assert states(store, job.id) == [ItemState.COMPLETED, ItemState.PENDING]
    store.close()


_GATEWAY = """
import asyncio, json, sys
from artificer_services.batch.store.database import open_store
from artificer_services.batch.worker.engines.local import LocalEngine
from artificer_services.batch.settings import BatchSettings
from tests.waiting import until

async def main():
    settings = BatchSettings(**json.loads(sys.argv[1]))
    engine = LocalEngine(open_store(settings, durable=True), settings)
    await engine.start()
    await until(lambda: len(engine.workers) == settings.workers)
    print(json.dumps([worker.pid for worker in engine.workers]), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def gateway(settings: BatchSettings) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """Starts a process with an engine; returns it and the processes of its workers."""
    import json

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _GATEWAY, json.dumps(_plain(settings)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("deed", [{"seconds": 3600, "deaf": True}, {"do": "freeze"}], ids=["sleeps", "holds the GIL"])
async def test_workers_end_with_a_killed_gateway_and_the_next_one_continues(
    folder: dict[str, Any], deed: dict[str, Any]
) -> None:
    settings, _ = told(folder, lease_seconds=3600.0, sweep_seconds=3600.0)
    store = open_store(settings, durable=True)
    try:
        job = make_job(store, [item(**deed, times=1), item("1", **deed, times=1), item("2")], checkpoint=1)
        async with gateway(settings) as (process, workers):
            fds = [os.pidfd_open(pid) for pid in workers]
            await until(lambda: states(store, job.id).count(ItemState.RUNNING) == 2)
            process.kill()
            await exited(*fds)
        assert len(store.workers()) == 2, "no process was left to release their items"
        async with working(settings) as served:
            done = await ended(served.store, job.id)
        assert (done.state, done.counts.completed) == (JobState.COMPLETED, 3)
    finally:
        store.close()


async def test_an_engine_that_cannot_start_workers_logs_it(
    folder: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = told(folder, workers=1)
    store = open_store(settings, durable=True)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    engine = LocalEngine(store, settings)
    await engine.start()
    await until(lambda: "cannot start a worker process" in caplog.text)
    assert not engine.healthy
    engine.nudge("nobody")
    engine.wanted([Backlog(job_id="x", task_type="y", ready=1, slots=1)])
    await engine.stop()
    store.close()


def test_conditions_are_waited_for() -> None:
    seen = iter([0, 0, 3])
    assert wait_for(lambda: next(seen)) == 3
