"""The engine of one machine: worker processes beside the gateway, replaced when they end.

Owns how many there are, and what happens when one ends. What they do is `worker`'s; what of their work is kept is the
store's.
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
from .process import Ended, WorkerProcess

_log = logging.getLogger(__name__)

_BACKOFF = (0.0, 0.5, 2.0, 5.0)  # seconds before the n-th start in a row that failed; the last one repeats
_START_SECONDS = 60.0  # a worker that is not ready by then has hung
_PINGS = 4  # so many without an answer, a quarter of a lease apart, and a worker counts as dead
_GRACE_SECONDS = 5.0  # that items in work get when the gateway stops


class LocalEngine:
    """See `Engine`. Workers are started by `start`, and wait for nudges."""

    def __init__(self, store: Store, settings: BatchSettings, *, grace: float = _GRACE_SECONDS) -> None:
        """`grace` is how many seconds items in work get when the engine stops."""
        self._store, self._settings, self._grace = store, settings, grace
        self._setup: dict[str, Any] = {
            "settings": asdict(settings),
            "log_level": logging.getLogger().getEffectiveLevel(),
        }
        self._workers: dict[int, WorkerProcess] = {}
        self._tenders: list[asyncio.Task[None]] = []

    @property
    def workers(self) -> tuple[WorkerProcess, ...]:
        """The workers that are ready or at work."""
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
        if self._tenders:
            raise RuntimeError("the engine is started already")
        self._tenders = [asyncio.create_task(self._tend(place)) for place in range(self._settings.worker_count)]

    async def stop(self) -> None:
        """See `Engine`."""
        tenders, self._tenders = self._tenders, []
        for tender in tenders:
            tender.cancel()
        await asyncio.gather(*tenders, return_exceptions=True)
        leaving = self.workers
        self._workers.clear()
        await asyncio.gather(*map(self._dismiss, leaving))

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
                _log.error("worker process %d was not heard of for too long and is replaced", worker.pid)
                worker.kill()

    async def _tend(self, place: int) -> None:
        """Keep one place filled with a worker."""
        while True:
            worker = await self._hire()
            self._workers[place] = worker
            await asyncio.to_thread(self._bury)
            worker.nudge("")
            await self._watch(worker)
            del self._workers[place]
            if worker.status:
                _log.warning("worker process %d ended with status %d and is replaced", worker.pid, worker.status)
            await self._expire(worker)

    async def _watch(self, worker: WorkerProcess) -> None:
        """Wait for the end of a worker, and bring it about where it gives no sign of life for as long as a lease lasts.

        The sweeper would find it too, but not where it was stopped in the middle of a transaction, since then it holds
        the lock that the sweeper needs.
        """
        while not worker.closed.is_set():
            try:
                # Not wait_for: Python 3.11's drops a cancellation that comes as the worker ends, and a stop would wait
                # for ever for whom this hires next.
                async with asyncio.timeout(self._settings.lease_seconds / _PINGS):
                    await worker.closed.wait()
            except TimeoutError:
                if worker.ping() >= _PINGS:
                    _log.error("worker process %d gives no sign of life and is replaced", worker.pid)
                    worker.kill()

    async def _hire(self) -> WorkerProcess:
        failures = 0
        while True:
            await asyncio.sleep(_BACKOFF[min(failures, len(_BACKOFF) - 1)])
            try:
                return await WorkerProcess.start(self._setup, _START_SECONDS)
            except (Ended, OSError) as error:  # OSError: no more processes or descriptors; TimeoutError is one
                failures += 1
                _log.error(
                    "a worker process could not be started (attempt %d): %s", failures, str(error) or repr(error)
                )

    async def _dismiss(self, worker: WorkerProcess) -> None:
        worker.stop()
        try:
            async with asyncio.timeout(self._grace):
                await worker.closed.wait()
        except TimeoutError:
            worker.kill()
            await worker.closed.wait()
        await self._expire(worker)

    async def _expire(self, worker: WorkerProcess) -> None:
        """Give back at once what a dead worker had, and let the others have it."""
        try:
            swept = await asyncio.to_thread(self._store.expire, worker.name)
        except Unavailable as error:
            _log.warning("what worker process %d had comes back when its lease is over: %s", worker.pid, error.message)
            return
        for job_id in {one.job_id for one in swept}:
            self.nudge(job_id)

    def _bury(self) -> None:
        """Give back what workers had that were killed with a gateway, such as the one before this one.

        By the time that a worker is ready, those that a kill -9 of their gateway has ended are gone too.
        """
        try:
            for name in self._store.workers():
                if names.gone(name):
                    self._store.expire(name)
        except Unavailable as error:
            _log.warning("what dead workers had comes back when their leases are over: %s", error.message)
