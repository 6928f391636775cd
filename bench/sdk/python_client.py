"""Calls the server in one way: `python -m bench.sdk.python_client WAY HTTP GRPC WORK COUNT`.

WORK is `unary`, `stream` or `upload`; COUNT says how many calls, messages or bytes. It prints seconds, CPU seconds and
the peak memory in MiB as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

WARM_CALLS = 300
_JOB = "nightly"
_PIECE = 1024 * 1024


def pieces(size: int) -> Iterator[bytes]:
    """Yields so many bytes, a MiB at a time."""
    piece = bytes(_PIECE)
    for _ in range(size // _PIECE):
        yield piece


class Httpx:
    """Bare httpx2, with the JSON of the answer parsed."""

    def __init__(self, http: str, grpc: str) -> None:
        import httpx2

        self.client = httpx2.Client(base_url=http, timeout=None)

    def unary(self) -> object:
        response = self.client.get(f"/v1/jobs/{_JOB}")
        response.raise_for_status()
        return response.json()

    def stream(self, count: int) -> int:
        target, accept = f"/v1/jobs/{count}/progress:stream", {"accept": "application/x-ndjson"}
        with self.client.stream("GET", target, headers=accept) as response:
            return sum(1 for line in response.iter_lines() if json.loads(line))

    def upload(self, size: int) -> int:
        head = {"content-type": "application/octet-stream", "content-length": str(size)}
        answer = self.client.post("/v1/blobs", content=pieces(size), headers=head)
        return int(answer.json()["size"])

    def close(self) -> None:
        self.client.close()


class Grpc:
    """Bare grpcio, with generated stubs."""

    def __init__(self, http: str, grpc: str) -> None:
        from artificer.batch.v1 import batch_service_pb2, batch_service_pb2_grpc

        self.pb: Any = batch_service_pb2
        self.channel = self._channel(grpc)
        self.batch = batch_service_pb2_grpc.BatchServiceStub(self.channel)

    def _channel(self, target: str) -> Any:
        import grpc

        return grpc.insecure_channel(target)

    def unary(self) -> object:
        return self.batch.GetJob(self.pb.GetJobRequest(job_id=_JOB), timeout=60)

    def stream(self, count: int) -> int:
        return sum(1 for _ in self.batch.StreamProgress(self.pb.StreamProgressRequest(job_id=str(count))))

    def upload(self, size: int) -> int:
        from google.api import httpbody_pb2

        parts = (self.pb.UploadBlobRequest(content=httpbody_pb2.HttpBody(data=one)) for one in pieces(size))
        return int(self.batch.UploadBlob(parts, timeout=600).size)

    def close(self) -> None:
        self.channel.close()


class Channel(Grpc):
    """Generated stubs on a channel of artificer.grpc."""

    def _channel(self, target: str) -> Any:
        from artificer.grpc import Channel

        return Channel(target)


class Sdk:
    """The SDK."""

    transport: Any = "rest"

    def __init__(self, http: str, grpc: str) -> None:
        from artificer import Artificer

        self.client = Artificer(base_url=http, target=grpc, transport=self.transport)

    def unary(self) -> object:
        return self.client.batch.get(_JOB)

    def stream(self, count: int) -> int:
        with self.client.batch.progress.stream(str(count)) as stream:
            return sum(1 for _ in stream)

    def upload(self, size: int) -> int:
        return self.client.batch.blobs.upload(pieces(size), timeout=600).size or 0

    def close(self) -> None:
        self.client.close()


class SdkGrpc(Sdk):
    """The SDK over gRPC."""

    transport = "grpc"


class AioHttpx:
    """Bare httpx2 with asyncio."""

    def __init__(self, http: str, grpc: str) -> None:
        import httpx2

        self.client = httpx2.AsyncClient(base_url=http, timeout=None)

    async def unary(self) -> object:
        response = await self.client.get(f"/v1/jobs/{_JOB}")
        response.raise_for_status()
        return response.json()

    async def stream(self, count: int) -> int:
        target, accept = f"/v1/jobs/{count}/progress:stream", {"accept": "application/x-ndjson"}
        async with self.client.stream("GET", target, headers=accept) as response:
            return len([1 async for line in response.aiter_lines() if json.loads(line)])

    async def close(self) -> None:
        await self.client.aclose()


class AioGrpc:
    """Bare grpc.aio."""

    def __init__(self, http: str, grpc: str) -> None:
        from artificer.batch.v1 import batch_service_pb2, batch_service_pb2_grpc

        self.pb: Any = batch_service_pb2
        self.channel = self._channel(grpc)
        self.batch: Any = batch_service_pb2_grpc.BatchServiceStub(self.channel)

    def _channel(self, target: str) -> Any:
        import grpc.aio

        return grpc.aio.insecure_channel(target)

    async def unary(self) -> object:
        return await self.batch.GetJob(self.pb.GetJobRequest(job_id=_JOB), timeout=60)

    async def stream(self, count: int) -> int:
        return len([1 async for _ in self.batch.StreamProgress(self.pb.StreamProgressRequest(job_id=str(count)))])

    async def close(self) -> None:
        await self.channel.close()


class AioChannel(AioGrpc):
    """Generated stubs on an asyncio channel of artificer.grpc."""

    def _channel(self, target: str) -> Any:
        from artificer.grpc import AsyncChannel

        return AsyncChannel(target)


class AioSdk:
    """The SDK with asyncio."""

    transport: Any = "rest"

    def __init__(self, http: str, grpc: str) -> None:
        from artificer import AsyncArtificer

        self.client = AsyncArtificer(base_url=http, target=grpc, transport=self.transport)

    async def unary(self) -> object:
        return await self.client.batch.get(_JOB)

    async def stream(self, count: int) -> int:
        async with self.client.batch.progress.stream(str(count)) as stream:
            return len([1 async for _ in stream])

    async def close(self) -> None:
        await self.client.aclose()


class AioSdkGrpc(AioSdk):
    """The SDK with asyncio over gRPC."""

    transport = "grpc"


WAYS: dict[str, Any] = {
    "httpx2": Httpx,
    "sdk-rest": Sdk,
    "grpcio": Grpc,
    "channel": Channel,
    "sdk-grpc": SdkGrpc,
    "httpx2-async": AioHttpx,
    "sdk-rest-async": AioSdk,
    "grpcio-async": AioGrpc,
    "channel-async": AioChannel,
    "sdk-grpc-async": AioSdkGrpc,
}


def _report(began: tuple[float, float]) -> None:
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": wall, "cpu": cpu, "peak": peak}))


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _blocking(way: Any, work: str, count: int) -> None:
    for _ in range(WARM_CALLS if work == "unary" else 1):
        way.unary()
    began = _now()
    if work == "unary":
        for _ in range(count):
            way.unary()
    else:
        done = getattr(way, work)(count)
        assert done == count, done
    _report(began)
    way.close()


async def _awaited(make: Callable[[], Any], work: str, count: int) -> None:
    way = make()
    call: Callable[[], Awaitable[object]] = way.unary
    for _ in range(WARM_CALLS if work == "unary" else 1):
        await call()
    began = _now()
    if work == "unary":
        for _ in range(count):
            await call()
    else:
        done = await getattr(way, work)(count)
        assert done == count, done
    _report(began)
    await way.close()


def main() -> None:
    name, http, grpc, work, count = sys.argv[1:]
    if name.endswith("-async"):
        asyncio.run(_awaited(lambda: WAYS[name](http, grpc), work, int(count)))
    else:
        _blocking(WAYS[name](http, grpc), work, int(count))


if __name__ == "__main__":
    main()
