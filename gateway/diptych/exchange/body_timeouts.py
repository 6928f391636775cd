"""How long a client may take over the body of a request that is read whole.

It knows no message; streams of requests may be silent for as long as they like, and do not come through here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from types import coroutine
from typing import Any

from ..status import Code, error


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPatience:
    """What is a setting."""

    seconds: float = 30.0
    """How long a client may be silent, and how long it may take whatever its pace."""
    pace: float = 500.0
    """Bytes a second that it has to come to after that; 0 asks for none."""


class Pieces:
    """A body's messages, one by one. Each way to wait raises DEADLINE_EXCEEDED with http 408 where one is late."""

    __slots__ = ("_patience", "_receive", "_waited", "received")

    def __init__(self, receive: Callable[[], Awaitable[Any]], patience: BodyPatience) -> None:
        self._receive, self._patience, self._waited = receive, patience, 0.0
        self.received = 0
        """Bytes that have come; whoever reads them counts them here."""

    async def next(self) -> Any:
        """The next message."""
        step = self._receive().__await__()
        try:
            waiting = next(step)
        except StopIteration as done:
            return done.value
        return await self.late(step, waiting)

    @coroutine
    def late(self, step: Generator[Any, Any, Any], waiting: Any) -> Generator[Any, Any, Any]:
        """A message that is not there yet: the rest of `step`, which was begun and waits for `waiting`."""
        loop = asyncio.get_running_loop()
        began, alarm = loop.time(), _Alarm(loop, self._allowed())
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
            if alarm.rung:
                raise _too_slow() from None
            raise
        finally:
            alarm.stop()

    def _allowed(self) -> float:
        seconds, pace = self._patience.seconds, self._patience.pace
        if not pace:
            return seconds
        return max(0.0, min(seconds, seconds + self.received / pace - self._waited))


class _Alarm:
    """Cancels the current task when the time is over, and takes that back when it is stopped."""

    __slots__ = ("_task", "_timer", "rung")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.rung = False
        self._task = asyncio.current_task()
        self._timer = loop.call_later(seconds, self._ring)

    def _ring(self) -> None:
        if self._task is not None:
            self.rung = True
            self._task.cancel()

    def stop(self) -> None:
        self._timer.cancel()
        if self.rung and self._task is not None:
            self._task.uncancel()


def _too_slow() -> Exception:
    # The rest of the body may be under way for ever: the connection ends with the answer.
    return error(
        Code.DEADLINE_EXCEEDED, "the request body came too slowly", http=408, headers=(("connection", "close"),)
    )
