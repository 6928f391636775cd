"""Stores the sends of many calls together: those that arrive during one transaction share the next.

Owns the order of sends and the outcome of each. Knows no database, no readers and no protos.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from ..kit.errors import ServiceError, Unavailable
from .store import Appended, Draft, Message, Store

# Large enough that waiting sends share one disk flush; small enough that none waits long for the others.
MAX_MESSAGES = 256
MAX_BYTES = 8 * 1024 * 1024

Stored = Callable[[Sequence[Message]], None]


class Writer:
    """Stores drafts in the order of their submission; `stored` is called with new messages once they are durable."""

    def __init__(self, store: Store, stored: Stored) -> None:
        self._store, self._stored = store, stored
        self._waiting: deque[tuple[Draft, int, asyncio.Future[Appended]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def submit(self, draft: Draft) -> asyncio.Future[Appended]:
        """Queue a draft. The future receives its outcome, or `Unavailable` if the outcome is unknown."""
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        if self._closed:
            done.set_exception(Unavailable("the chat service is stopping"))
            return done
        size = len(draft.content) + sum(len(file.data) for file in draft.files)
        self._waiting.append((draft, size, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="chat-writer")
        return done

    async def close(self) -> None:
        """Refuse further drafts and wait until all accepted ones are stored."""
        self._closed = True
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._flush(self._next())
        finally:
            self._task = None

    def _next(self) -> list[tuple[Draft, asyncio.Future[Appended]]]:
        batch: list[tuple[Draft, asyncio.Future[Appended]]] = []
        total = 0
        while self._waiting and len(batch) < MAX_MESSAGES:
            draft, size, done = self._waiting[0]
            total += size
            if batch and total > MAX_BYTES:
                break
            self._waiting.popleft()
            if not done.cancelled():  # cancelled while it waited: it must not be stored
                batch.append((draft, done))
        return batch

    async def _flush(self, batch: list[tuple[Draft, asyncio.Future[Appended]]]) -> None:
        if not batch:
            return
        try:
            appended = await self._store.append([draft for draft, _ in batch])
        except Exception as error:
            for _, done in batch:
                if not done.done():
                    done.set_exception(_copy(error))
                    done.exception()  # marks it as retrieved: asyncio warns of errors that no caller reads
            return
        self._stored([one.message for one in appended if one.fresh])
        for one, (_, done) in zip(appended, batch, strict=True):
            if not done.done():
                done.set_result(one)


def _copy(error: Exception) -> Exception:
    """Returns a copy for each waiter: raising one exception many times lengthens its traceback each time."""
    if not isinstance(error, ServiceError):
        return error
    copy = type(error)(error.message)
    copy.__dict__.update(error.__dict__)
    copy.__cause__ = error
    return copy
