"""The image service as its clients meet it: real workers, and a gateway with both faces on free ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import grpc
import httpx2
import pytest_asyncio

from artificer.image.v1 import image_service_pb2_grpc as rpc
from artificer_services.image.build import ImageService, ImageSettings, build
from artificer_services.kit.composition import gateway_of
from diptych import Settings


class Faces(NamedTuple):
    """A running service and a client of each face."""

    service: ImageService
    stub: rpc.ImageServiceAsyncStub
    http: httpx2.AsyncClient
    grpc: str  # the address


@asynccontextmanager
async def serve(settings: ImageSettings) -> AsyncIterator[Faces]:
    service = build(settings)
    gateway = gateway_of(Settings(http_port=0, grpc_port=0), [service])
    async with (
        gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=60) as http,
    ):
        yield Faces(service, rpc.ImageServiceStub(channel), http, f"127.0.0.1:{gateway.grpc_port}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def faces() -> AsyncIterator[Faces]:
    """A service with small limits, shared by the tests that leave it as it was."""
    settings = ImageSettings(workers=1, max_pixels=2_000_000, max_frames=5, max_image_bytes=3_000_000)
    async with serve(settings) as running:
        yield running
