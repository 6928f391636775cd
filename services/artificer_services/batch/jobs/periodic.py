"""What a service does again and again beside its calls. Knows how often, and not what."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from .errors import BatchError

_log = logging.getLogger(__name__)


class Chore(ABC):
    """Does `once` each `seconds`, from `start` to `stop`. A failure is logged; the next time may do better."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def once(self) -> None:
        """Do it. May raise BatchError."""

    def start(self) -> None:
        """Begin, with a first time at once."""
        self._task = asyncio.create_task(self._go_on(), name=f"batch-{self._name}")

    async def stop(self) -> None:
        """End; a time that has begun is not waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            try:
                await self.once()
            except BatchError as error:
                _log.warning("the %s: %s", self._name, error.message)
            except Exception:  # without the sweep, say, no lease would ever end
                _log.exception("the %s failed", self._name)
            await asyncio.sleep(self._seconds)
