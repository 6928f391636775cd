"""How a process tells the others that a channel has new messages: what a broker is, and the one of a single process.

Only a channel's name and a number travel; whoever hears of them reads the store. So a broker may repeat itself, and
what it loses the hub's sweep finds. Knows no database, no network and no protos.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Told = Callable[[str, int], None]
"""Called with a channel and the number of a message of it that is there."""
Missed = Callable[[], None]
"""Called where notifications may have been missed."""


class Broker(Protocol):
    """Tells other processes, and hears from them."""

    @property
    def healthy(self) -> bool:
        """Whether it hears from the others now."""

    async def start(self, told: Told, missed: Missed) -> None:
        """Begin to listen; returns at once, and goes on trying where there is no connection."""

    def publish(self, channel: str, sequence: int) -> None:
        """Tell the others, soon."""

    async def stop(self) -> None:
        """End every connection."""


class MemoryBroker:
    """For one process, which needs nobody to tell it what it has done."""

    healthy = True

    async def start(self, told: Told, missed: Missed) -> None:
        """Nothing has to be started."""

    def publish(self, channel: str, sequence: int) -> None:
        """There is nobody else."""

    async def stop(self) -> None:
        """Nothing has to be ended."""


def parse(payload: str) -> tuple[str, int] | None:
    """A notification, "number channel"; None for what is none of ours."""
    number, _, channel = payload.partition(" ")
    if not (channel and number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return channel, int(number)


def payload_of(channel: str, sequence: int) -> str:
    """What travels."""
    return f"{sequence} {channel}"
