"""What an engine is: who brings workers to the jobs that want them.

An engine carries hints and nothing else: which work there is, and who may have it, is the store's to say. A hint that
is lost costs seconds, since the sweeper gives it again. Knows no store and no task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ...jobs.work import Backlog


class Engine(Protocol):
    """Brings workers to work. Used on the event loop, which none of its methods blocks."""

    @property
    def healthy(self) -> bool:
        """Whether there are workers, or somebody to ask for them."""

    @property
    def staff(self) -> Mapping[str, int]:
        """How many workers of its own are `ready` and how many are `missing`; empty for an engine that has none."""

    async def start(self) -> None:
        """Make ready. Work that was left by a crash is taken up at once."""

    async def stop(self) -> None:
        """Let items in work end for a few seconds, then leave the rest to whoever comes next. Nothing is lost."""

    def nudge(self, job_id: str) -> None:
        """A job was started, resumed, or given work."""

    def wanted(self, backlog: Sequence[Backlog]) -> None:
        """Work was found that nobody has; asked again and again for as long as that is so."""

    def lost(self, workers: Iterable[str]) -> None:
        """The leases of these workers were over: those that live are no good."""


class NoEngine:
    """Works on nothing: for a process that only takes and tells of jobs."""

    @property
    def healthy(self) -> bool:
        """See `Engine`."""
        return True

    @property
    def staff(self) -> Mapping[str, int]:
        """See `Engine`."""
        return {}

    async def start(self) -> None:
        """See `Engine`."""

    async def stop(self) -> None:
        """See `Engine`."""

    def nudge(self, job_id: str) -> None:
        """See `Engine`."""

    def wanted(self, backlog: Sequence[Backlog]) -> None:
        """See `Engine`."""

    def lost(self, workers: Iterable[str]) -> None:
        """See `Engine`."""


__all__ = ["Engine", "NoEngine"]
