"""Timeouts of clients, checked for all connections at once, so that requests need no timers of their own.

It knows no HTTP: each connection knows what it waits for, and how to end a client that is late.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from ..settings import Settings

_TICK_SECONDS = 1.0
# Checking ten thousand connections takes some ten milliseconds, so the loop yields to requests in between.
_AT_ONCE = 500
_JITTER = 0.1

Look = Callable[[float, "Timeouts"], None]
"""A connection's method `look`, which ends it if its client is late. Takes the loop's time and the timeouts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The settings: times in seconds, and a number of connections."""

    handshake: float = 10.0
    """For a TLS handshake."""
    head: float = 20.0
    """For a request's head, from its first byte."""
    idle: float = 75.0
    """Without a request."""
    send: float = 60.0
    """For a client that takes nothing of what waits for it; infinite for none."""
    connections: int | None = None
    """The most connections at once; None for no limit."""
    age: float | None = None
    """How long a connection accepts requests; None for no limit."""
    age_grace: float | None = None
    """How long its running requests may continue after that; None for no limit."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns the timeouts of these settings."""
        return cls(
            handshake=settings.handshake_seconds,
            head=settings.header_seconds,
            idle=settings.keep_alive_seconds,
            send=math.inf if settings.send_seconds is None else settings.send_seconds,
            connections=settings.max_connections,
            age=settings.max_connection_age_seconds,
            age_grace=settings.max_connection_age_grace_seconds,
        )

    @property
    def tick(self) -> float:
        """The interval of checks in seconds, and so the most by which a timeout can be late."""
        ages = [] if self.age is None else [self.age / 10]
        return min(_TICK_SECONDS, self.head / 4, self.idle / 4, self.send / 4, *ages)


class Wait:
    """What one connection waits for, and since which check."""

    __slots__ = ("_since", "_what")

    def __init__(self) -> None:
        self._what: object = None
        self._since = 0.0

    def over(self, what: object, now: float, seconds: float) -> bool:
        """Whether it has waited for the same object for that long."""
        if what is not self._what:
            self._what, self._since = what, now
        return now - self._since >= seconds


class Age:
    """When one connection becomes too old. Its age counts from the first check."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: float | None = None

    def reached(self, now: float, timeouts: Timeouts) -> bool:
        """Whether it has to accept no more requests.

        Varies by a tenth, so that clients that connected at once do not all return at once (gRPC's proposal A9).
        """
        if timeouts.age is None:
            return False
        if self._due is None:
            self._due = now + timeouts.age * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311, no secret
        return now >= self._due

    def grace_is_over(self, now: float, timeouts: Timeouts) -> bool:
        """Whether its running requests have to end too."""
        return self._due is not None and timeouts.age_grace is not None and now >= self._due + timeouts.age_grace


async def look_after(connections: Callable[[], Iterable[object]], timeouts: Timeouts) -> None:
    """Checks all connections periodically, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(timeouts.tick)
        now = loop.time()
        for number, one in enumerate(list(connections())):
            look: Look | None = getattr(one, "look", None)
            if look is not None:
                look(now, timeouts)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
