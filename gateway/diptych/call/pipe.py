"""The queue between the task that runs a servicer and the task that sends its messages.

It knows no call, and a message only as what `Packing` serializes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from time import perf_counter
from typing import Any, NamedTuple

# How far a servicer may run ahead of its client. A message that is larger is the only one in the queue.
AHEAD_BYTES = 65536
# How long a servicer that never waits may keep the event loop, after the first of the queued messages. A reader and a
# write per message cost thirty times what a small message does, so they serve as many as this allows.
TURN_SECONDS = 200e-6
# The least of it, if many streams are busy: a change of tasks and a write cost about as much.
_LEAST_SECONDS = 50e-6
# What Python takes for a bytes object, so that empty messages count too.
_OVERHEAD_BYTES = 32
# The clock is read again after as many bytes, and so at least for every eighth message.
_LOOK_BYTES = 256


Pack = Callable[[Any], bytes]
"""Serializes a response, in the form in which its face sends it or the form that it is made from."""


class Packing(NamedTuple):
    """How responses are serialized: those of the type `exact` by `pack`, all others by `convert`."""

    exact: type | None
    pack: Pack
    convert: Pack


class Unsendable(Exception):
    """A message could not be serialized; `why` is the error."""

    def __init__(self, why: Exception) -> None:
        super().__init__(str(why))
        self.why = why


class Turns:
    """How many pipes of a gateway hold messages, and so share a turn; slow clients count too."""

    busy = 0


class Pipe:
    """A bounded queue of serialized messages, with one task that puts and one that takes."""

    __slots__ = (
        "_bytes",
        "_ended",
        "_failure",
        "_loop",
        "_messages",
        "_reader",
        "_taken",
        "_turn_ends",
        "_turns",
        "_woken",
        "_writer",
    )

    def __init__(self, turns: Turns) -> None:
        self._loop, self._turns = asyncio.get_running_loop(), turns
        self._messages: list[bytes] = []
        self._bytes = self._taken = 0
        self._turn_ends = 0.0
        self._ended = self._woken = False
        self._failure: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def count(self) -> int:
        """How many messages have been put so far."""
        return self._taken + len(self._messages)

    async def put_all(self, messages: AsyncIterable[Any], packing: Packing) -> None:
        """Serializes and queues messages; waits while the queue is full. Raises `Unsendable`."""
        # This loop is most of what a small message costs, hence the local names.
        (exact, pack, convert), clock = packing, perf_counter
        size = looked = 0
        async for message in messages:
            try:
                packed = pack(message) if type(message) is exact else convert(message)
            except Exception as why:
                raise Unsendable(why) from None
            queue = self._messages
            if not queue:
                self._begin()
                size = looked = 0
            queue.append(packed)
            size += len(packed) + _OVERHEAD_BYTES
            if size >= looked:
                looked = size + _LOOK_BYTES
                if size >= AHEAD_BYTES or clock() >= self._turn_ends:
                    await self._room()

    async def put(self, message: Any, packing: Packing) -> None:
        """Does the same with one message."""
        exact, pack, convert = packing
        try:
            packed = pack(message) if type(message) is exact else convert(message)
        except Exception as why:
            raise Unsendable(why) from None
        if not self._messages:
            self._begin()
        self._messages.append(packed)
        self._bytes += len(packed) + _OVERHEAD_BYTES
        if self._bytes >= AHEAD_BYTES or perf_counter() >= self._turn_ends:
            await self._room()

    def _begin(self) -> None:
        turns = self._turns
        turns.busy += 1
        self._turn_ends = perf_counter() + max(TURN_SECONDS / turns.busy, _LEAST_SECONDS)
        self.touch()

    async def _room(self) -> None:
        """Returns once the queued messages have been taken."""
        while self._messages:
            self._writer = self._loop.create_future()
            await self._writer

    def end(self, failure: BaseException | None = None) -> None:
        """Ends the queue: the reader gets the remaining messages, then the failure. Later calls have no effect."""
        if not self._ended:
            self._ended, self._failure = True, failure
            self.touch()

    def close(self) -> None:
        """Discards what has not been taken."""
        if self._messages:
            self._turns.busy -= 1
            self._messages = []
        self._turns = Turns()  # a servicer that sends while it is cancelled does not shorten the turns of others

    def touch(self) -> None:
        """Wakes the reader, with or without a message."""
        self._woken = True
        _wake(self._reader)

    async def readable(self, seconds: float | None) -> None:
        """Returns once `take` has something to return, the reader was woken by `touch`, or after `seconds`."""
        if self._woken:
            return
        reader = self._reader = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, _wake, reader)
        try:
            await reader
        finally:
            self._reader = None
            if timer is not None:
                timer.cancel()

    def take(self) -> list[bytes] | None:
        """Returns all queued messages, or None at the end. The failure is raised after the messages before it."""
        messages = self._messages
        if messages:
            self._turns.busy -= 1
            self._taken += len(messages)
            self._messages, self._bytes = [], 0
            self._woken = self._ended
            _wake(self._writer)
            return messages
        if self._ended:
            if self._failure is not None:
                raise self._failure
            return None
        self._woken = False
        return []


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
