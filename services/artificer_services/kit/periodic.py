"""Repeats background work at an interval. Knows nothing of the work itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from diptych.outages import OutageLog

from .errors import ServiceError

_log = logging.getLogger(__name__)


class Periodic:
    """Calls `work` every `seconds` from `start` to `stop`. Errors are logged and do not end the repetition.

    Of service errors in a row, such as during an outage, the first is logged and the others are counted.

    With `rest` it waits at least `rest` times the duration of the last call, so that slow work cannot saturate a
    database.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], seconds: float, *, rest: float = 0.0) -> None:
        self._name, self._work, self._seconds, self._rest = name, work, seconds, rest
        self._outages = OutageLog(_log, name)
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, with a first call at once."""
        self._task = asyncio.create_task(self._repeat(), name=self._name)

    def poke(self) -> None:
        """Make the next call at once, or as soon as the current one has ended."""
        self._poked.set()

    async def stop(self) -> None:
        """Stop and cancel a running call."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _repeat(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            self._poked.clear()
            began = clock()
            await self._call()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._seconds, self._rest * (clock() - began))):
                    await self._poked.wait()

    async def _call(self) -> None:
        try:
            await self._work()
            self._outages.recovered()
        except ServiceError as error:
            self._outages.failed(error.message)
        except Exception:  # a single failure must not end it: without the sweep, for one, no lease would ever expire
            _log.exception("%s failed", self._name)
