"""The sweep, every few seconds: ends expired leases and reports unclaimed work to the engine.

Hints between processes may be lost, because the sweep finds the same work again. Every gateway runs it; the order does
not matter. Knows no task.
"""

from __future__ import annotations

import logging

from ...kit.periodic import Periodic
from ..jobs.jobs import Jobs
from .engines.engine import Engine

_log = logging.getLogger(__name__)


class Sweeper(Periodic):
    """Ends the slots whose lease has expired, and calls workers to unclaimed work."""

    def __init__(self, jobs: Jobs, engine: Engine, seconds: float) -> None:
        super().__init__("batch-sweep", self.once, seconds)
        self._jobs, self._engine = jobs, engine

    async def once(self) -> None:
        """Run one sweep. Raises Unavailable."""
        store = self._jobs.store
        swept = await self._jobs.run(store.sweep)
        for slot in swept:
            _log.warning("job %s: the lease of worker %s expired; its items go to others", slot.job_id, slot.worker)
        if swept:
            self._engine.lost({slot.worker for slot in swept})
        backlog = await self._jobs.run(store.backlog)
        if backlog:
            self._engine.wanted(backlog)
