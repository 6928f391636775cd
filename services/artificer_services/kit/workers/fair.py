"""A queue of tasks that is fair between documents rather than between tasks.

A document with 500 pages gets the same share as one with a single page. Runs on one event loop; knows no processes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _DocumentTasks(Generic[T]):
    """The waiting tasks of one document."""

    waiting: deque[T] = field(default_factory=deque)
    running: int = 0
    served: int = 0  # the number of its latest turn


class FairQueue(Generic[T]):
    """Tasks by document. The next task is of the document with the fewest running ones, then the longest wait."""

    def __init__(self) -> None:
        self._documents: dict[int, _DocumentTasks[T]] = {}
        self._turns = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    def put(self, key: int, item: T) -> None:
        """Add a task of a document."""
        self._documents.setdefault(key, _DocumentTasks()).waiting.append(item)
        self._wake()

    def put_back(self, key: int, item: T) -> None:
        """Returns a task that was taken but not done; it becomes its document's next task."""
        self._documents[key].waiting.appendleft(item)
        self._wake()

    def remove(self, key: int, item: T) -> None:
        """Remove a task if it is still waiting."""
        document = self._documents.get(key)
        if document is not None and item in document.waiting:
            document.waiting.remove(item)
            self._tidy(key)

    async def take(self) -> tuple[int, T]:
        """Wait for the next task. The caller must call `done` for it."""
        while True:
            waiting = [
                (document.running, document.served, key)
                for key, document in self._documents.items()
                if document.waiting
            ]
            if waiting:
                _, _, key = min(waiting)
                document = self._documents[key]
                self._turns += 1
                document.running, document.served = document.running + 1, self._turns
                return key, document.waiting.popleft()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # it was woken but will not take the task: wake another
                raise

    def done(self, key: int) -> None:
        """Record that a taken task is no longer running."""
        self._documents[key].running -= 1
        self._tidy(key)

    def drain(self) -> list[T]:
        """Remove and return all waiting tasks."""
        items = [item for document in self._documents.values() for item in document.waiting]
        for key in list(self._documents):
            self._documents[key].waiting.clear()
            self._tidy(key)
        return items

    @property
    def running(self) -> int:
        """The number of running tasks."""
        return sum(document.running for document in self._documents.values())

    def __len__(self) -> int:
        return sum(len(document.waiting) for document in self._documents.values())

    def _tidy(self, key: int) -> None:
        document = self._documents[key]
        if not document.waiting and not document.running:
            del self._documents[key]

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
