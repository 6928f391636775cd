"""kill -9 at random moments, on SQLite with the local engine: the short form of `make crash`.

Victims are worker processes and the whole service. After each round nothing may be lost, doubled or stuck.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from artificer_services.batch.jobs.job import Job
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.settings import BatchSettings
from tests.waiting import PATIENCE, until

from .helpers import ItemState, JobState, Verb, ended, item, make_job, open_store, phase, results

ITEMS = 60
PHASES = ("a", "b", "c")

_SERVICE = """
import asyncio, json, sys
from artificer_services.batch.build import BatchService, BatchSettings

async def main():
    async with BatchService(BatchSettings(**json.loads(sys.argv[1]))).lifespan():
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


class Service:
    """The service in a separate process, which is restarted after a kill."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SERVICE, json.dumps(self._settings), stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await self._process.stdout.readline() == b"ready\n"

    async def kill(self) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()


def _victim(store: Store, dice: random.Random) -> int | None:
    """Returns a worker that has a slot, or None."""
    working = store.workers()
    return int(dice.choice(working).rpartition("/")[2].partition(".")[0]) if working else None


async def _crash(service: Service, store: Store, job: Job, dice: random.Random) -> None:
    """Kills the service or a worker, unless the job ends before one is found."""
    if dice.random() < 0.35:
        await service.kill()
        await service.start()
        return
    await until(lambda: store.workers() or store.job(job.id).state.ended)
    if pid := _victim(store, dice):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def _gone_so_far(store: Store, job: Job, steps: int) -> None:
    await until(lambda: store.job(job.id).counts.steps >= steps)


def _make(store: Store, dice: random.Random) -> Job:
    items = [item(str(number), seconds=round(dice.random() * 0.02, 4)) for number in range(ITEMS)]
    items[3] = item("3", a__do="fail", a__times=1)
    items[4] = item("4", b__do="reject")
    items[5] = item("5", c__do="crash", c__times=1)
    return make_job(
        store,
        items,
        *map(phase, PHASES),
        checkpoint=dice.choice([1, 4, 25]),
        concurrency=dice.choice([1, 2, 5]),
    )


def _check(store: Store, job: Job, effects: Path) -> None:
    """Checks that nothing is lost, duplicated or stuck."""
    found = results(store, job.id)
    assert [one.index for one in found] == list(range(ITEMS))
    for one in found:
        if one.index == 4:
            refusal = f"told to reject, attempt {one.attempts}"  # a kill may have used one up
            assert (one.state, one.error, list(one.phase_outputs)) == (ItemState.FAILED, refusal, ["a"])
        else:
            assert (one.state, list(one.phase_outputs)) == (ItemState.COMPLETED, list(PHASES)), one
            assert one.output == str(one.index)
    assert (job.state, job.total) == (JobState.COMPLETED, ITEMS)
    assert (job.counts.completed, job.counts.failed, job.counts.steps) == (ITEMS - 1, 1, ITEMS * len(PHASES))
    done = Counter(line.split()[0] for line in effects.read_text().splitlines() if line.startswith(job.id))
    assert len(done) == ITEMS * len(PHASES) - 2, "something was recorded that was never done"
    assert not store.workers()


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_no_kill_loses_or_duplicates_a_result(place: dict[str, Any], tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    settings: dict[str, Any] = {
        **place,
        "workers": 2,
        "trial_tasks": True,
        "tasks": {"test.trial": {"effects": str(effects)}},
        "retry_first_seconds": 0.05,
        "max_attempts": 100,  # an item may be hit by several kills
        "lease_seconds": 600.0,  # no lease has to expire: the engine notices dead workers
        "sweep_seconds": 0.5,
    }
    dice = random.Random(random.getrandbits(32))  # pytest prints the seed
    store = open_store(BatchSettings(**settings), durable=True)
    service = Service(settings)
    await service.start()
    try:
        cancelled = make_job(store, [item("1", seconds=3600, deaf=True)], phase())
        await until(lambda: store.workers())
        store.change(cancelled.id, Verb.CANCEL)
        for _ in range(3):
            job = _make(store, dice)
            for share in sorted(dice.random() for _ in range(3)):
                await _gone_so_far(store, job, int(share * ITEMS * len(PHASES) * 0.9))
                await _crash(service, store, job, dice)
            _check(store, await ended(store, job.id), effects)
        assert store.job(cancelled.id).state is JobState.CANCELLED
        assert [one.state for one in results(store, cancelled.id)] == [ItemState.CANCELLED]
    finally:
        await service.kill()
        store.close()
