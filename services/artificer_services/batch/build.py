"""Builds the batch service from its settings: the servicer, its lifecycle and its readiness.

The only module that a composition root needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from artificer.batch.v1 import batch_service_pb2_grpc

from ..kit import storage
from ..kit.error_reports import handed_over
from ..kit.lifecycle import Service
from ..kit.opening import Opening
from ..kit.settings import MIB
from ..kit.storage.state import State, StoreMetrics, state_of
from .api.metrics import BatchMetrics
from .api.servicer import BatchServicer
from .api.site import add_page
from .api.watch import JobWatch
from .jobs.errors import Unavailable
from .jobs.jobs import Jobs
from .jobs.retention import Retention
from .settings import BatchSettings
from .store import database
from .store.sql_store import SqlStore
from .tasks import registry
from .tasks.inputs import Documents
from .worker.engines.engine import Engine, NoEngine
from .worker.heartbeat import STOP_SECONDS
from .worker.sweeper import Sweeper

if TYPE_CHECKING:
    from diptych.settings.telemetry import TelemetrySettings

# A job of 100,000 items that are paths of files is some 20 MiB of JSON.
_CREATE_BYTES = 64 * MIB


class BatchService(Service):
    """The servicer and everything behind it. Opens and runs nothing before `start`."""

    name = "batch"
    grpc_name = "artificer.batch.v1.BatchService"

    def __init__(self, settings: BatchSettings | None = None, telemetry: TelemetrySettings | None = None) -> None:
        """Raises ValueError for invalid settings, including those of task types.

        `telemetry` says where the workers' unexpected errors are reported; None: nowhere.
        """
        self.settings = settings = settings or BatchSettings()
        tasks = registry.load(settings)
        self._database = database.connect(settings, durable=True)
        self.store = SqlStore(self._database, settings.policy)
        self.engine = _engine(settings, self.store, handed_over(telemetry))
        self.jobs = Jobs(
            self.store,
            tasks,
            settings,
            document=Documents(settings.tasks).check,
            nudge=self.engine.nudge,
            changed=lambda job_id: self.watch.poke(job_id),
            check_open=lambda: self._opening.check(),
        )
        self.watch = JobWatch(self.jobs.find, settings.progress_seconds)
        self.servicer = BatchServicer(self.jobs, self.watch)
        self._sweeper = Sweeper(self.jobs, self.engine, settings.sweep_seconds)
        self.metrics = BatchMetrics(self.jobs, settings.metrics_seconds, lambda: self.engine.staff)
        self._store_metrics = StoreMetrics(self.name, lambda: self.jobs.run(self._state))
        self._retention = Retention(self.jobs, settings.keep_days, self._store_metrics.retained)
        self._opening = Opening("the job store", self._open, refusal=Unavailable)
        self._started = False

    @property
    def body_limits(self) -> Mapping[str, int]:
        """The body limits that the gateway must allow, in bytes, by method."""
        return {"/artificer.batch.v1.BatchService/CreateJob": _CREATE_BYTES}

    async def start(self) -> None:
        """Migrate the database and start the engine; a server that is down is tried again in the background.

        Raises the database's error if it is unusable.
        """
        if self.settings.keep_days:
            self._store_metrics.retaining()
        await self._opening.start()

    async def _open(self) -> None:
        url = self.settings.database_url
        folder = None if url else Path(self.settings.data_dir)
        try:
            await asyncio.to_thread(storage.prepare, self._database, database.MIGRATIONS, folder=folder)
        except (OperationalError, PoolTimeout) as error:
            if not url:  # a file that cannot be opened is an error of the settings
                raise
            raise Unavailable("the job store cannot be reached") from error
        self._started = True
        await self.engine.start()
        self._sweeper.start()
        self._retention.start()
        self.metrics.start()
        self._store_metrics.start()

    def _state(self) -> State:
        try:
            with self._database.connect() as connection:
                return state_of(connection)
        except (OperationalError, PoolTimeout) as error:
            raise Unavailable("the job store cannot be reached") from error

    @property
    def stop_seconds(self) -> float:
        """The time that local workers get for their items and to end."""
        return self.settings.stop_grace_seconds + STOP_SECONDS if self.settings.engine == "local" else 0.0

    def register(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server."""
        batch_service_pb2_grpc.add_BatchServiceServicer_to_server(self.servicer, server)

    @property
    def collectors(self) -> Sequence[BatchMetrics | StoreMetrics]:
        """The metrics of jobs, workers and the database."""
        return [self.metrics, self._store_metrics]

    def begin_shutdown(self) -> None:
        """End the streams of watchers with UNAVAILABLE: they would delay the stop."""
        self.watch.begin_shutdown()

    async def stop(self) -> None:
        """Stop the engine and close everything. Jobs resume at the next start."""
        await self._opening.stop()
        periodic = (self._sweeper, self._retention, self.metrics, self._store_metrics)
        await asyncio.gather(*(one.stop() for one in periodic))
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
        """Serve the page at /jobs, unless the settings disable it."""
        if self.settings.page:
            add_page(app)

    async def ready(self) -> bool:
        """Whether the store answers and the engine has workers."""
        if not self.engine.healthy:
            return False
        try:
            await self.jobs.ping()
        except Unavailable:
            return False
        return True


def _engine(settings: BatchSettings, store: SqlStore, reports: dict[str, Any] | None) -> Engine:
    # Imported on use: a local engine needs no Celery.
    if settings.engine == "local":
        from .worker.engines.local import LocalEngine

        return LocalEngine(store, settings, reports)
    if settings.engine == "celery":
        from .worker.engines.celery import CeleryEngine

        return CeleryEngine(settings, store.backlog)
    return NoEngine()


def build(settings: BatchSettings | None = None) -> BatchService:
    """Build the batch service. Raises ValueError for invalid settings."""
    return BatchService(settings)


__all__ = ["BatchService", "BatchSettings", "build"]
