"""What every service is to the process that runs it: registered, started, asked whether it is ready, stopped.

Knows no service and no gateway; `composition` puts several behind one.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import grpc
from fastapi import FastAPI
from prometheus_client.registry import Collector


class Service(ABC):
    """A servicer and everything behind it. Making one is cheap: nothing runs, and nothing is opened, before `start`."""

    name: ClassVar[str]
    """The name in /readyz and in settings, such as `chat`."""
    grpc_name: ClassVar[str]
    """The full name of the proto's service, such as `artificer.chat.v1.MessageService`."""

    @abstractmethod
    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a gateway or to a grpc.aio server."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to work. Raises where the service cannot; `stop` is called even then."""

    @abstractmethod
    async def stop(self) -> None:
        """Finish what was accepted, then close everything."""

    @abstractmethod
    async def ready(self) -> bool:
        """Whether calls can be served now."""

    def begin_shutdown(self) -> None:
        """End live streams with UNAVAILABLE, since they would keep a stop waiting; other calls go on."""
        return

    def add_page(self, app: FastAPI) -> None:
        """Serve the service's page, where it has one."""
        return

    @property
    def collectors(self) -> Sequence[Collector]:
        """Metrics of the service's own, for prometheus-client."""
        return ()

    @property
    def body_limits(self) -> Mapping[str, int]:
        """The request sizes in bytes that methods need above the gateway's limit, by path."""
        return {}

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """The service's life as an async context manager, as `Gateway` takes it."""
        try:
            await self.start()
            yield
        finally:
            await asyncio.shield(self.stop())
