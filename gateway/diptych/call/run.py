"""Runs a behaviour on the event loop, and cancels it at its deadline or when the client disconnects.

A unary call without a deadline needs no task: it runs in the request's task, and watches the client only once the
behaviour waits for something, or not at all if the listener cancels that task. It knows no message.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any

from ..status import Code, error

Gone = Callable[[], Awaitable[None]]
"""Returns when the client has disconnected."""

# How long a stop waits for cancelled calls to clean up, before the resources that they use are closed.
CLEAN_UP_SECONDS = 2.0
DEADLINE_EXCEEDED = "Deadline Exceeded"  # gRPC core's message, so that all faces and engines agree


class ClientGone(Exception):
    """The client disconnected, so there is no response to send."""


class Inline:
    """Awaits a coroutine, which has yielded `waiting`, in the current task; the client's disconnect cancels it."""

    __slots__ = ("_coroutine", "_gone", "_waiting")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waiting: Any, gone: Gone) -> None:
        self._coroutine, self._waiting, self._gone = coroutine, waiting, gone

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, waiting = self._coroutine, self._waiting
        watch = _DisconnectWatch(self._gone)
        try:
            while True:
                try:
                    sent = yield waiting
                except BaseException as raised:
                    waiting = coroutine.throw(raised)
                else:
                    waiting = coroutine.send(sent)
        except StopIteration as done:
            return done.value
        except asyncio.CancelledError:
            if watch.fired:
                raise ClientGone from None
            raise
        finally:
            watch.stop()


class _DisconnectWatch:
    """Cancels the current task when the client disconnects; `stop` undoes the cancellation."""

    __slots__ = ("_owner", "_task", "fired")

    def __init__(self, gone: Gone) -> None:
        self.fired = False
        self._owner = asyncio.current_task()
        self._task: asyncio.Task[None] = asyncio.ensure_future(self._watch(gone))

    async def _watch(self, gone: Gone) -> None:
        await gone()
        if self._owner is not None:
            self.fired = True
            self._owner.cancel()

    def stop(self) -> None:
        self._task.cancel()
        if self.fired and self._owner is not None:
            self._owner.uncancel()


def before(deadline: float) -> _Before:
    """Returns a context manager that cancels its block at `deadline` (loop time) and raises DEADLINE_EXCEEDED."""
    return _Before(deadline)


class _Before:
    # A class: contextlib's generator costs as much as the timer, on every call with a deadline.
    __slots__ = ("_limit",)

    def __init__(self, deadline: float) -> None:
        self._limit = asyncio.timeout_at(deadline)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, raised, trace)
        except TimeoutError:  # only the timer's: __aexit__ does not raise one from the block
            raise error(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED) from None


class Stragglers:
    """Cancelled tasks that have not ended yet; held so that they are not garbage-collected, and a stop can wait."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: asyncio.Task[Any]) -> None:
        """Cancels `task` and holds it until it has ended. If it has ended already, its error is discarded."""
        task.cancel()
        if task.done():
            self._ended(task)
        else:
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved; the client has its response, and asyncio would log it

    async def wait(self, seconds: float) -> None:
        """Waits until all tasks have ended, at most `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(set(self._tasks))


async def timed(coroutine: Coroutine[Any, Any, Any], gone: Gone | None, seconds: float, stragglers: Stragglers) -> Any:
    """Awaits a coroutine in a separate task, so that the response at the deadline need not wait for its clean-up."""
    if seconds <= 0:
        coroutine.close()
        raise error(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED)
    task = asyncio.ensure_future(coroutine)
    watch: asyncio.Future[None] | None = None
    try:
        await asyncio.sleep(0)  # most finish without waiting, and then the client need not be watched
        if task.done():
            return task.result()
        watch = None if gone is None else asyncio.ensure_future(gone())
        both = {task} if watch is None else {task, watch}
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if watch is not None and watch.done():
            raise ClientGone
        raise error(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED)
    finally:
        if watch is not None:
            watch.cancel()
        stragglers.add(task)  # it may have failed in the turn in which this call was cancelled
