"""Work that a service repeats beside its calls. Knows how often, and not what."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from .errors import ServiceError

_log = logging.getLogger(__name__)


class Periodic:
    """Calls `work` every `seconds`, from `start` to `stop`. An error is logged, and the next call comes in its time.

    With `rest` it waits at least that many times as long as the last call took: slow work must not fill a database.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[object]], seconds: float, *, rest: float = 0.0) -> None:
        self._name, self._work, self._seconds, self._rest = name, work, seconds, rest
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with a first call at once."""
        self._task = asyncio.create_task(self._repeat(), name=self._name)

    def poke(self) -> None:
        """Make the next call as soon as the one that runs has ended."""
        self._poked.set()

    async def stop(self) -> None:
        """End; a call that runs is cancelled."""
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
        except ServiceError as error:
            _log.warning("%s: %s", self._name, error.message)
        except Exception:  # one failure must not end it: without a sweep, say, no lease would ever expire
            _log.exception("%s failed", self._name)
