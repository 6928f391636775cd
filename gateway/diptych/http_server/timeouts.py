"""How long clients may take, looked after for all connections at once: a request pays for no timer.

It knows no HTTP: a connection says itself what it waits for, and what it does with a client that is late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from ..settings import Settings

_TICK_SECONDS = 1.0
# Ten thousand connections take some ten milliseconds: requests are let in between.
_AT_ONCE = 500

Look = Callable[[float, "Timeouts"], None]
"""A connection's method `look`: end it where its client has taken too long. The loop's time, and how long that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """What is a setting: seconds, and a number of connections."""

    handshake: float = 10.0
    """For a TLS handshake."""
    head: float = 20.0
    """For a request's head, from its first byte on."""
    idle: float = 75.0
    """Without a request."""
    connections: int | None = None
    """How many there may be at once; None sets no limit."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(
            handshake=settings.handshake_seconds,
            head=settings.header_seconds,
            idle=settings.keep_alive_seconds,
            connections=settings.max_connections,
        )

    @property
    def tick(self) -> float:
        """How often connections are looked at, in seconds: so much later than it might a time-out comes."""
        return min(_TICK_SECONDS, self.head / 4, self.idle / 4)


class Wait:
    """What one connection waits for, and since when, as far as looks at it have shown."""

    __slots__ = ("_since", "_what")

    def __init__(self) -> None:
        self._what: object = None
        self._since = 0.0

    def over(self, what: object, now: float, seconds: float) -> bool:
        """Whether it has waited for the very same thing so long."""
        if what is not self._what:
            self._what, self._since = what, now
        return now - self._since >= seconds


async def look_after(connections: Callable[[], Iterable[object]], timeouts: Timeouts) -> None:
    """Look at the connections there are, again and again, until it is cancelled."""
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
