"""Admits requests to one model: so many run at once, so many wait, and the others are refused.

Waiting requests are admitted by turns of their callers, so that a caller with many requests delays others by one each.
Runs on one event loop; knows no model.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .errors import Busy

_Place = asyncio.Future[None]


class Admission:
    """The running and waiting requests of one model."""

    def __init__(self, model: str, *, concurrency: int, queue: int, queue_seconds: float) -> None:
        self.running = 0
        self._model, self._concurrency, self._queue, self._seconds = model, concurrency, queue, queue_seconds
        self._callers: OrderedDict[str, deque[_Place]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """The number of requests that wait."""
        return sum(map(len, self._callers.values()))

    @asynccontextmanager
    async def admit(self, caller: str) -> AsyncIterator[None]:
        """Hold one of the running places; waits for it. Raises Busy if too many wait, or the wait is too long."""
        if self.running < self._concurrency:
            self.running += 1
        else:
            await self._wait(caller)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, caller: str) -> None:
        if (waiting := self.waiting) >= self._queue:
            text = f"the model {self._model} is busy: {self.running} requests are running and {waiting} waiting"
            raise Busy(f"{text}; try again later")
        place: _Place = asyncio.get_running_loop().create_future()
        self._callers.setdefault(caller, deque()).append(place)
        try:
            async with asyncio.timeout(self._seconds):
                await place
        except BaseException as error:
            self._leave(caller, place)
            if isinstance(error, TimeoutError):
                text = f"the request waited {self._seconds:g} seconds for the model {self._model}, which is busy"
                raise Busy(f"{text}; try again later") from None
            raise

    def _leave(self, caller: str, place: _Place) -> None:
        """Give up a place: one in the queue, or one that was given at the moment when its request left."""
        if place.done() and not place.cancelled():
            self._release()
        elif (places := self._callers.get(caller)) and place in places:  # `_release` may have passed it over
            places.remove(place)
            if not places:
                del self._callers[caller]

    def _release(self) -> None:
        """Give the running place to the next request: of the caller whose turn it is, the one that waits longest."""
        while self._callers:
            caller, places = self._callers.popitem(last=False)
            place = places.popleft()
            if places:
                self._callers[caller] = places
            if not place.done():
                place.set_result(None)
                return
        self.running -= 1
