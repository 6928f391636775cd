"""Starts and stops a gateway: what it serves, the user's lifespan, the ports, and the two-stage stop.

It knows no registration and no request.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
from fastapi import FastAPI

from ..auth import Auth
from ..call.run import CLEAN_UP_SECONDS
from ..http_server import Faces, LifespanTask
from ..limits import Limiting
from ..readiness import Readiness
from ..rpc_server import check
from ..settings import Settings
from ..telemetry.setup import Telemetry
from ..tls import CertificateReloader
from .listeners import Listeners, SharedSockets
from .served import Served

__all__ = ["Lifecycle"]

logger = logging.getLogger("diptych")


class Lifecycle:
    """The start and the stop of one gateway.

    `make` resolves what is served, once. `lifespan` creates the user's context manager. `on_stop` callbacks run when a
    stop begins to wait for running calls.
    """

    def __init__(
        self,
        settings: Settings,
        make: Callable[[], Served],
        lifespan: Callable[[], AbstractAsyncContextManager[Any]] | None,
        on_stop: Sequence[Callable[[], None]],
        *,
        auth: Auth,
        limits: Limiting,
        readiness: Readiness,
        telemetry: Telemetry,
    ) -> None:
        self._settings, self._make, self._lifespan = settings, make, lifespan
        self._auth, self._limits, self._readiness, self._telemetry = auth, limits, readiness, telemetry
        self.on_stop = tuple(on_stop)
        self.served: Served | None = None
        """What is served; None until it is built."""
        self.shared: SharedSockets | None = None
        """Sockets to accept on instead of binding the ports."""
        self._entering = asyncio.Lock()
        self._entered = self._serving = self._handed_over = False
        self._lifespan_task: LifespanTask | None = None
        self._state: Mapping[str, Any] = {}
        self.listeners: Listeners | None = None
        """The bound ports; None before the start."""
        self._stopped: asyncio.Event | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether calls are accepted, here or by the process that has taken over."""
        return self._serving or self._handed_over

    # Before the first call and after the last, with ports or without.

    def build(self) -> Served:
        """Resolves everything a request needs, once. Raises `RuleError` for an annotation that cannot be served."""
        if self.served is None:
            self.served = self._make()
        return self.served

    async def enter(self) -> Faces:
        """Enters the lifespan unless it is entered already: a listener, ASGI's lifespan or a request comes first."""
        async with self._entering:
            served = self.build()
            if not self._entered:
                self._telemetry.start()
                if self._lifespan is not None:
                    task = LifespanTask(self._lifespan())
                    self._state = await task.enter()
                    self._lifespan_task = task
                self._entered = self._serving = True
                if served.blocking is not None:
                    served.blocking.start()
                await served.standard.begin()
            return served.faces

    async def _leave(self) -> None:
        async with self._entering:
            if self._entered:
                self._entered = self._serving = False
                await self.build().faces.session.calls.stragglers.wait(CLEAN_UP_SECONDS)
                await self._readiness.stop()
                if self._lifespan_task is not None:
                    await self._lifespan_task.leave()
                await self._telemetry.stop()
                await self._auth.close()
                await self._limits.close()
            if self.served is not None:
                if self.served.blocking is not None:
                    self.served.blocking.stop()
                self.served.threads.shutdown(wait=False, cancel_futures=True)

    @contextlib.asynccontextmanager
    async def asgi(self, _: Any) -> AsyncIterator[Any]:
        """The lifespan of the ASGI application."""
        await self.enter()
        try:
            yield self._state or None
        finally:
            await self._leave()

    # Starting.

    async def start(self, app: FastAPI, generic: Iterable[grpc.GenericRpcHandler]) -> None:
        """Binds the ports and serves. Raises as `Gateway.start`."""
        if self.listeners is not None:
            raise RuntimeError("the gateway is already started")
        check(self._settings)
        self._auth.check_reachable()
        tls = CertificateReloader(self._settings) if self._settings.tls else None
        faces = await self.enter()
        if self.shared is not None:  # the other workers serve meanwhile
            await self._readiness.settle()
        listeners = Listeners(app, faces, generic, self._settings, tls, self.shared)
        try:
            await listeners.start(self._state)
        except BaseException:
            await self._leave()
            raise
        self._stopped, self.listeners = asyncio.Event(), listeners
        self._telemetry.runtime.connections = listeners.connections
        rpc = None if self._settings.single_port else listeners.grpc_address
        self._telemetry.listening(http=listeners.http_address, rpc=rpc)

    # Stopping.

    async def stop(self, grace: float | None) -> None:
        """Stops in two stages; a second call waits for the first."""
        self._serving = False
        if self._stopping is None:
            seconds = self._settings.grace_seconds if grace is None else grace
            self._stopping = asyncio.ensure_future(self._stop(seconds))
        await asyncio.shield(self._stopping)

    async def hand_over(self) -> None:
        """Stops without drain, since another process serves the same ports; readiness stays true."""
        self._handed_over = True
        await self.stop(None)

    async def _stop(self, grace: float) -> None:
        listeners = self.listeners
        if listeners is not None:
            await listeners.stop_reloading()
            await self.build().standard.shutdown()
            if self._settings.drain_seconds and not self._handed_over:
                await self._drain()
            self._notify_services()
            await listeners.stop(grace)
        await self._leave()
        if self._stopped is not None:
            self._stopped.set()

    async def _drain(self) -> None:
        """Keeps accepting while load balancers notice that readiness is false."""
        await asyncio.sleep(self._settings.drain_seconds)

    def _notify_services(self) -> None:
        for callback in self.on_stop:
            try:
                callback()
            except Exception:
                logger.exception("a service failed to end its streams; the stop continues")

    async def wait(self, timeout: float | None) -> bool:  # noqa: ASYNC109, as grpc.aio.Server's
        """Waits for the stop, at most `timeout` seconds; returns whether the gateway still runs."""
        if self._stopped is None:
            raise RuntimeError("the gateway is not started")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._stopped.wait()
        return not self._stopped.is_set()
