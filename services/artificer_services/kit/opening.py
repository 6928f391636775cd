"""Opens a service's store at the start of the service, in the background if the store is down.

Knows no store. A start must not end because a store is down: other services of the process can serve, and an
orchestrator that restarts the process again and again repairs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

from diptych.outages import OutageLog

from .errors import ServiceError, Unavailable

_log = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0  # seconds between attempts


class Opening:
    """The start of one store: `work` opens it and raises `Unavailable` while it is down.

    Before `start` the store counts as open, for those that open it themselves.
    """

    def __init__(
        self, name: str, work: Callable[[], Awaitable[None]], *, refusal: type[Unavailable] = Unavailable
    ) -> None:
        self._name, self._work, self._refusal = name, work, refusal
        self._outages = OutageLog(_log, name)
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0
        self.open = True

    async def start(self) -> None:
        """Open the store, or leave this to the background if it is down. Raises other errors than `Unavailable`."""
        self.open = False
        try:
            await self._attempt()
        except Unavailable as error:
            self._outages.failed(error.__cause__ or error.message)
            self._task = asyncio.create_task(self._retry(), name=f"open {self._name}")

    async def stop(self) -> None:
        """Stop trying."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def check(self) -> None:
        """Raise the refusal of calls, with the time of the next attempt, unless the store is open."""
        if not self.open:
            seconds = max(1.0, self._next - time.monotonic())
            raise self._refusal(f"{self._name} cannot be reached; it is tried again until it answers", seconds)

    async def _attempt(self) -> None:
        await self._work()
        self.open = True
        self._outages.over()

    async def _retry(self) -> None:
        wait = _FIRST_WAIT
        while not self.open:
            pause = wait * random.uniform(0.5, 1)  # noqa: S311, spreads the attempts of several processes
            self._next = time.monotonic() + pause
            await asyncio.sleep(pause)
            wait = min(wait * 2, _LONGEST_WAIT)
            try:
                await self._attempt()
            except ServiceError as error:
                self._outages.failed(error.__cause__ or error.message)
            except Exception as error:  # such as a missing right, which an administrator may grant meanwhile
                self._outages.failed(error)
