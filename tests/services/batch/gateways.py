"""The batch service in a real gateway, with a client of each face; and a worker that a test drives step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import httpx2
from google.protobuf import json_format, message
from google.rpc import error_details_pb2, status_pb2

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from artificer_services.batch.build import BatchService, BatchSettings
from artificer_services.batch.jobs.job import LogLine
from artificer_services.batch.jobs.states import JobState
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Broke, Claimed, Done, Slot
from diptych import Gateway, Settings
from tests.waiting import PATIENCE

T = TypeVar("T")
M = TypeVar("M", bound=message.Message)


@dataclass(frozen=True)
class Served:
    """A running gateway and a client of each face."""

    service: BatchService
    stub: rpc.BatchServiceAsyncStub
    http: httpx2.AsyncClient
    gateway: Gateway

    async def make(self, count: int = 3, **fields: Any) -> pb.Job:
        """Creates a job with that many items."""
        job: pb.Job = await self.stub.CreateJob(asked(count, **fields))
        return job

    async def started(self, count: int = 3, **fields: Any) -> pb.Job:
        """Creates a running job with that many items."""
        return await self.make(count, **{"options": pb.JobOptions(auto_start=True), **fields})


@asynccontextmanager
async def serving(place: dict[str, Any], **settings: Any) -> AsyncIterator[Served]:
    """Runs the service in a gateway; it has no workers unless the settings say so."""
    service = BatchService(BatchSettings(**{"engine": "none", "trial_tasks": True, **place, **settings}))
    gateway = Settings.model_validate(
        {
            "http_port": 0,
            "grpc_port": 0,
            "method_max_body_bytes": service.body_limits,
            "readiness": {"keep_seconds": 0},  # every probe runs the checks
        }
    )
    made = Gateway(gateway, lifespan=service.lifespan, readiness={"batch": service.ready}, collectors=[service.metrics])
    rpc.add_BatchServiceServicer_to_server(service.servicer, made)
    async with made, AsyncExitStack() as stack:
        # Otherwise channels to one address share a connection and its flow control.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{made.grpc_port}", options=options)
        await stack.enter_async_context(channel)
        base = f"http://127.0.0.1:{made.http_port}"
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=base, timeout=PATIENCE, verify=False))
        yield Served(service, rpc.BatchServiceStub(channel), client, made)
        await made.stop(0)


def asked(count: int = 3, **fields: Any) -> pb.CreateJobRequest:
    """Returns a request for a job with that many items, of one phase by default."""
    items = [pb.Item(input=f"item {number}") for number in range(count)]
    phases = [pb.Phase(name="one", task_type="test.trial")]
    return pb.CreateJobRequest(**{"name": "a job", "items": items, "phases": phases, **fields})


def read(answer: httpx2.Response, kind: type[M]) -> M:
    """Returns a successful REST response as a message."""
    assert answer.status_code == 200, answer.text
    return json_format.Parse(answer.text, kind())


class Worker:
    """A worker that a test drives, on the real store."""

    def __init__(self, store: Store, name: str = "by hand") -> None:
        self._store, self.name = store, name
        self.slot: Slot | None = None

    async def take(self, job_id: str, want: int = 1) -> list[Claimed]:
        """Claims items of a job; none if there is no work."""
        if self.slot is None:
            self.slot = await asyncio.to_thread(self._store.open_slot, self.name, job_id=job_id)
            if self.slot is None:
                return []
        return await asyncio.to_thread(self._store.claim, self.slot, want)

    async def put(self, outcomes: Sequence[Done | Broke], *lines: LogLine) -> None:
        """Stores outcomes of items."""
        assert self.slot is not None
        await asyncio.to_thread(self._store.checkpoint, self.slot, outcomes, lines)

    async def leave(self) -> None:
        """Closes the slot of the job."""
        slot, self.slot = self.slot, None
        if slot is not None:
            await asyncio.to_thread(self._store.close_slot, slot)

    async def work(self, job_id: str, make: Callable[[Claimed], Done | Broke] | None = None) -> int:
        """Does every ready item, one after the other, and leaves; returns the number of phases."""
        count = 0
        while claimed := await self.take(job_id):
            await self.put([(make or done)(one) for one in claimed])
            count += len(claimed)
        await self.leave()
        return count


def done(one: Claimed, **fields: Any) -> Done:
    """Returns the outcome of a successful item."""
    return Done(**{"index": one.index, "phase": one.phase, "output": f"did {one.input}", **fields})


def broke(one: Claimed) -> Broke:
    """Returns the outcome of an item that failed finally."""
    return Broke(index=one.index, phase=one.phase, error="it cannot be done", final=True)


async def refused(call: Any) -> tuple[grpc.StatusCode, status_pb2.Status]:
    """Returns the status of a call that must fail."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), status_of(error)
    raise AssertionError("the call went well")


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The details of an error."""
    data = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    return status_pb2.Status.FromString(data)


def unpacked(status: status_pb2.Status, kind: type[M]) -> Iterator[M]:
    """The details of one kind."""
    for detail in status.details:
        found = kind()
        if detail.Unpack(found):
            yield found


def fields_of(status: status_pb2.Status) -> list[str]:
    """Returns the fields that an error names."""
    return [one.field for bad in unpacked(status, error_details_pb2.BadRequest) for one in bad.field_violations]


def facts_of(status: status_pb2.Status) -> dict[str, str]:
    """Returns the reason of an error's ErrorInfo."""
    (info,) = unpacked(status, error_details_pb2.ErrorInfo)
    return {"reason": info.reason, **info.metadata}


def rest_fields(answer: httpx2.Response) -> list[str]:
    """Returns the fields that a REST error names."""
    details = answer.json()["error"]["details"]
    return [one.get("field", "") for detail in details for one in detail.get("fieldViolations", ())]


async def until_ended(served: Served, job_id: str) -> pb.Job:
    """Returns a job once it has ended, from the progress stream."""
    async with asyncio.timeout(PATIENCE):
        async for _ in served.stub.StreamProgress(pb.StreamProgressRequest(job_id=job_id)):
            pass
    job: pb.Job = await served.stub.GetJob(pb.GetJobRequest(job_id=job_id))
    assert pb.JobStatus.Name(job.status).removeprefix("JOB_STATUS_") in {state.value for state in JobState}
    return job
