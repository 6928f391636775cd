"""Clients that watch a job learn that the program stops, and the job continues after the restart."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from artificer.batch.v1 import batch_service_pb2 as pb
from artificer.batch.v1 import batch_service_pb2_grpc as rpc
from tests.e2e.conftest import serving


async def test_watchers_do_not_use_up_the_grace() -> None:
    with serving("--grace-seconds", "1000") as program:
        async with asyncio.timeout(60), grpc.aio.insecure_channel(program.grpc) as opened:
            stub: Any = rpc.BatchServiceStub(opened)
            phases = [pb.Phase(name="tidy", task_type="text.normalize")]
            job = await stub.CreateJob(pb.CreateJobRequest(name="waits", items=[pb.Item(input="x")], phases=phases))
            follow = pb.StreamResultsRequest(job_id=job.id, follow=True)
            streams = [
                stub.StreamProgress(pb.StreamProgressRequest(job_id=job.id)),
                stub.StreamLogs(pb.StreamLogsRequest(job_id=job.id)),
                stub.StreamResults(follow),
            ]
            attached = stub.Attach()
            await attached.write(pb.AttachRequest(job_id=job.id))
            assert (await attached.read()).HasField("progress")
            assert (await streams[0].read()).status == pb.JOB_STATUS_PENDING
            program.stop()
            codes = [await stream.code() for stream in (*streams, attached)]
            assert codes == [grpc.StatusCode.UNAVAILABLE] * 4
