"""The Protocol of brokers, which notify other processes of new messages, and the broker for a single process.

A notification is a channel's name and a message number; the receiver reads the messages from the store. So a duplicate
does no harm, and the hub's sweep makes up for a lost one. Knows no database, no network and no protos.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

OnNotification = Callable[[str, int], None]
"""Called with a channel and the number of its newest message."""
OnGap = Callable[[], None]
"""Called when notifications may have been lost."""


class Broker(Protocol):
    """Notifies other processes and receives their notifications."""

    @property
    def healthy(self) -> bool:
        """Whether notifications from other processes currently arrive."""

    async def start(self, notified: OnNotification, gap: OnGap) -> None:
        """Start listening in the background, and reconnect there after errors."""

    def publish(self, channel: str, sequence: int) -> None:
        """Queue a notification to the other processes."""

    async def stop(self) -> None:
        """Close every connection."""


class MemoryBroker:
    """The broker for a single process, which needs no notifications."""

    healthy = True

    async def start(self, notified: OnNotification, gap: OnGap) -> None:
        """Do nothing."""

    def publish(self, channel: str, sequence: int) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""


def parse(payload: str) -> tuple[str, int] | None:
    """Returns the channel and number of a "number channel" notification; None if it is malformed."""
    number, _, channel = payload.partition(" ")
    if not (channel and number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return channel, int(number)


def payload_of(channel: str, sequence: int) -> str:
    """Returns the text of a notification."""
    return f"{sequence} {channel}"
