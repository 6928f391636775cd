"""What is looked at now and then: jobs that ended long ago, and blobs that no job names.

Every gateway of a database does it; they do not get in one another's way. Owns when; what is removed is the store's.
"""

from __future__ import annotations

import asyncio
import logging

from .errors import BatchError
from .jobs import Jobs

_log = logging.getLogger(__name__)

_PERIOD = 600.0  # seconds between two looks: what is kept for days may stay for minutes more
_DAY = 86_400.0


class Retention:
    """Removes what is older than `days`, from `start` to `stop`; nothing at all where that is 0."""

    def __init__(self, jobs: Jobs, days: float) -> None:
        self._jobs, self._seconds = jobs, days * _DAY
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a first look at once."""
        if self._seconds:
            self._task = asyncio.create_task(self._go_on(), name="batch-retention")

    async def stop(self) -> None:
        """End; a piece that is being removed is not waited for, and the rest of its job goes on with the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            try:
                await self.clear()
            except BatchError as error:
                _log.warning("old jobs could not be removed: %s", error.message)
            except Exception:  # the next look may do better
                _log.exception("old jobs could not be removed")
            await asyncio.sleep(_PERIOD)

    async def clear(self) -> None:
        """Look once, and remove all there is. Raises Unavailable."""
        store = self._jobs.store
        while await self._jobs.run(store.purge, self._seconds):
            pass
        seen: str | None = ""
        while seen is not None:
            seen = await self._jobs.run(store.purge_blobs, self._seconds, seen)
