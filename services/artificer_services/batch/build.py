"""Makes the batch service from its settings: the servicer, the life of what is behind it, its readiness.

The only room that a composition root needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from fastapi import FastAPI

from artificer.batch.v1 import batch_service_pb2_grpc

from ..kit import storage
from ..kit.lifecycle import Service
from .api.metrics import BatchMetrics
from .api.servicer import BatchServicer
from .api.site import add_page
from .api.watch import Watch
from .jobs.errors import Unavailable
from .jobs.jobs import Jobs
from .jobs.retention import Retention
from .settings import MIB, BatchSettings
from .store import database
from .store.sql_store import SqlStore
from .tasks import registry
from .tasks.inputs import Documents
from .worker.engines.engine import Engine, NoEngine
from .worker.sweeper import Sweeper

# A job of a hundred thousand items with the paths of files has some 20 MiB as JSON.
_CREATE_BYTES = 64 * MIB


class BatchService(Service):
    """The servicer and everything behind it."""

    name = "batch"
    grpc_name = "artificer.batch.v1.BatchService"

    def __init__(self, settings: BatchSettings | None = None) -> None:
        """Raises ValueError for settings that cannot work, those of task types among them."""
        self.settings = settings = settings or BatchSettings()
        tasks = registry.load(settings)
        self._database = database.connect(settings, durable=True)
        self.store = SqlStore(self._database, settings.policy)
        self.engine = _engine(settings, self.store)
        self.jobs = Jobs(
            self.store,
            tasks,
            settings,
            document=Documents(settings.tasks).check,
            nudge=self.engine.nudge,
            changed=lambda job_id: self.watch.poke(job_id),
        )
        self.watch = Watch(self.jobs.find, settings.progress_seconds)
        self.servicer = BatchServicer(self.jobs, self.watch)
        self._sweeper = Sweeper(self.jobs, self.engine, settings.sweep_seconds)
        self._retention = Retention(self.jobs, settings.keep_days)
        self.metrics = BatchMetrics(self.jobs, settings.metrics_seconds, lambda: self.engine.staff)
        self._started = False

    @property
    def body_limits(self) -> Mapping[str, int]:
        """What a gateway has to take, in bytes, by method."""
        return {"/artificer.batch.v1.BatchService/CreateJob": _CREATE_BYTES}

    async def start(self) -> None:
        """Bring the database up to date and begin to work. Raises what the database raises where it cannot be used."""
        folder = None if self.settings.database_url else Path(self.settings.data_dir)
        await asyncio.to_thread(storage.prepare, self._database, database.MIGRATIONS, folder=folder)
        self._started = True
        await self.engine.start()
        self._sweeper.start()
        self._retention.start()
        self.metrics.start()

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server."""
        batch_service_pb2_grpc.add_BatchServiceServicer_to_server(self.servicer, server)

    @property
    def collectors(self) -> Sequence[BatchMetrics]:
        """Jobs and workers as metrics."""
        return [self.metrics]

    def begin_shutdown(self) -> None:
        """End the streams that watch jobs, which would keep a stop waiting."""
        self.watch.part()

    async def stop(self) -> None:
        """End what runs, then close everything. Jobs go on where they stopped when somebody starts again."""
        await asyncio.gather(self._sweeper.stop(), self._retention.stop(), self.metrics.stop())
        await self.watch.close()
        if self._started:
            await self.engine.stop()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self.jobs.close()
        for task in self.jobs.tasks.values():
            task.close()
        self.store.close()

    def add_page(self, app: FastAPI) -> None:
        """Serve the page at /jobs, where the settings want it."""
        if self.settings.page:
            add_page(app)

    async def ready(self) -> bool:
        """Whether jobs can be taken, and there is somebody to work on them."""
        if not self.engine.healthy:
            return False
        try:
            await self.jobs.ping()
        except Unavailable:
            return False
        return True


def _engine(settings: BatchSettings, store: SqlStore) -> Engine:
    # Imported where it is chosen: one machine needs no Celery.
    if settings.engine == "local":
        from .worker.engines.local import LocalEngine

        return LocalEngine(store, settings)
    if settings.engine == "celery":
        from .worker.engines.celery import CeleryEngine

        return CeleryEngine(settings, store.backlog)
    return NoEngine()


def build(settings: BatchSettings | None = None) -> BatchService:
    """Make the batch service. Raises ValueError for settings that cannot work."""
    return BatchService(settings)


__all__ = ["BatchService", "BatchSettings", "build"]
