"""The local engine: worker processes of the gateway, replaced when they end.

Owns their number and what happens when one ends. Their work is in `worker.__main__`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ...jobs.errors import Unavailable
from ...jobs.store import Store
from ...jobs.work import Backlog
from ...settings import BatchSettings
from .. import names
from ..heartbeat import STOP_SECONDS, STOPPED
from .process import Ended, WorkerProcess

_log = logging.getLogger(__name__)

_BACKOFF = (0.0, 0.5, 2.0, 5.0)  # seconds before each start after consecutive failures; the last one repeats
_START_SECONDS = 60.0  # a worker that is not ready by then counts as hung
_PINGS = 4  # unanswered pings, a quarter of a lease apart, after which a worker counts as dead
_ORDERLY = (0, STOPPED)  # the exit statuses of a worker that has stored what it had


class LocalEngine:
    """See `Engine`. `start` starts the workers, which wait for nudges."""

    def __init__(self, store: Store, settings: BatchSettings, reports: dict[str, Any] | None = None) -> None:
        """`reports` are the settings for the workers' reports of errors, see `kit.error_reports`."""
        self._store, self._settings = store, settings
        self._setup: dict[str, Any] = {
            "settings": asdict(settings),
            "reports": reports,
            "log_level": logging.getLogger().getEffectiveLevel(),
        }
        self._workers: dict[int, WorkerProcess] = {}
        self._supervisors: list[asyncio.Task[None]] = []

    @property
    def workers(self) -> tuple[WorkerProcess, ...]:
        """The workers that have started."""
        return tuple(self._workers.values())

    @property
    def healthy(self) -> bool:
        """See `Engine`."""
        return bool(self._workers)

    @property
    def staff(self) -> Mapping[str, int]:
        """See `Engine`."""
        ready = len(self._workers)
        return {"ready": ready, "missing": max(0, self._settings.worker_count - ready)}

    async def start(self) -> None:
        """See `Engine`."""
        if self._supervisors:
            raise RuntimeError("the engine has already been started")
        self._supervisors = [
            asyncio.create_task(self._supervise(place)) for place in range(self._settings.worker_count)
        ]

    async def stop(self) -> None:
        """See `Engine`."""
        supervisors, self._supervisors = self._supervisors, []
        for supervisor in supervisors:
            supervisor.cancel()
        await asyncio.gather(*supervisors, return_exceptions=True)
        leaving = self.workers
        self._workers.clear()
        await asyncio.gather(*map(self._stop_worker, leaving))

    def nudge(self, job_id: str) -> None:
        """See `Engine`."""
        for worker in self.workers:
            worker.nudge(job_id)

    def wanted(self, backlog: Sequence[Backlog]) -> None:
        """See `Engine`."""
        if backlog:
            self.nudge(backlog[0].job_id)

    def lost(self, workers: Iterable[str]) -> None:
        """See `Engine`."""
        lost = set(workers)
        for worker in self.workers:
            if worker.name in lost:
                _log.error("the lease of worker process %d expired; it is replaced", worker.pid)
                worker.kill()

    async def _supervise(self, place: int) -> None:
        """Keep one worker running in a place."""
        while True:
            worker = await self._start_worker()
            self._workers[place] = worker
            await asyncio.to_thread(self._expire_dead)
            worker.nudge("")
            await self._watch(worker)
            del self._workers[place]
            if worker.status:
                _log.warning("worker process %d ended with status %d and is replaced", worker.pid, worker.status)
            await self._expire(worker)

    async def _watch(self, worker: WorkerProcess) -> None:
        """Wait for a worker to end; kill it if it answers no ping for as long as a lease lasts.

        The sweep would find it too, but not if it was stopped in the middle of a transaction: then it holds the lock
        that the sweep needs.
        """
        while not worker.closed.is_set():
            try:
                # Not wait_for: Python 3.11's loses a cancellation that arrives as the worker ends, and a stop would
                # wait for ever for the worker that is started next.
                async with asyncio.timeout(self._settings.lease_seconds / _PINGS):
                    await worker.closed.wait()
            except TimeoutError:
                if worker.ping() >= _PINGS:
                    _log.error("worker process %d does not answer and is replaced", worker.pid)
                    worker.kill()

    async def _start_worker(self) -> WorkerProcess:
        failures = 0
        while True:
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            try:
                return await WorkerProcess.start(self._setup, _START_SECONDS)
            except (Ended, OSError) as error:  # OSError: out of processes or descriptors; TimeoutError is a subclass
                failures += 1
                _log.error("cannot start a worker process (attempt %d): %s", failures, str(error) or repr(error))

    async def _stop_worker(self, worker: WorkerProcess) -> None:
        worker.stop()
        try:
            async with asyncio.timeout(self._settings.stop_grace_seconds + STOP_SECONDS):
                await worker.closed.wait()
            orderly = worker.status in _ORDERLY
        except TimeoutError:
            worker.kill()
            await worker.closed.wait()
            orderly = True  # its item is not to blame: this stop has ended it
        await self._expire(worker, orderly=orderly)

    async def _expire(self, worker: WorkerProcess, *, orderly: bool = False) -> None:
        """Release the items of a dead worker at once and wake the others."""
        try:
            swept = await asyncio.to_thread(self._store.expire, worker.name, orderly=orderly)
        except Unavailable as error:
            _log.warning(
                "the items of worker process %d are released when its lease expires: %s", worker.pid, error.message
            )
            return
        for job_id in {one.job_id for one in swept}:
            self.nudge(job_id)

    def _expire_dead(self) -> None:
        """Release the items of workers that died with an earlier gateway.

        By the time a worker of this one is ready, the workers of a gateway ended by kill -9 are gone too.
        """
        try:
            for name in self._store.workers():
                if names.gone(name):
                    self._store.expire(name)
        except Unavailable as error:
            _log.warning("the items of dead workers are released when their leases expire: %s", error.message)
