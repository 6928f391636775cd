"""What a user writes with both channels. The checkers of types read it; `test_types.py` runs them."""

from __future__ import annotations

from typing import assert_type

import grpc
import grpc.aio

from artificer.batch.v1 import batch_service_pb2, batch_service_pb2_grpc
from artificer.grpc import (
    AsyncChannel,
    Channel,
    ChannelOptions,
    Credentials,
    HealthStatus,
    HedgingPolicy,
    RetryPolicy,
    safe_methods,
)

OPTIONS = ChannelOptions(
    credentials=Credentials(token=lambda: "a-token", ca="ca.pem"),
    retry=RetryPolicy(attempts=4, methods=safe_methods(batch_service_pb2.DESCRIPTOR)),
    hedging=HedgingPolicy(delay=0.3),
    metadata=[("x-tenant", "blue")],
)


def blocking() -> grpc.Channel:
    """Calls a method of each kind that has one response or many."""
    with Channel("https://gateway.example", OPTIONS) as channel:
        channel.wait_until_serving(timeout=5)
        assert_type(channel.health.check(), HealthStatus)
        batch = batch_service_pb2_grpc.BatchServiceStub(channel)
        assert_type(batch.GetJob(batch_service_pb2.GetJobRequest(job_id="1")), batch_service_pb2.Job)
        for progress in batch.StreamProgress(batch_service_pb2.StreamProgressRequest(job_id="1")):
            assert_type(progress, batch_service_pb2.Progress)
    return channel


async def awaited() -> grpc.aio.Channel:
    """The same with asyncio."""
    async with AsyncChannel("gateway.example:443", OPTIONS) as channel:
        await channel.wait_until_serving("artificer.batch.v1.BatchService", timeout=5)
        async for status in channel.health.watch():
            assert_type(status, HealthStatus)
        batch = batch_service_pb2_grpc.BatchServiceStub(channel)
        assert_type(await batch.GetJob(batch_service_pb2.GetJobRequest(job_id="1")), batch_service_pb2.Job)
        async for progress in batch.StreamProgress(batch_service_pb2.StreamProgressRequest(job_id="1")):
            assert_type(progress, batch_service_pb2.Progress)
        await channel.close(grace=5)
    return channel
