"""Timeouts for what is collected in memory before it can be used: a whole body, or one message of a stream.

It knows no message. Between messages, request streams may stay silent indefinitely.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from types import CoroutineType, coroutine
from typing import Any

from ..status import Code, StatusError, error


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyTimeouts:
    """The timeouts, from the settings."""

    seconds: float = 30.0
    """The longest silence, and the time over which the rate is measured."""
    pace: float = 500.0
    """The minimum rate in bytes per second; 0 means none."""
    whole: float | None = 600.0
    """The seconds in which all of it must be able to arrive at its rate; None means that the rate is the same for any
    size."""


class Patience:
    """How much longer a body may be waited for: `seconds`, anew each time that as much as they must bring has arrived.

    What arrived before does not count, so that a client that has sent much cannot hold it for long by sending little.
    """

    __slots__ = ("_came", "_timeouts", "_waited", "size")

    def __init__(self, timeouts: BodyTimeouts, size: int = 0) -> None:
        self._timeouts, self._waited, self._came = timeouts, 0.0, 0
        self.size = size
        """The bytes of the whole body, or as many as are known."""

    @property
    def left(self) -> float:
        """The seconds that may still be waited before more arrives."""
        return max(0.0, self._timeouts.seconds - self._waited)

    def waited(self, seconds: float) -> None:
        """Counts time that was spent waiting."""
        self._waited += seconds

    def came(self, size: int) -> None:
        """Counts bytes that have arrived."""
        self._came += size
        timeouts = self._timeouts
        pace = timeouts.pace if timeouts.whole is None else max(timeouts.pace, self.size / timeouts.whole)
        if self._came >= timeouts.seconds * pace:
            self._waited, self._came = 0.0, 0


def steps_of(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """Returns a coroutine that awaits what `receive` returned, to be run by `send` and `throw`.

    ASGI allows any awaitable, and that of a server in C or Rust may be an iterator without these methods.
    """
    return awaitable if isinstance(awaitable, CoroutineType) else _awaiting(awaitable)


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Pieces:
    """The ASGI messages of a body. Waiting for one raises DEADLINE_EXCEEDED with http 408 if it is late."""

    __slots__ = ("_patience", "_receive", "_received")

    def __init__(self, receive: Callable[[], Awaitable[Any]], timeouts: BodyTimeouts, declared: int = 0) -> None:
        """`declared` is the size that the client has announced, or 0."""
        self._receive, self._patience, self._received = receive, Patience(timeouts, declared), 0

    def came(self, size: int, declared: int = 0) -> None:
        """Counts received bytes, with the size that the client has announced in them, or 0."""
        self._received += size
        patience = self._patience
        patience.size = max(patience.size, self._received, declared)
        patience.came(size)

    async def next(self) -> Any:
        """Returns the next message."""
        step = steps_of(self._receive())
        try:
            waiting = step.send(None)
        except StopIteration as done:
            return done.value
        return await self.late(step, waiting)

    @coroutine
    def late(self, step: Coroutine[Any, Any, Any], waiting: Any) -> Generator[Any, Any, Any]:
        """Waits for a message: continues the coroutine `step`, which was started and has yielded `waiting`."""
        loop = asyncio.get_running_loop()
        began, timeout = loop.time(), _Timeout(loop, self._patience.left)
        try:
            while True:
                try:
                    sent = yield waiting
                except BaseException as raised:
                    waiting = step.throw(raised)
                else:
                    waiting = step.send(sent)
        except StopIteration as done:
            self._patience.waited(loop.time() - began)
            return done.value
        except asyncio.CancelledError:
            if timeout.expired:
                raise too_slow() from None
            raise
        finally:
            timeout.stop()


class _Timeout:
    """Cancels the current task after some seconds; `stop` undoes the cancellation."""

    __slots__ = ("_task", "_timer", "expired")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.expired = False
        self._task = asyncio.current_task()
        self._timer = loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self._task is not None:
            self.expired = True
            self._task.cancel()

    def stop(self) -> None:
        self._timer.cancel()
        if self.expired and self._task is not None:
            self._task.uncancel()


def too_slow() -> StatusError:
    """Returns DEADLINE_EXCEEDED with http 408."""
    # The rest of the body may never arrive, so the connection closes after the response.
    return error(
        Code.DEADLINE_EXCEEDED, "the request body arrived too slowly", http=408, headers=(("connection", "close"),)
    )
