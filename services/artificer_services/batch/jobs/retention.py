"""What is looked at now and then: jobs that ended long ago, and blobs that no job names.

Every gateway of a database does it; they do not get in one another's way. Owns when; what is removed is the store's.
"""

from __future__ import annotations

from .jobs import Jobs
from .periodic import Chore

_PERIOD = 600.0  # seconds between two looks: what is kept for days may stay for minutes more
_DAY = 86_400.0


class Retention(Chore):
    """Removes what is older than `days`; nothing at all where that is 0."""

    def __init__(self, jobs: Jobs, days: float) -> None:
        super().__init__("retention", _PERIOD)
        self._jobs, self._keep = jobs, days * _DAY

    def start(self) -> None:
        """Begin, with a first look at once."""
        if self._keep:
            super().start()

    async def once(self) -> None:
        """Look, and remove all there is: a piece at a time, so that a stop waits for none. Raises Unavailable."""
        store = self._jobs.store
        while await self._jobs.run(store.purge, self._keep):
            pass
        seen: str | None = ""
        while seen is not None:
            seen = await self._jobs.run(store.purge_blobs, self._keep, seen)
