"""How the process itself does: threads that are waited for, connections, how late the event loop is.

It knows no call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

# How often the loop is asked whether it is late, in seconds, and how many answers are remembered.
TICK_SECONDS = 0.5
_REMEMBERED = 20


def _none() -> Mapping[str, int]:
    return {}


class Runtime:
    """What a scrape is told of the process; `start` and `stop` are called on the event loop."""

    def __init__(self) -> None:
        self.connections: Callable[[], Mapping[str, int]] = _none
        """Open connections by kind."""
        self.pool: ThreadPoolExecutor | None = None
        """What runs plain functions."""
        self._late: deque[float] = deque(maxlen=_REMEMBERED)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def threads(self) -> int:
        """The most threads the pool has."""
        return 0 if self.pool is None else self.pool._max_workers

    def queued(self) -> int:
        """How many functions wait for a thread."""
        # concurrent.futures tells nobody by another name; the attribute is as old as the class.
        return 0 if self.pool is None else self.pool._work_queue.qsize()

    def lag(self) -> float:
        """The most the loop was late in the time that is remembered, in seconds."""
        return max(self._late, default=0.0)

    def start(self) -> None:
        """Begin to look how late the loop is."""
        if self._timer is None:
            self._again(asyncio.get_running_loop())

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_at(due := loop.time() + TICK_SECONDS, self._tick, loop, due)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._late.append(max(0.0, loop.time() - due))
        self._again(loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
