"""The connections of a channel: how many there are, and which one a call uses. Knows no kind of call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

C = TypeVar("C")


class Connection(Generic[C]):
    """One of gRPC's channels, and how many calls it has."""

    __slots__ = ("calls", "channel", "index")

    def __init__(self, channel: C, index: int) -> None:
        self.channel: C = channel
        self.index: int = index
        self.calls: int = 0


class Pool(Generic[C]):
    """Up to `most` connections. `opened` opens the one with a number.

    Each call goes to the least busy connection. When all have `streams` calls, another is opened.
    """

    def __init__(self, opened: Callable[[int], C], *, most: int, streams: int) -> None:
        self._open, self._most, self._streams = opened, most, streams
        self._connections: list[Connection[C]] = []
        self._condition = threading.Condition(threading.Lock())
        self.closed: bool = False

    def take(self, *, beside: Connection[C] | None = None) -> Connection[C]:
        """Returns the connection for a call, which must `give` it back. Another one than `beside` if there may be one.

        Raises ValueError if the channel is closed.
        """
        with self._condition:
            if self.closed:
                raise ValueError("the channel is closed")
            chosen = self._least_busy(beside)
            if chosen is None or (chosen.calls >= self._streams and len(self._connections) < self._most):
                chosen = self._add()
            chosen.calls += 1
            return chosen

    def _least_busy(self, beside: Connection[C] | None) -> Connection[C] | None:
        if beside is not None and self._most > 1:
            others = [one for one in self._connections if one is not beside]
            return min(others, key=_calls, default=None)
        if len(self._connections) == 1:
            return self._connections[0]
        return min(self._connections, key=_calls, default=None)

    def _add(self) -> Connection[C]:
        index = len(self._connections)
        connection = Connection(self._open(index), index)
        self._connections.append(connection)
        return connection

    def give(self, connection: Connection[C]) -> None:
        """Returns a connection after its call."""
        with self._condition:
            connection.calls -= 1
            if self.closed:
                self._condition.notify_all()

    def first(self) -> C:
        """Returns the first connection's channel. Raises ValueError if the channel is closed."""
        with self._condition:
            if self.closed:
                raise ValueError("the channel is closed")
            return (self._connections[0] if self._connections else self._add()).channel

    @property
    def size(self) -> int:
        """The number of connections."""
        return len(self._connections)

    def close(self) -> list[C]:
        """Refuses new calls, and returns the channels that are to be closed; none the second time."""
        with self._condition:
            self.closed = True
            channels = [one.channel for one in self._connections]
            if not any(one.calls for one in self._connections):
                self._connections = []
            return channels

    def wait_until_idle(self, seconds: float) -> bool:
        """Waits until no call runs, at most so long. Returns whether none does."""
        end = time.monotonic() + seconds
        with self._condition:
            return self._condition.wait_for(
                lambda: not any(one.calls for one in self._connections), end - time.monotonic()
            )


def _calls(connection: Connection[Any]) -> int:
    return connection.calls
