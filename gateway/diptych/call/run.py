"""Running a behaviour under a deadline and a disconnect, on the event loop.

A unary call without a deadline costs no task: it runs in the request's own, and the client is watched only once the
behaviour waits for something. It knows no message.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any

from ..status import Code, error

Gone = Callable[[], Awaitable[None]]
"""Returns when the client has gone away."""

DEADLINE_EXCEEDED = "Deadline Exceeded"  # gRPC's own words, so that both faces say the same


class ClientGone(Exception):
    """The client went away; nobody is left to answer."""


class Inline:
    """Awaits a coroutine in the current task; from its first suspension on, a client that goes away cancels it."""

    __slots__ = ("_coroutine", "_gone")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], gone: Gone) -> None:
        self._coroutine, self._gone = coroutine, gone

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine = self._coroutine
        try:
            waiting = coroutine.send(None)
        except StopIteration as done:
            return done.value
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
    """Cancels the current task when the client goes away, and takes that back when it is stopped."""

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
    """Cancels what is within at `deadline`, in the loop's time; raises DEADLINE_EXCEEDED then."""
    return _Before(deadline)


class _Before:
    # A class: contextlib's generator costs as much as the timer itself, and every call with a deadline pays it.
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
        except TimeoutError:  # only its own: one from within is no matter of its exit
            raise error(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED) from None


class Stragglers:
    """Tasks that were cancelled and have not ended yet: held, so that they are neither lost nor waited for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: asyncio.Task[Any]) -> None:
        """Cancel `task` and hold it until it has ended."""
        task.cancel()
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # it was answered already; asyncio shall not complain that nobody looked

    async def wait(self, seconds: float) -> None:
        """Until the last has ended, or `seconds` have passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(set(self._tasks))


async def timed(coroutine: Coroutine[Any, Any, Any], gone: Gone | None, seconds: float, stragglers: Stragglers) -> Any:
    """Await a coroutine in a task of its own, so that the deadline's answer waits for nobody's clean-up."""
    if seconds <= 0:
        coroutine.close()
        raise error(Code.DEADLINE_EXCEEDED, DEADLINE_EXCEEDED)
    task = asyncio.ensure_future(coroutine)
    watch: asyncio.Future[None] | None = None
    try:
        await asyncio.sleep(0)  # most have nothing to wait for, and then nobody has to be watched
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
        if not task.done():
            stragglers.add(task)


class Pipe:
    """Messages from a servicer's task to the one that answers: bounded, in order, the first one at once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._messages: deque[Any] = deque()
        self._ended = False
        self._failure: BaseException | None = None
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    async def put(self, message: Any) -> None:
        """Waits while the reader is behind."""
        while len(self._messages) >= self._size:
            self._writable.clear()
            await self._writable.wait()
        self._messages.append(message)
        self._readable.set()

    def end(self, failure: BaseException | None = None) -> None:
        """Nothing more comes; the reader has what is there, then the failure. The first end is the one."""
        if self._ended:
            return
        self._ended, self._failure = True, failure
        self._readable.set()

    def touch(self) -> None:
        """Wake the reader though there is no message: the servicer sent its metadata."""
        self._readable.set()

    @property
    def ready(self) -> asyncio.Event:
        """Set while there is something to take."""
        return self._readable

    def take(self) -> list[Any] | None:
        """All that is there now; None at the end; it raises the failure once the messages before it are taken."""
        messages = list(self._messages)
        self._messages.clear()
        self._writable.set()
        if messages:
            if not self._ended:
                self._readable.clear()
            return messages
        if self._ended:
            if self._failure is not None:
                raise self._failure
            return None
        self._readable.clear()
        return messages
