"""The interfaces of a connection: to the requests above it, the I/O below it, and the handlers of control frames.

It holds no code.
"""

from __future__ import annotations

from typing import Protocol

from .frames import StreamFault
from .head import Head
from .outgoing import Outgoing, Sender


class Incoming(Protocol):
    """A running request, as its connection sees it."""

    id: int
    out: Outgoing
    window: int
    """How many bytes the client may still send."""
    unread: int
    """Bytes of the body that the application has not read."""
    uncredited: int
    """Bytes that are read or discarded, but not yet given back to the client by WINDOW_UPDATE."""
    expected: int | None
    """How many bytes of the content-length are still to come; None without one."""
    remote_closed: bool

    def on_data(self, data: bytes) -> None:
        """Stores a piece of the body."""

    def on_end(self) -> None:
        """Called when the body is complete."""

    def on_reset(self) -> None:
        """Called when the client has reset the stream or left: nothing more is received or sent."""

    def cut(self) -> None:
        """Ends the stream and leaves the response incomplete."""

    def on_writable(self) -> None:
        """Called when little enough is parked to write more."""


class Host(Protocol):
    """The I/O, as the connection sees it."""

    def begin(self, stream_id: int, head: Head, window: int) -> Incoming | None:
        """Starts a request; returns None to refuse it."""

    def refused(self, fault: StreamFault) -> None:
        """Called when a stream is reset for its client's fault, or for a limit."""

    def written(self) -> None:
        """Called when `out` has frames to write."""

    def on_pong(self, payload: bytes) -> None:
        """Called with the payload of a PING acknowledgement."""

    def on_empty(self) -> None:
        """Called when no stream is left."""


class Controlled(Sender, Protocol):
    """The connection as control frames see and change it."""

    host: Host
    streams: dict[int, Incoming]
    last_id: int
    last_served: int | None
    initial_window: int

    def pump(self) -> None:
        """Sends parked bytes as far as the windows allow."""

    def unblock(self, stream: Incoming) -> None:
        """Sends the stream's parked bytes if its window allows it."""

    def written(self) -> None:
        """Tells the host that `out` has frames."""

    def charge_reset(self) -> None:
        """Counts a stream that the client reset or broke. Raises ConnectionFault if there were too many."""

    def drop(self, stream: Incoming) -> None:
        """Removes a stream that its client has reset."""
