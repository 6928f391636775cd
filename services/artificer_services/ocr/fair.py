"""Whose turn it is: a queue that is fair between documents, not between tasks.

A document with 500 pages and one with a single page get the same share. Pure bookkeeping on one event loop; knows no
processes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Line(Generic[T]):
    """The waiting tasks of one document."""

    waiting: deque[T] = field(default_factory=deque)
    running: int = 0
    served: int = 0  # when it last had a turn


class FairQueue(Generic[T]):
    """Lines of tasks; the next turn goes to the line with the fewest running, then to the one served longest ago."""

    def __init__(self) -> None:
        self._lines: dict[int, Line[T]] = {}
        self._turns = 0
        self._takers: deque[asyncio.Future[None]] = deque()

    def put(self, key: int, item: T) -> None:
        """Add a task at the end of its document's line."""
        self._lines.setdefault(key, Line()).waiting.append(item)
        self._wake()

    def put_back(self, key: int, item: T) -> None:
        """Give back a task that was taken and not done; it stays first in its line."""
        self._lines[key].waiting.appendleft(item)
        self._wake()

    def remove(self, key: int, item: T) -> None:
        """Drop a task that still waits, if it does."""
        line = self._lines.get(key)
        if line is not None and item in line.waiting:
            line.waiting.remove(item)
            self._tidy(key)

    async def take(self) -> tuple[int, T]:
        """Wait for the next task; `done` must follow."""
        while True:
            waiting = [(line.running, line.served, key) for key, line in self._lines.items() if line.waiting]
            if waiting:
                _, _, key = min(waiting)
                line = self._lines[key]
                self._turns += 1
                line.running, line.served = line.running + 1, self._turns
                return key, line.waiting.popleft()
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake()  # this one was woken and leaves: another must look
                raise

    def done(self, key: int) -> None:
        """Note that a task which was taken is no longer running."""
        self._lines[key].running -= 1
        self._tidy(key)

    def drain(self) -> list[T]:
        """Remove and give all tasks that still wait."""
        items = [item for line in self._lines.values() for item in line.waiting]
        for key in list(self._lines):
            self._lines[key].waiting.clear()
            self._tidy(key)
        return items

    @property
    def running(self) -> int:
        """How many tasks were taken and are not done."""
        return sum(line.running for line in self._lines.values())

    def __len__(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def _tidy(self, key: int) -> None:
        line = self._lines[key]
        if not line.waiting and not line.running:
            del self._lines[key]

    def _wake(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return
