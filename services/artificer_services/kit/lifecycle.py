"""The interface of every service to the process that runs it: register, start, report readiness, stop.

Knows no service and no gateway; `composition` puts several services behind one.
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

from diptych import ServiceCheck
from diptych.settings.errors import Fault, SettingError

from .settings import InvalidSetting


class Service(ABC):
    """A servicer and everything behind it. Runs and opens nothing before `start`."""

    name: ClassVar[str]
    """The name in /readyz and in settings, such as `chat`."""
    grpc_name: ClassVar[str]
    """The full name of the proto's service, such as `artificer.chat.v1.MessageService`; the first one of several."""
    local: ClassVar[bool] = False
    """Whether `ready` depends on this process alone and on no store: then the process is not ready without it."""

    @property
    def grpc_names(self) -> tuple[str, ...]:
        """The full names of all its proto services, whose health is its readiness."""
        return (self.grpc_name,)

    @abstractmethod
    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a gateway or to a grpc.aio server."""

    @abstractmethod
    async def start(self) -> None:
        """Start the service. Raises if it cannot start; `stop` is called even then."""

    @abstractmethod
    async def stop(self) -> None:
        """Finish accepted work, then close everything."""

    @abstractmethod
    async def ready(self) -> bool:
        """Whether the service can serve calls now."""

    @property
    def checks(self) -> Mapping[str, ServiceCheck]:
        """The readiness checks by their names in /readyz: `ready` alone, unless proto services need several stores."""
        return {self.name: ServiceCheck(self.ready, self.grpc_names, local=self.local)}

    def begin_shutdown(self) -> None:
        """End live streams with UNAVAILABLE, since they would block a graceful stop; other calls continue."""
        return

    @property
    def stop_seconds(self) -> float:
        """The longest time that `stop` gives to work of unknown length, beyond what closing takes anyway."""
        return 0.0

    def add_page(self, app: FastAPI) -> None:
        """Serve the service's page, if it has one."""
        return

    @property
    def collectors(self) -> Sequence[Collector]:
        """The service's own metrics, as prometheus-client collectors."""
        return ()

    @property
    def body_limits(self) -> Mapping[str, int]:
        """The body limits, in bytes by method path, of methods that need more than the gateway's limit."""
        return {}

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Start the service on entry and stop it on exit, as a `Gateway` lifespan. Raises `SettingError`."""
        try:
            try:
                await self.start()
            except InvalidSetting as error:
                raise SettingError(Fault(f"services.{self.name}.{error.setting}", str(error))) from error
            yield
        finally:
            await asyncio.shield(self.stop())
