"""Celery's workers on a real PostgreSQL and a real Valkey, behind two gateways, all in separate processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from redis import Redis

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services.batch.jobs.states import ItemState
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Backlog
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store.database import open_store
from artificer_services.batch.worker.engines.celery import TASK, CeleryEngine, make_app, queue_of
from artificer_services.cluster.cluster import Cluster, ClusterPlan
from artificer_services.cluster.member import Member
from artificer_services.cluster.servers import free_port, valkey
from tests.crash.invariants import Effects, read
from tests.crash.places import APP, workspace
from tests.gateway.test_sentry import events, receiver
from tests.waiting import PATIENCE, until

from .helpers import results

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Served:
    """A running cluster: its clients, and its internals."""

    cluster: Cluster
    one: rpc.BatchServiceAsyncStub
    other: rpc.BatchServiceAsyncStub
    store: Store
    effects: Path
    envelopes: list[bytes]
    """What the workers have sent to Sentry."""

    @property
    def settings(self) -> BatchSettings:
        return BatchSettings(**self.cluster.batch)

    async def start(
        self, items: list[dict[str, str]], *, types: tuple[str, ...] = ("test.trial",), concurrency: int = 4
    ) -> str:
        """Starts a job whose items have these orders; returns its id."""
        job: pb.Job = await self.one.CreateJob(
            pb.CreateJobRequest(
                name="a job",
                items=[pb.Item(input=f"item {number}", metadata=orders) for number, orders in enumerate(items)],
                phases=[pb.Phase(name=f"phase {number}", task_type=name) for number, name in enumerate(types)],
                options=pb.JobOptions(auto_start=True, concurrency=concurrency),
            )
        )
        return job.id

    async def steps(self, job_id: str, least: int) -> int:
        """Waits until that many phases of items are done; returns their number."""
        return await until(lambda: (steps := self.store.job(job_id).counts.steps) >= least and steps)

    async def completed(self, job_id: str) -> pb.Job:
        """Returns the job once it has ended, with one result for every item."""
        await until(lambda: self.store.job(job_id).state.ended)
        job, results = await asyncio.to_thread(read, self.store, job_id)
        assert {result.state for result in results} == {ItemState.COMPLETED}, results
        assert (job.counts.completed, job.counts.steps) == (job.total, job.total * len(job.phases))
        told: pb.Job = await self.other.GetJob(pb.GetJobRequest(job_id=job_id))
        assert told.status == pb.JOB_STATUS_COMPLETED
        return told


@asynccontextmanager
async def channels(*addresses: str) -> AsyncIterator[list[rpc.BatchServiceAsyncStub]]:
    options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
    made = [grpc.aio.insecure_channel(address, options=options) for address in addresses]
    try:
        yield [rpc.BatchServiceStub(channel) for channel in made]
    finally:
        for channel in made:
            await channel.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    """Two gateways and two workers of two processes each, which do test.trial only."""
    with workspace() as folder, receiver() as (dsn, envelopes), pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIPTYCH_TELEMETRY__SENTRY_DSN", dsn)
        effects = folder / "effects"
        batch = {
            "trial_tasks": True,
            "tasks": {"test.trial": {"effects": str(effects)}},
            "sweep_seconds": 0.5,
            "retry_first_seconds": 0.1,
            "stop_grace_seconds": 0.5,
        }
        plan = ClusterPlan(
            folder=folder / "cluster",
            app=APP,
            http_port=0,
            grpc_port=0,
            gateways=2,
            processes=2,
            task_types=("test.trial",),
            batch=batch,
        )
        async with Cluster(plan) as cluster, channels(*(grpc for _, grpc in cluster.addresses)) as (one, other):
            store = await asyncio.to_thread(open_store, BatchSettings(**cluster.batch), durable=True)
            try:
                yield Served(cluster, one, other, store, effects, envelopes)
            finally:
                await asyncio.to_thread(store.close)


def parents(workers: list[str]) -> set[int]:
    """Returns the workers' parent processes."""
    found = set()
    for name in workers:
        pid = name.rpartition("/")[2].partition(".")[0]
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        found.add(int(stat[stat.rindex(b")") + 2 :].split()[1]))
    return found


LONG = {"seconds": "4"}  # long enough for observers, on a busy machine too


async def test_a_jobs_concurrency_holds_across_workers(served: Served) -> None:
    await until(lambda: not served.store.workers())  # no kill that ends another test's job
    job_id = await served.start([LONG] * 3 + [{"seconds": "0.1"}] * 20, concurrency=3)
    mains = {served.cluster.members[name].pid for name in ("worker-1", "worker-2")}
    seen: list[set[int]] = []

    def look() -> bool:
        workers = served.store.workers()
        if len(workers) == 3:
            seen.append(parents(workers))
        assert len(workers) <= 3
        return served.store.job(job_id).state.ended

    await until(look)
    await served.completed(job_id)
    # Two processes per worker, so three at once belong to both.
    assert seen
    assert all(found == mains for found in seen)


async def test_a_job_of_one_gateway_is_watched_and_paused_at_another(served: Served) -> None:
    quick = [{"seconds": "0.05"}] * 28
    job_id = await served.start([*quick, *[LONG] * 4, *quick], concurrency=2)
    stream = aiter(served.other.StreamProgress(pb.StreamProgressRequest(job_id=job_id)))
    seen: list[Any] = [await anext(stream)]
    while seen[-1].completed_items < 5:
        seen.append(await anext(stream))
    paused: pb.Job = await served.other.PauseJob(pb.PauseJobRequest(job_id=job_id))
    assert paused.status == pb.JOB_STATUS_PAUSED
    await until(lambda: not served.store.workers())
    before = Effects.of(served.effects, job_id).total
    told: pb.Job = await served.one.GetJob(pb.GetJobRequest(job_id=job_id))
    assert (told.status, told.completed_items) == (pb.JOB_STATUS_PAUSED, before)
    assert before < 60
    await served.one.ResumeJob(pb.ResumeJobRequest(job_id=job_id))
    async for progress in stream:
        seen.append(progress)
    assert [one.completed_items for one in seen] == sorted(one.completed_items for one in seen)
    assert (seen[-1].status, seen[-1].completed_items) == (pb.JOB_STATUS_COMPLETED, 60)
    assert pb.JOB_STATUS_PAUSED in {one.status for one in seen}
    await served.completed(job_id)


async def test_workers_continue_without_a_gateway(served: Served) -> None:
    job_id = await served.start([{"seconds": "0.05"}] * 100, concurrency=2)
    await served.steps(job_id, 3)
    gateways = [served.cluster.members[name] for name in ("gateway-1", "gateway-2")]
    await asyncio.gather(*(gateway.stop() for gateway in gateways))
    try:
        await until(lambda: served.store.job(job_id).state.ended)
    finally:
        await asyncio.gather(*(gateway.start() for gateway in gateways))
    await served.completed(job_id)


@pytest.mark.parametrize("victim", ["worker", "child"])
async def test_work_continues_when_a_worker_is_killed(served: Served, victim: str) -> None:
    worker = served.cluster.members["worker-1"]
    job_id = await served.start([{**LONG, "times": "1"}] * 4 + [{"seconds": "0.2"}] * 20, concurrency=4)
    starts, pid = worker.starts, worker.pid
    assert pid is not None

    def at_work() -> list[str]:
        return [name for name in served.store.workers() if parents([name]) == {pid}]

    child = int((await until(at_work))[0].rpartition("/")[2].partition(".")[0])
    os.kill(pid if victim == "worker" else child, signal.SIGKILL)
    async with asyncio.timeout(35):  # the promised limit, for items of any length
        await served.completed(job_id)
    if victim == "worker":
        await until(lambda: worker.starts > starts)
        await worker.ready()


@pytest.mark.parametrize("way", ["SIGTERM", "SIGQUIT", "SIGTERM to every process"])
async def test_a_worker_that_stops_in_order_uses_up_no_attempt(served: Served, way: str) -> None:
    workers = [served.cluster.members[name] for name in ("worker-1", "worker-2")]
    job_id = await served.start([{"seconds": "3600", "times": "1"}, {"seconds": "3600", "deaf": "1", "times": "1"}])
    await until(lambda: [one.state for one in results(served.store, job_id)] == [ItemState.RUNNING] * 2)
    if way == "SIGTERM to every process":  # as systemd does
        for name in served.store.workers():
            os.kill(int(name.rpartition("/")[2].partition(".")[0]), signal.SIGTERM)
    number = signal.SIGQUIT if way == "SIGQUIT" else signal.SIGTERM
    await asyncio.gather(*(worker._end(number) for worker in await _unsupervised(workers)))
    try:
        given_back = results(served.store, job_id)
        assert [(one.state, one.attempts, one.error) for one in given_back] == [(ItemState.PENDING, 0, "")] * 2
        assert not served.store.workers()
    finally:
        await asyncio.gather(*(worker.start() for worker in workers))
    await served.one.CancelJob(pb.CancelJobRequest(job_id=job_id))


async def _unsupervised(members: list[Member]) -> list[Member]:
    """Returns the members, which are no longer restarted when they end."""
    for member in members:
        assert member._restarting is not None
        member._restarting.cancel()
        await asyncio.gather(member._restarting, return_exceptions=True)
    return members


async def test_an_emptied_broker_gets_its_messages_again(served: Served) -> None:
    broker = served.cluster.members["valkey"]
    job_id = await served.start([{"seconds": "0.05", "do": "fail", "times": "1"}] * 30, concurrency=2)
    await served.steps(job_id, 1)
    starts = broker.starts
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    await until(lambda: broker.starts > starts)
    await broker.ready()
    await served.completed(job_id)
    await served.completed(await served.start([{}] * 5))


async def test_a_task_that_ignores_cancellation_costs_only_its_process(served: Served) -> None:
    job_id = await served.start([{"seconds": "3600", "deaf": "true", "log": "1"}] * 2, concurrency=2)

    def asleep() -> set[str]:
        """Returns the workers that have written their line, after which they receive nothing."""
        return {entry.line.worker for entry in served.store.logs(job_id, item=None, after=0, limit=10)} - {""}

    await until(lambda: len(asleep()) == 2)
    victims = {int(name.rpartition("/")[2].partition(".")[0]) for name in asleep()}
    cancelled: pb.Job = await served.other.CancelJob(pb.CancelJobRequest(job_id=job_id))
    assert cancelled.status == pb.JOB_STATUS_CANCELLED
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in victims))
    await until(lambda: not served.store.workers())
    await served.completed(await served.start([{}] * 5))


async def test_an_unexpected_error_of_an_item_is_reported(served: Served) -> None:
    job_id = await served.start([{}, {"do": "raise"}])
    await until(lambda: served.store.job(job_id).state.ended)

    def reported() -> list[dict[str, str]]:
        return [tags for event in events(served.envelopes) if (tags := event["tags"]).get("job") == job_id]

    attempts = served.settings.max_attempts
    await until(lambda: len(reported()) >= attempts)
    tags = reported()
    assert [(one["item"], one["phase"]) for one in tags] == [("1", "phase 0")] * attempts
    error = (await asyncio.to_thread(results, served.store, job_id))[1].error or ""
    assert error.split()[-1] in [one["error_id"] for one in tags]


async def test_celery_inspect_shows_running_work(served: Served) -> None:
    inspect = make_app(served.settings).control.inspect(timeout=30, limit=2)

    def answering() -> list[str]:
        return sorted(name.partition("@")[0] for name in inspect.ping() or {})

    patience = 3 * PATIENCE  # each question may take 30 s
    # A worker that another test killed may have just restarted.
    await until(lambda: answering() == ["worker-1", "worker-2"], patience=patience)
    job_id = await served.start([{"seconds": "3600"}], concurrency=1)  # it must not end before a late answer

    def running() -> list[Any]:
        return [list(task["args"]) for tasks in (inspect.active() or {}).values() for task in tasks]

    try:
        await until(lambda: served.store.workers())
        await until(lambda: [job_id, "test.trial"] in running(), patience=patience)
        registered, queues = [
            await asyncio.to_thread(getattr(inspect, name)) for name in ("registered", "active_queues")
        ]
        assert all(TASK in tasks for tasks in registered.values())
        assert {queue["name"] for found in queues.values() for queue in found} == {"artificer.batch.test.trial"}
    finally:  # else the tests behind it had a process less
        await served.one.CancelJob(pb.CancelJobRequest(job_id=job_id))
        await until(lambda: not served.store.workers())


async def test_work_goes_to_workers_of_its_task_type(served: Served) -> None:
    job_id = await served.start([{}] * 6, types=("test.trial", "text.normalize"), concurrency=3)
    assert await served.steps(job_id, 6) == 6  # no worker does the second phase
    queue = queue_of(served.settings, "text.normalize")
    broker = Redis.from_url(served.settings.broker_url)
    try:
        # Gateways and workers that check at the same moment may each fill the free slots.
        await until(lambda: broker.llen(queue) >= 3)
        await served.completed(await served.start([{}] * 5))
        waiting = broker.llen(queue)
        await served.completed(await served.start([{}] * 5))
        assert broker.llen(queue) == waiting  # they check repeatedly, and send no more if no slot is free
        worker = Member(
            served.cluster.worker("worker-3", ["text.normalize"]), served.cluster.logs / "worker-3.log", lambda _: None
        )
        try:
            await worker.start()
            await served.completed(job_id)
        finally:
            await worker.stop()
        broker.delete(queue)
    finally:
        broker.close()


# The engine alone, over a Valkey that is stopped and started.


@pytest.fixture
def folder() -> Iterator[Path]:
    with workspace() as made:
        yield made


async def test_nudges_are_sent_once_per_slot_and_never_block(folder: Path) -> None:
    port = free_port()
    settings = BatchSettings(
        engine="celery",
        database_url="postgresql://nobody@127.0.0.1:1/x",
        broker_url=f"redis://:secret@127.0.0.1:{port}/0",
    )
    backlog = [
        Backlog(job_id="a", task_type="one", ready=9, slots=3),
        Backlog(job_id="b", task_type="one", ready=1, slots=1),
        Backlog(job_id="c", task_type="other", ready=5, slots=2),
    ]
    engine = CeleryEngine(settings, lambda: backlog)
    broker = Member(valkey(folder / "valkey", port, "secret"), folder / "log", lambda _: None)
    await engine.start()
    try:
        engine.nudge("a")  # to no worker
        assert not engine.healthy
        await broker.start()
        redis = Redis.from_url(settings.broker_url)

        def waiting(task_type: str) -> int:
            return int(redis.llen(f"artificer.batch.{task_type}"))

        try:
            for _ in range(20):
                engine.nudge("b")
                engine.wanted(backlog)
                await asyncio.sleep(0)
            await until(lambda: engine.healthy and waiting("other") == 2)
            assert waiting("one") == 4
            redis.flushall()  # messages that a broker loses
            engine.wanted(backlog)
            # Messages in transit may be lost, but none is duplicated.
            await until(lambda: (waiting("one"), waiting("other")) == (4, 2))
        finally:
            redis.close()
    finally:
        await engine.stop()
        await broker.stop()


async def test_a_worker_without_settings_names_the_missing_one() -> None:
    command = [sys.executable, "-m", "celery", "-A", "artificer_services.batch.celery_app", "report"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "celery_app: services.batch needs a database_url and a broker_url for Celery workers\n"
