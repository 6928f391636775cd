"""The outbound half of a stream: it sends what the windows allow, and parks the rest.

It knows no ASGI and does no I/O.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from . import frames

QUEUE_BYTES = 256 * 1024
"""How many bytes of DATA one turn of the loop hands to the transport; the rest waits for the next."""


class Sender(Protocol):
    """The connection, as its streams see it when they send."""

    out: list[bytes | memoryview]
    """Frames to write."""
    send_window: int
    max_frame: int
    queued: int
    """Bytes of DATA in `out`."""
    write_paused: bool
    """Whether the transport's buffer is full."""

    def earn_data(self) -> None:
        """Counts a DATA frame that was sent."""


class Outgoing:
    """The data sent on one stream. `end` is called once, and `write` never after it."""

    __slots__ = ("_id", "_last", "finished", "parked", "parked_bytes", "window")

    def __init__(self, stream_id: int, window: int) -> None:
        self._id, self.window = stream_id, window
        self.parked: deque[memoryview] | tuple[()] = ()  # most streams never park, and a deque is half a KiB
        self.parked_bytes = 0
        self._last: bytes | None = None
        self.finished = False
        """True once everything is sent, including the end of the stream."""

    @property
    def ended(self) -> bool:
        """Whether the end is written, though it may still be parked."""
        return self._last is not None

    def write(self, connection: Sender, data: bytes, *, last: bool) -> None:
        """Sends a piece of the body as DATA; `last` ends the stream with it."""
        size = len(data)
        if last:
            self._last = b""
        if self.parked or (
            size > self.window
            or size > connection.send_window
            or size > connection.max_frame
            or connection.queued > QUEUE_BYTES
            or connection.write_paused
        ):
            if size:
                self._park(memoryview(data))
            return
        if size or last:
            self._send(connection, data, frames.END_STREAM if last else 0)
            self.finished = last

    def whole(self, connection: Sender, head: bytes, body: bytes, trailers: bytes) -> None:
        """Sends a whole response: the frames of its head, its body, and the frames of its trailers if it has any."""
        size = len(body)
        fits = size <= self.window and size <= connection.send_window and size <= connection.max_frame
        if not fits or connection.queued > QUEUE_BYTES or connection.write_paused:
            connection.out.append(head)
            self.write(connection, body, last=not trailers)
            if trailers:
                self.end(connection, trailers)
            return
        self._last, self.finished = trailers, True
        if not size and trailers:
            connection.out += (head, trailers)
            return
        self.window -= size
        connection.send_window -= size
        connection.queued += size
        connection.earn_data()
        connection.out += (head, frames.data_head(size, 0 if trailers else frames.END_STREAM, self._id), body, trailers)

    def _park(self, data: memoryview) -> None:
        if isinstance(self.parked, tuple):
            self.parked = deque()
        self.parked.append(data)
        self.parked_bytes += len(data)

    def end(self, connection: Sender, last: bytes) -> None:
        """Ends the stream with these frames, after everything parked."""
        self._last = last
        if not self.parked:
            connection.out.append(last)
            self.finished = True

    def push(self, connection: Sender) -> bool:
        """Sends one frame of parked data, and the end after the last; returns False if a window prevents it."""
        parked = self.parked
        if isinstance(parked, tuple):
            return False
        piece = parked[0]
        size = min(len(piece), self.window, connection.send_window, connection.max_frame)
        if size <= 0:
            return False
        if size < len(piece):
            parked[0], piece = piece[size:], piece[:size]
        else:
            parked.popleft()
        self.parked_bytes -= size
        ends = not parked and self._last is not None
        self._send(connection, piece, frames.END_STREAM if ends and not self._last else 0)
        if ends:
            if self._last:
                connection.out.append(self._last)
            self.finished = True
        return True

    def _send(self, connection: Sender, data: bytes | memoryview, flags: int) -> None:
        size = len(data)
        self.window -= size
        connection.send_window -= size
        connection.queued += size
        connection.out.append(frames.data_head(size, flags, self._id))
        if size:
            connection.out.append(data)
        connection.earn_data()
