"""Removes jobs that ended long ago, and blobs that no job references.

Every gateway of a database runs it; they do not block each other. Owns the schedule; the store does the removal.
"""

from __future__ import annotations

from collections.abc import Callable

from ...kit.periodic import Periodic
from .jobs import Jobs

_PERIOD = 600.0  # seconds; what is kept for days may stay minutes longer
_DAY = 86_400.0


class Retention(Periodic):
    """Removes what is older than `days`; 0 disables it. `finished` is called after each complete run."""

    def __init__(self, jobs: Jobs, days: float, finished: Callable[[], None] = lambda: None) -> None:
        super().__init__("batch-retention", self.once, _PERIOD)
        self._jobs, self._keep, self._finished = jobs, days * _DAY, finished

    def start(self) -> None:
        """Start, unless disabled; the first run is immediate."""
        if self._keep:
            super().start()

    async def once(self) -> None:
        """Remove everything that is due, in small pieces, so that a stop never waits long. Raises Unavailable."""
        store = self._jobs.store
        while await self._jobs.run(store.purge, self._keep):
            pass
        seen: str | None = ""
        while seen is not None:
            seen = await self._jobs.run(store.purge_blobs, self._keep, seen)
        self._finished()
