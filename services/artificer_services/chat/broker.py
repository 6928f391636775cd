"""Notifications between processes that a channel has new messages: the Protocol, and the broker of a single process.

A notification is a channel's name and a number; its receiver reads the store. So a broker may repeat itself, and the
hub's sweep finds what it loses. Knows no database, no network and no protos.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Told = Callable[[str, int], None]
"""Called with a channel and the number of a message that it has."""
Missed = Callable[[], None]
"""Called when notifications may have been missed."""


class Broker(Protocol):
    """Notifies other processes, and receives their notifications."""

    @property
    def healthy(self) -> bool:
        """Whether notifications of other processes arrive now."""

    async def start(self, told: Told, missed: Missed) -> None:
        """Begin to listen; return at once, and retry in the background while there is no connection."""

    def publish(self, channel: str, sequence: int) -> None:
        """Notify the others soon."""

    async def stop(self) -> None:
        """Close every connection."""


class MemoryBroker:
    """For a single process, which needs no notifications."""

    healthy = True

    async def start(self, told: Told, missed: Missed) -> None:
        """Do nothing."""

    def publish(self, channel: str, sequence: int) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""


def parse(payload: str) -> tuple[str, int] | None:
    """Return the parts of a notification, "number channel"; None for a malformed one."""
    number, _, channel = payload.partition(" ")
    if not (channel and number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return channel, int(number)


def payload_of(channel: str, sequence: int) -> str:
    """Return the text of a notification."""
    return f"{sequence} {channel}"
