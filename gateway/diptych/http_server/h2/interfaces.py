"""The interfaces of a connection: the requests above it, the I/O below it, and what control frames change in it.

It holds no code.
"""

from __future__ import annotations

from typing import Protocol

from .head import Head
from .outgoing import Outgoing, Sender


class Incoming(Protocol):
    """What a connection needs of a request that is under way."""

    id: int
    out: Outgoing
    window: int
    """What the client may still send."""
    unread: int
    """Bytes of the body that the application has not read."""
    uncredited: int
    """Bytes that it has read, or nobody needs to, and for which the client has no new window yet."""
    expected: int | None
    """What is missing of the content-length, where there is one."""
    remote_closed: bool

    def on_data(self, data: bytes) -> None:
        """Keep a piece of the body."""

    def on_end(self) -> None:
        """The body is complete."""

    def on_reset(self) -> None:
        """The request is over for its client: nothing more comes, and nothing more is sent."""

    def cut(self) -> None:
        """Leave the response incomplete."""

    def on_room(self) -> None:
        """Little enough is parked for more to be written."""


class Host(Protocol):
    """What a connection needs of who does its I/O."""

    def begin(self, stream_id: int, head: Head, window: int) -> Incoming | None:
        """Start a request; None refuses it."""

    def written(self) -> None:
        """There is something in `out`."""

    def on_pong(self, payload: bytes) -> None:
        """A PING of this side was answered."""

    def on_empty(self) -> None:
        """No stream is left."""


class Controlled(Sender, Protocol):
    """The connection as control frames see and change it."""

    host: Host
    streams: dict[int, Incoming]
    last_id: int
    last_served: int | None
    initial_window: int

    def pump(self) -> None:
        """Send parked bytes as far as the windows allow."""

    def unblock(self, stream: Incoming) -> None:
        """Send the stream's parked bytes, since its window may have opened."""

    def written(self) -> None:
        """Tell the host that `out` has frames."""

    def charge_reset(self) -> None:
        """Count a reset by the client. Raises ConnectionFault where there were too many."""

    def drop(self, stream: Incoming) -> None:
        """Remove a stream that its client has reset."""
