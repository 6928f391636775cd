"""A gateway with a batch service that answers at once: `diptych serve bench.sdk.server:create`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as pb_grpc
from diptych import Gateway, Settings

MESSAGES = 100_000
"""How many messages a stream has if the job's id is not a number."""

_PROGRESS = pb.Progress(completed_items=5_000, total_items=10_000, current_phase="ocr", progress_percentage=50.0)
_JOB = pb.Job(
    id="nightly",
    name="Scans of the day",
    status=pb.JOB_STATUS_RUNNING,
    total_items=10_000,
    completed_items=5_000,
    current_phase="ocr",
)
Context = grpc.aio.ServicerContext[Any, Any]


class Batch(pb_grpc.BatchServiceServicer):
    """Answers with the same messages each time."""

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.Job:
        return _JOB

    async def StreamProgress(self, request: pb.StreamProgressRequest, context: Context) -> AsyncIterator[pb.Progress]:
        for _ in range(int(request.job_id) if request.job_id.isdigit() else MESSAGES):
            yield _PROGRESS

    async def UploadBlob(self, request_iterator: Any, context: Context) -> pb.Blob:
        size = 0
        async for part in request_iterator:
            size += len(part.content.data)
        return pb.Blob(id="blob", size=size)


def create(settings: Settings) -> Gateway:
    """Returns the gateway."""
    gateway = Gateway(settings)
    pb_grpc.add_BatchServiceServicer_to_server(Batch(), gateway)  # type: ignore[abstract]  # it has what is measured
    return gateway
