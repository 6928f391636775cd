"""The batch service in operation: an outage of its database, a restart, two gateways, its own workers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import psycopg
from google.rpc import error_details_pb2

from artificer.batch.v1 import batch_service_pb2 as pb
from tests.services.postgres import Postgres
from tests.waiting import PATIENCE, until

from .gateways import Served, Worker, done, refused, serving, unpacked, until_ended
from .helpers import ItemState, states


def allow(postgres: Postgres, url: str, *, connections: bool) -> None:
    """Allows connections to a database, or ends all of them and refuses new ones."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    postgres.run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {connections}")
    if not connections:
        postgres.cut(url)


async def test_an_outage_of_the_database_is_reported_and_survived(postgres: Postgres, tmp_path: Path) -> None:
    url = await asyncio.to_thread(postgres.fresh)
    place = {"database_url": url, "data_dir": str(tmp_path), "sweep_seconds": 0.05}
    async with serving(place) as served:
        job = await served.started(1)
        stream = aiter(served.stub.StreamProgress(pb.StreamProgressRequest(job_id=job.id)))
        await anext(stream)
        await asyncio.to_thread(allow, postgres, url, connections=False)
        answer = await served.http.get(f"/v1/jobs/{job.id}")
        assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        code, status = await refused(served.make(1))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert len(list(unpacked(status, error_details_pb2.RetryInfo))) == 1
        assert (await served.http.get("/readyz")).status_code == 503
        await asyncio.to_thread(allow, postgres, url, connections=True)
        assert (await served.http.get("/readyz")).status_code == 200
        await Worker(served.service.store).work(job.id)
        async with asyncio.timeout(PATIENCE):
            last = [one async for one in stream][-1]
        assert last.status == pb.JOB_STATUS_COMPLETED


async def test_a_job_outlives_the_gateway(place: dict[str, Any]) -> None:
    async with serving(place) as first:
        job = await first.started(2, request_id="r")
        worker = Worker(first.service.store)
        (one,) = await worker.take(job.id)
        await worker.put([done(one)])
        await worker.leave()
    async with serving(place) as second:
        again = await second.make(2, options=pb.JobOptions(auto_start=True), request_id="r")
        assert (again.id, again.status, again.completed_items) == (job.id, pb.JOB_STATUS_RUNNING, 1)
        await Worker(second.service.store).work(job.id)
        assert (await until_ended(second, job.id)).completed_items == 2


async def results(served: Served, job_id: str) -> list[pb.Result]:
    return [one async for one in served.stub.StreamResults(pb.StreamResultsRequest(job_id=job_id, follow=True))]


async def test_two_gateways_serve_the_same_jobs(place: dict[str, Any]) -> None:
    """Each has its own workers, and both give the same answers."""
    async with serving(place, engine="local", workers=1) as one, serving(place, engine="local", workers=1) as two:
        phases = [pb.Phase(name=name, task_type="test.trial", parameters={"seconds": "0.01"}) for name in ("a", "b")]
        job = await one.started(40, phases=phases)
        watching = [asyncio.create_task(results(served, job.id)) for served in (one, two)]
        async with asyncio.timeout(PATIENCE):
            found = [sorted(await task, key=lambda result: result.item_index) for task in watching]
        assert [result.item_index for result in found[0]] == list(range(40))
        assert found[0] == found[1]
        assert {result.status for result in found[0]} == {pb.ITEM_STATUS_COMPLETED}
        assert (await until_ended(two, job.id)).completed_items == 40


async def test_a_cancelled_item_gives_its_worker_to_the_next_job(place: dict[str, Any]) -> None:
    async with serving(place, engine="local", workers=1) as served:
        phases = [pb.Phase(name="long", task_type="test.trial", parameters={"seconds": "3600"})]
        job = await served.started(2, phases=phases)
        store = served.service.store
        await until(lambda: ItemState.RUNNING in states(store, job.id))
        requests = [pb.AttachRequest(job_id=job.id, command=pb.COMMAND_CANCEL)]
        events = [event async for event in served.stub.Attach(iter(requests))]
        assert [event.done.job.status for event in events if event.HasField("done")] == [pb.JOB_STATUS_CANCELLED]
        quick = await served.started(1)
        assert (await until_ended(served, quick.id)).status == pb.JOB_STATUS_COMPLETED
        assert not (await served.stub.GetJob(pb.GetJobRequest(job_id=job.id))).completed_items
