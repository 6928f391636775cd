"""The protocol of an engine, which wakes workers when jobs have work.

An engine carries hints only: the store decides what a worker gets. A lost hint costs seconds, because the sweep repeats
it. Knows no store and no task.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ...jobs.work import Backlog


class Engine(Protocol):
    """Wakes workers. Used on the event loop; no method blocks."""

    @property
    def healthy(self) -> bool:
        """Whether there are workers, or a broker to reach them."""

    @property
    def staff(self) -> Mapping[str, int]:
        """The number of own workers that are `ready` and `missing`; empty for an engine without own workers."""

    async def start(self) -> None:
        """Start. Work left behind by a crash is resumed at once."""

    async def stop(self) -> None:
        """Give running items `stop_grace_seconds`, then release the rest.

        Nothing is lost, and no attempt is used up.
        """

    def nudge(self, job_id: str) -> None:
        """Wake workers for a job that was started or resumed."""

    def wanted(self, backlog: Sequence[Backlog]) -> None:
        """Wake workers for unclaimed work; called on every sweep that finds some."""

    def lost(self, workers: Iterable[str]) -> None:
        """Replace these workers if they are still alive: their leases expired."""


class NoEngine:
    """No engine: for a process that serves jobs and runs none."""

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
