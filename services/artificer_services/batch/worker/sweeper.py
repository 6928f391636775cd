"""What is looked at every few seconds: leases that are over, and work that nobody has.

All hints between processes may be lost, since this finds what they told. Every gateway does it; it is no matter which
one is first. Knows no task.
"""

from __future__ import annotations

import logging

from ..jobs.jobs import Jobs
from ..jobs.periodic import Chore
from .engines.engine import Engine

_log = logging.getLogger(__name__)


class Sweeper(Chore):
    """Takes back what was held too long, and tells workers of work that waits."""

    def __init__(self, jobs: Jobs, engine: Engine, seconds: float) -> None:
        super().__init__("sweep", seconds)
        self._jobs, self._engine = jobs, engine

    async def once(self) -> None:
        """Look. Raises Unavailable."""
        store = self._jobs.store
        swept = await self._jobs.run(store.sweep)
        for slot in swept:
            _log.warning("job %s: worker %s was not heard of in time, its items go to others", slot.job_id, slot.worker)
        if swept:
            self._engine.lost({slot.worker for slot in swept})
        backlog = await self._jobs.run(store.backlog)
        if backlog:
            self._engine.wanted(backlog)
