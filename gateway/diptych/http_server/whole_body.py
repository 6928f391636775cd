"""The part of a whole request that HTTP/1.1 and HTTP/2 share: collecting its body, and waiting for its client to leave.

It knows no protocol.
"""

from __future__ import annotations

import asyncio

from ..exchange import Serve


class WholeBody:
    """The base of a request whose body is expected in one read, in one piece or in several."""

    # Subclasses set in `__init__` what every request reads: CPython reads an attribute that its class has too slowly.
    body: bytes
    left: bool
    serve: Serve | None
    """What serves the request, until it has begun to."""
    task: asyncio.Task[None] | None
    _pieces: bytearray | None
    _gone: asyncio.Future[None] | None = None

    def collect(self, data: bytes) -> None:
        """Stores a piece of the body."""
        if self._pieces is not None:
            self._pieces += data
        elif self.body:
            self._pieces = bytearray(self.body + data)
        else:
            self.body = data

    def join(self) -> None:
        """Sets `body` to the whole body. Called when it is complete."""
        if self._pieces is not None:
            self.body, self._pieces = bytes(self._pieces), None

    def received_so_far(self) -> bytes:
        """Returns the part of the body that has arrived."""
        return self.body if self._pieces is None else bytes(self._pieces)

    def leave(self) -> None:
        """Called when the client has left."""
        self.left = True
        if self.task is not None and self.serve is None:  # a task that has not begun would never run its `finally`
            self.task.cancel()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def begin(self) -> Serve:
        """Returns what serves the request; called by its task as it begins."""
        serve, self.serve = self.serve, None  # breaks the reference cycle of request and call
        if serve is None:
            raise RuntimeError("the request has no handler, or is served already")
        if self.left and self.task is not None:
            self.task.cancel()  # takes effect when the call waits for something
        return serve

    async def gone(self) -> None:
        """Returns when the client has left."""
        if not self.left:
            self._gone = asyncio.get_running_loop().create_future()
            await self._gone
