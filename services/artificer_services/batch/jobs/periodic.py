"""Background work that a service repeats at an interval.

Knows the interval and the error handling, not the work.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from .errors import BatchError

_log = logging.getLogger(__name__)


class Periodic(ABC):
    """Runs `once` every `seconds`, from `start` to `stop`. A failure is logged and the next run goes ahead."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def once(self) -> None:
        """Run once. May raise BatchError."""

    def start(self) -> None:
        """Start; the first run is immediate."""
        self._task = asyncio.create_task(self._loop(), name=f"batch-{self._name}")

    async def stop(self) -> None:
        """Stop, cancelling a run in progress."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _loop(self) -> None:
        while True:
            try:
                await self.once()
            except BatchError as error:
                _log.warning("the %s: %s", self._name, error.message)
            except Exception:  # the loop must go on: without the sweep no lease would expire
                _log.exception("the %s failed", self._name)
            await asyncio.sleep(self._seconds)
