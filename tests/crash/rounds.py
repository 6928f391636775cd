"""Rounds of a crash test: a job, kills at random moments, pauses and cancellations between them, and the checks.

Uses the service's public API as a client that retries unanswered calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import grpc

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services.batch.jobs.errors import Unavailable
from artificer_services.batch.jobs.job import Job
from artificer_services.batch.jobs.states import JobState
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.store.database import connect, open_store
from tests.waiting import answered, until, wait_for

from .invariants import Effects, Expected, cancelled_faults, faults, read, table_faults
from .places import Place

PATIENCE = 120.0  # seconds until an expected event counts as missed
CALL_SECONDS = 15.0
KILLS = 3  # the most kills in one round
ATTEMPTS = 10  # per item: more than the kills that can hit it
PHASES = ("first", "second", "third")
T = TypeVar("T")


@dataclass
class Kill:
    """A process that was killed, and how long nothing was recorded after it.

    None if that has no meaning: the job was paused, or another process was killed just before.
    """

    victim: str
    at: float
    steps: int
    paused: bool = False
    overtaken: bool = False
    recovery: float | None = None

    def __str__(self) -> str:
        """A few words."""
        return f"{self.victim} at {self.at:.2f} s" + (" (paused)" if self.paused else "")


@dataclass
class Round:
    """What happened in one round."""

    number: int
    items: int
    kills: list[Kill] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    repeats: int = 0

    def __str__(self) -> str:
        """One line."""
        slowest = max((kill.recovery or 0.0 for kill in self.kills), default=0.0)
        what = ", ".join([*map(str, self.kills), *self.acts])
        state = "ok" if not self.faults else "FAULTS: " + "; ".join(self.faults)
        head = f"{self.number:4d}  {self.items:3d} items in {self.seconds:5.2f} s, {self.repeats:2d} done again"
        return f"{head}, recovered in {slowest:5.2f} s  [{what}]  {state}"


class Crash:
    """Crash rounds in one place. `dice` makes all random choices."""

    def __init__(self, place: Place, store: Store, stub: rpc.BatchServiceAsyncStub, dice: random.Random) -> None:
        self._place, self._store, self._stub, self._dice = place, store, stub, dice
        self._cancelled: dict[str, int] = {}  # jobs, and the effects at their cancellation
        self._count = 0

    async def round(self) -> Round:
        """Creates a job, kills processes, and checks the job once it has ended."""
        self._count += 1
        draft, expected = _job(self._dice, f"round-{self._count}")
        done = Round(self._count, len(draft.items))
        began = time.monotonic()
        job: pb.Job = await insist(lambda: self._stub.CreateJob(draft, timeout=CALL_SECONDS))
        watching = asyncio.create_task(self._watch(job.id, done, began))
        cancel = self._dice.random() < 0.15
        try:
            for _ in range(self._dice.randint(1, KILLS)):
                await asyncio.sleep(self._dice.random() ** 2 * 1.5)  # the test needs a random moment
                if not cancel and self._dice.random() < 0.2:
                    await self._kill_while_paused(job.id, done, began)
                else:
                    await self._kill(job.id, done, began)
            if cancel:
                await self._cancel(job.id, done)
            async with asyncio.timeout(PATIENCE):
                await watching
        except TimeoutError:
            done.faults.append(f"stuck: {await self._stored(job.id)}")
        finally:
            watching.cancel()
        done.seconds = time.monotonic() - began
        await self._reckon(job.id, expected, done)
        return done

    async def close(self) -> list[str]:
        """Yields the faults at the end: cancelled jobs that continued, and inconsistent tables."""
        await self._place.whole()
        await self._until(lambda: not self._store.workers())
        return await insist(lambda: asyncio.to_thread(self._last_look))

    def _last_look(self) -> list[str]:
        found: list[str] = []
        for job_id, done in self._cancelled.items():
            job, results = read(self._store, job_id)
            effects = Effects.of(self._place.effects, job_id)
            found += cancelled_faults(job, results, effects)
            if effects.total != done:
                found.append(f"{effects.total - done} items of a cancelled job were done after all")
        engine = connect(self._place.settings, durable=True)
        try:
            return [*found, *table_faults(engine)]
        finally:
            engine.dispose()

    async def _kill(self, job_id: str, done: Round, began: float, *, paused: bool = False) -> None:
        # Half of the kills wait for a worker with items: otherwise busy workers would rarely be victims.
        patience = 3.0 if not paused and self._dice.random() < 0.5 else 0.0
        working = await asyncio.to_thread(self._working, job_id, patience)
        victims = self._place.victims(working)
        if not victims:
            return
        kinds = sorted(victims)
        # A gateway takes longest to restart and can always be killed, so it gets fewer kills.
        (kind,) = self._dice.choices(kinds, [1 if kind == "gateway" else 3 for kind in kinds])
        steps = (await self._stored(job_id)).counts.steps
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._dice.choice(victims[kind]), signal.SIGKILL)
        for kill in done.kills:
            kill.overtaken = kill.recovery is None
        done.kills.append(Kill(kind, time.monotonic() - began, steps, paused))

    def _working(self, job_id: str, patience: float) -> list[str]:
        """Returns the workers that have slots; waits for one unless the job ends."""
        found: list[str] = []

        def look() -> bool:
            found[:] = self._store.workers()
            return bool(found) or self._store.job(job_id).state.ended

        with contextlib.suppress(TimeoutError):
            wait_for(look, patience=patience, passing=(Unavailable,))
        return found

    async def _kill_while_paused(self, job_id: str, done: Round, began: float) -> None:
        """Pauses, kills, checks that no item begins while other work is done, and resumes."""
        if not await self._say(self._stub.PauseJob, pb.PauseJobRequest(job_id=job_id)):
            return
        await self._until(lambda: not self._store.workers())
        before = await self._effects(job_id)
        await self._kill(job_id, done, began, paused=True)
        await self._place.whole()
        await self._witness(f"witness-{job_id}-{len(done.kills)}")
        if (after := await self._effects(job_id)) != before:
            done.faults.append(f"{after - before} phases were done while the job was paused")
        await self._say(self._stub.ResumeJob, pb.ResumeJobRequest(job_id=job_id))

    async def _witness(self, request_id: str) -> None:
        """Runs a small job: when it is done, workers have looked for work and could have found any other."""
        phases = [pb.Phase(name="only", task_type="test.trial")]
        options = pb.JobOptions(auto_start=True, concurrency=4)
        draft = pb.CreateJobRequest(
            name="witness", items=[pb.Item(input="x")] * 8, phases=phases, options=options, request_id=request_id
        )
        job: pb.Job = await insist(lambda: self._stub.CreateJob(draft, timeout=CALL_SECONDS))
        await self._until(lambda: self._store.job(job.id).state.ended)

    async def _cancel(self, job_id: str, done: Round) -> None:
        if await self._say(self._stub.CancelJob, pb.CancelJobRequest(job_id=job_id)):
            done.acts.append("cancelled")
            await self._until(lambda: not self._store.workers())
            self._cancelled[job_id] = await self._effects(job_id)

    async def _say(self, method: Callable[..., Awaitable[pb.Job]], request: object) -> bool:
        """Calls a verb of the job; returns false if the job had already ended."""
        try:
            await insist(lambda: method(request, timeout=CALL_SECONDS))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                return False
            raise
        return True

    async def _watch(self, job_id: str, done: Round, began: float) -> None:
        """Measures how long after each kill a result is recorded, until the job has ended."""

        def look() -> bool:
            job = self._store.job(job_id)
            now = time.monotonic() - began
            for kill in done.kills:
                if (
                    not kill.paused
                    and not kill.overtaken
                    and kill.recovery is None
                    and (job.counts.steps > kill.steps or job.state.ended)
                ):
                    kill.recovery = now - kill.at
            return job.state.ended

        await self._until(look)

    async def _reckon(self, job_id: str, expected: Expected, done: Round) -> None:
        job, results = await insist(lambda: asyncio.to_thread(read, self._store, job_id))
        effects = Effects.of(self._place.effects, job_id)
        done.repeats = effects.repeats
        if job.state is JobState.CANCELLED and job_id in self._cancelled:
            done.faults += cancelled_faults(job, results, effects)
        else:
            done.faults += faults(expected, job, results, effects)
        told: pb.Job = await insist(lambda: self._stub.GetJob(pb.GetJobRequest(job_id=job_id), timeout=CALL_SECONDS))
        if (told.completed_items, told.failed_items) != (job.counts.completed, job.counts.failed):
            done.faults.append(f"the gateway tells of {told.completed_items} and {told.failed_items} items")
        most = (len(done.kills) + 2) * job.concurrency * job.checkpoint_frequency
        if effects.repeats > most:
            done.faults.append(f"{effects.repeats} phases were done again, which {most} may be")

    async def _stored(self, job_id: str) -> Job:
        return await insist(lambda: asyncio.to_thread(self._store.job, job_id))

    async def _effects(self, job_id: str) -> int:
        return (await asyncio.to_thread(Effects.of, self._place.effects, job_id)).total

    async def _until(self, condition: Callable[[], object]) -> None:
        await until(condition, patience=PATIENCE, passing=(Unavailable,))


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Calls until there is an answer, while the gateway or the database is down. Raises all other errors."""
    return await answered(call, _unanswered, patience=PATIENCE)


def _unanswered(error: Exception) -> bool:
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return isinstance(error, Unavailable)


def _job(dice: random.Random, request_id: str) -> tuple[pb.CreateJobRequest, Expected]:
    """Creates a job with items that succeed, and others that fail, crash or are slow."""
    count = dice.randint(20, 50)
    inputs = [f"{request_id} item {number}" for number in range(count)]
    items = [pb.Item(input=text, metadata={"seconds": f"{dice.random() * 0.04:.4f}"}) for text in inputs]
    special = iter(dice.sample(range(count), 4))
    failing: dict[int, str] = {}
    odd = [next(special) for _ in range(4)]
    items[odd[0]].metadata.update({"first.do": "fail", "first.times": "1", "tokens": "0"})
    items[odd[1]].metadata.update({"second.do": "crash", "second.times": "1"})
    items[odd[2]].metadata.update({"third.do": "reject", "tokens": "0"})
    failing[odd[2]] = "told to reject"
    items[odd[3]].metadata.update({"first.seconds": "0.5", "first.deaf": "true"})
    phases = [pb.Phase(name=name, task_type="test.trial", parameters={"tokens": "7"}) for name in PHASES]
    options = pb.JobOptions(
        auto_start=True, concurrency=dice.choice([1, 2, 4]), checkpoint_frequency=dice.choice([1, 1, 3, 10])
    )
    draft = pb.CreateJobRequest(name=request_id, items=items, phases=phases, options=options, request_id=request_id)
    counted = frozenset(range(count)) - {odd[0], odd[2]}
    return draft, Expected(inputs=inputs, phases=PHASES, failing=failing, tokens=7, counted=counted)


@contextlib.asynccontextmanager
async def crashing(place: Place, seed: int) -> AsyncIterator[Crash]:
    """Yields rounds in a place."""
    store = await asyncio.to_thread(open_store, place.settings, durable=True)
    try:
        async with grpc.aio.insecure_channel(place.grpc, options=_CHANNEL) as channel:
            yield Crash(place, store, rpc.BatchServiceStub(channel), random.Random(seed))
    finally:
        await asyncio.to_thread(store.close)


# A killed gateway restarts soon, so the channel must reconnect often.
_CHANNEL = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
__all__ = ["Crash", "Kill", "Round", "crashing", "insist"]
