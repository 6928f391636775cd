"""Gauges of the process: queued work of the thread pool, connections, tasks and lag of the event loop.

It knows no call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

# The interval of lag measurements in seconds, and how many of them `lag` looks back.
TICK_SECONDS = 0.5
_REMEMBERED = 20


def _none() -> Mapping[str, int]:
    return {}


class Runtime:
    """The gauges of one gateway; `start` and `stop` run on the event loop."""

    def __init__(self) -> None:
        self.connections: Callable[[], Mapping[str, int]] = _none
        """Returns the number of open connections by kind."""
        self.pool: ThreadPoolExecutor | None = None
        """The thread pool of plain `def` servicers."""
        self._late: deque[float] = deque(maxlen=_REMEMBERED)
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def threads(self) -> int:
        """The maximum number of threads in the pool."""
        return 0 if self.pool is None else self.pool._max_workers

    def tasks(self) -> int:
        """Returns how many tasks the event loop has; callable from any thread."""
        return 0 if self._loop is None else len(asyncio.all_tasks(self._loop))

    def queued(self) -> int:
        """Returns how many functions wait for a thread."""
        # concurrent.futures has no public name for it; the attribute is as old as the class.
        return 0 if self.pool is None else self.pool._work_queue.qsize()

    def lag(self) -> float:
        """Returns the largest lag of the last ten seconds, in seconds."""
        return max(self._late, default=0.0)

    def start(self) -> None:
        """Starts measuring the event loop's lag."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._again(self._loop)

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_at(due := loop.time() + TICK_SECONDS, self._tick, loop, due)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._late.append(max(0.0, loop.time() - due))
        self._again(loop)

    def stop(self) -> None:
        """Stops measuring."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
