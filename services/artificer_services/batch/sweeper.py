"""What is looked at every few seconds: leases that are over, and work that nobody has.

All hints between processes may be lost, since this finds what they told. Every gateway does it; it is no matter which
one is first. Knows no task.
"""

from __future__ import annotations

import asyncio
import logging

from .engines import Engine
from .errors import BatchError
from .jobs import Jobs

_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps each `seconds`, from `start` to `stop`."""

    def __init__(self, jobs: Jobs, engine: Engine, seconds: float) -> None:
        self._jobs, self._engine, self._seconds = jobs, engine, seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a first look at once."""
        self._task = asyncio.create_task(self._go_on(), name="batch-sweep")

    async def stop(self) -> None:
        """End; a look that has begun is not waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            try:
                await self.sweep()
            except BatchError as error:
                _log.warning("the sweep: %s", error.message)
            except Exception:  # the next one may do better, and without any no lease would ever end
                _log.exception("the sweep failed")
            await asyncio.sleep(self._seconds)

    async def sweep(self) -> None:
        """Look once. Raises Unavailable."""
        store = self._jobs.store
        swept = await self._jobs.run(store.sweep)
        for slot in swept:
            _log.warning("job %s: worker %s was not heard of in time, its items go to others", slot.job_id, slot.worker)
        if swept:
            self._engine.lost({slot.worker for slot in swept})
        backlog = await self._jobs.run(store.backlog)
        if backlog:
            self._engine.wanted(backlog)
