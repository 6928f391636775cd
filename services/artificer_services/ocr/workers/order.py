"""Runs work concurrently and yields the results in order.

Owns the window of started and not yet yielded items. Knows nothing of the work itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_READY = 64  # the most items that are started but not yet yielded, for a slow predecessor or consumer


async def in_order(
    batches: AsyncIterator[list[T]],
    work: Callable[[T], Coroutine[Any, Any, R]],
    instant: Callable[[T], bool],
    *,
    width: int,
) -> AsyncGenerator[R, None]:
    """Yields `work(item)` for all items of all batches in order, each as soon as it and those before it are done.

    At most `width` items are in work at once, not counting those for which `instant(item)` is true. The next batch is
    requested while the previous one is in work. Closing the generator cancels all running work.
    """
    backlog: deque[T] = deque()
    window: deque[asyncio.Task[R]] = deque()
    coming: asyncio.Task[list[T] | None] | None = None
    more = True
    try:
        while more or backlog or window:
            if more and coming is None and len(backlog) < width:
                coming = asyncio.create_task(_next(batches))
            busy = sum(not task.done() for task in window)
            while backlog and len(window) < _READY and (busy < width or instant(backlog[0])):
                item = backlog.popleft()
                busy += not instant(item)
                window.append(asyncio.create_task(work(item)))
            if window and window[0].done():
                yield window.popleft().result()
            elif coming is not None and coming.done() and not (_failed(coming) and (backlog or window)):
                batch, coming = coming.result(), None
                more = batch is not None
                backlog.extend(batch or ())
            else:
                undone = [task for task in (*window, coming) if task is not None and not task.done()]
                await asyncio.wait(undone, return_when=asyncio.FIRST_COMPLETED)
    finally:
        left = [task for task in (*window, coming) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _next(batches: AsyncIterator[list[T]]) -> list[T] | None:
    return await anext(batches, None)


def _failed(task: asyncio.Task[Any]) -> bool:
    """Whether a batch failed; the items before it are still yielded first."""
    return not task.cancelled() and task.exception() is not None
