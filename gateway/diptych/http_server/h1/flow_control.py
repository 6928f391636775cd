"""When a connection reads, and when it may write: the back-pressure of both directions.

It knows no HTTP.
"""

from __future__ import annotations

import asyncio

_MOST_HELD = 256 * 1024  # bytes, as much as asyncio reads at once


class FlowControl(asyncio.Protocol):
    """The base of a connection's protocol, which sets `transport`."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.write_paused = self.read_paused = False
        self.pause: object = None
        """The pause of writing that lasts, if one does; each is another object."""
        self.held = b""
        """What was received behind requests that are not answered yet, and is not parsed."""
        self._writers: list[asyncio.Future[None]] = []

    def pause_writing(self) -> None:
        """Called when the transport's buffer is full."""
        self.write_paused, self.pause = True, object()

    def resume_writing(self) -> None:
        """Called when the transport's buffer has room again."""
        self.release_writers()
        self.on_writable()

    def on_writable(self) -> None:
        """Called after the waiting writers were released."""

    def release_writers(self) -> None:
        """Lets all waiting writers go on, also when the connection is lost."""
        self.write_paused, self.pause = False, None
        for writer in self._writers:
            if not writer.done():
                writer.set_result(None)
        self._writers.clear()

    async def writable(self) -> None:
        """Returns once the client has read enough of what was written, or has left."""
        while self.write_paused:
            writer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._writers.append(writer)
            await writer

    def pause_reading(self) -> None:
        """Stops reading, since enough is held."""
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again, which also notices a client that leaves; does nothing while much is held."""
        if self.read_paused and len(self.held) < _MOST_HELD:
            self.read_paused = False
            self.transport.resume_reading()
