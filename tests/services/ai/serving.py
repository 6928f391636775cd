"""The AI services behind a gateway with both faces on free ports, as their clients meet them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import httpx2

from artificer_services.ai.build import AiService, AiSettings
from artificer_services.kit.composition import gateway_of
from diptych import Settings


@dataclass(frozen=True, slots=True)
class Faces:
    """A running service and a client of each face."""

    service: AiService
    http: httpx2.AsyncClient
    channel: grpc.aio.Channel
    url: str
    """The address of OpenAI's form, as its client needs it."""
    target: str
    """The address of the gRPC port, for clients in other processes."""


@asynccontextmanager
async def serve(settings: AiSettings, gateway_settings: Settings | None = None, **more: Any) -> AsyncIterator[Faces]:
    """Serve the services by these settings until the end of the context; without a data_dir, in a new folder."""
    async with AsyncExitStack() as stack:
        if settings.data_dir == AiSettings().data_dir:
            settings = replace(settings, data_dir=stack.enter_context(TemporaryDirectory()))
        yield await stack.enter_async_context(_served(settings, gateway_settings, **more))


@asynccontextmanager
async def _served(settings: AiSettings, gateway_settings: Settings | None, **more: Any) -> AsyncIterator[Faces]:
    service = AiService(settings, **more)
    gateway = gateway_of(gateway_settings or Settings(http_port=0, grpc_port=0), [service])
    async with (
        gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=60) as http,
    ):
        url, target = f"http://127.0.0.1:{gateway.http_port}/v1", f"127.0.0.1:{gateway.grpc_port}"
        yield Faces(service, http, channel, url, target)
