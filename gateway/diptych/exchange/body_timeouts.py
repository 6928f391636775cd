"""Timeouts for the body of a request that is read whole.

It knows no message. Request streams may stay silent indefinitely and do not use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from types import CoroutineType, coroutine
from typing import Any

from ..status import Code, error


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyTimeouts:
    """The timeouts, from the settings."""

    seconds: float = 30.0
    """The longest silence, and the time before the minimum rate applies."""
    pace: float = 500.0
    """The minimum average rate in bytes per second after that; 0 means none."""


def steps_of(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """Returns a coroutine that awaits what `receive` returned, to be run by `send` and `throw`.

    ASGI allows any awaitable, and that of a server in C or Rust may be an iterator without these methods.
    """
    return awaitable if isinstance(awaitable, CoroutineType) else _awaiting(awaitable)


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Pieces:
    """The ASGI messages of a body. Waiting for one raises DEADLINE_EXCEEDED with http 408 if it is late."""

    __slots__ = ("_receive", "_timeouts", "_waited", "received")

    def __init__(self, receive: Callable[[], Awaitable[Any]], timeouts: BodyTimeouts) -> None:
        self._receive, self._timeouts, self._waited = receive, timeouts, 0.0
        self.received = 0
        """Bytes received so far; the reader counts them here."""

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
        began, timeout = loop.time(), _Timeout(loop, self._allowed())
        try:
            while True:
                try:
                    sent = yield waiting
                except BaseException as raised:
                    waiting = step.throw(raised)
                else:
                    waiting = step.send(sent)
        except StopIteration as done:
            self._waited += loop.time() - began
            return done.value
        except asyncio.CancelledError:
            if timeout.expired:
                raise _too_slow() from None
            raise
        finally:
            timeout.stop()

    def _allowed(self) -> float:
        seconds, pace = self._timeouts.seconds, self._timeouts.pace
        if not pace:
            return seconds
        return max(0.0, min(seconds, seconds + self.received / pace - self._waited))


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


def _too_slow() -> Exception:
    # The rest of the body may never arrive, so the connection closes after the response.
    return error(
        Code.DEADLINE_EXCEEDED, "the request body arrived too slowly", http=408, headers=(("connection", "close"),)
    )
