"""A worker process that serves many requests at once, each with a stream of parts, as the server sees it.

What goes over the socket: the server opens a request by a number, and may cancel it; the process sends parts of any
requests together, as they are ready. Knows nothing of what the requests ask.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import subprocess
from collections.abc import AsyncGenerator

from . import wire
from .child import ChildProcess, Ended

_log = logging.getLogger(__name__)


class _Inbox:
    """The parts of one request that have arrived and are not taken."""

    def __init__(self) -> None:
        self.parts: list[wire.Frame] = []
        self.last = False
        self.arrived = asyncio.Event()

    def add(self, part: wire.Frame | None) -> None:
        """Add a part; None is the end."""
        if part is None:
            self.last = True
        else:
            self.parts.append(part)
        self.arrived.set()


class StreamProcess(ChildProcess):
    """A process whose program calls `serve_streams`.

    It is killed if a cancelled request has not ended after `cancel_seconds`: what holds it would hold all others too.
    """

    def __init__(
        self, popen: subprocess.Popen[bytes], sock: socket.socket, life: socket.socket, folder: str | None
    ) -> None:
        super().__init__(popen, sock, life, folder)
        self.cancel_seconds = 300.0
        self._numbers = itertools.count(1)
        self._open: dict[int, _Inbox] = {}
        self._cancelled: dict[int, asyncio.TimerHandle] = {}  # those that have not ended, with what kills the process

    @property
    def running(self) -> int:
        """The number of requests that have not ended."""
        return len(self._open)

    @property
    def cancelling(self) -> int:
        """The number of requests that were cancelled and that the process has not ended."""
        return len(self._cancelled)

    async def request(self, request: wire.Frame) -> AsyncGenerator[list[wire.Frame], None]:
        """Yields what has arrived since, at least one part each time. Closing it cancels the request.

        Raises Ended if the process ends first; `began` says whether a part had arrived.
        """
        if self.closed.is_set():
            raise Ended(began=False, status=self.status)
        number, inbox, began = next(self._numbers), _Inbox(), False
        self._open[number] = inbox
        self.write({"open": number, "request": request})
        try:
            while not inbox.last:
                await inbox.arrived.wait()
                inbox.arrived.clear()
                if inbox.parts:
                    began, parts, inbox.parts = True, inbox.parts, []
                    yield parts
                if number not in self._open:
                    break
            if not inbox.last:
                raise Ended(began, self.status)
        finally:
            if self._open.pop(number, None) is not None and not inbox.last:
                self._cancel(number)

    def _cancel(self, number: int) -> None:
        if not self.closed.is_set():
            self.write({"cancel": number})
            loop = asyncio.get_running_loop()
            self._cancelled[number] = loop.call_later(self.cancel_seconds, self._give_up)

    def _give_up(self) -> None:
        _log.error("process %d has not ended a cancelled request in %g s; it is killed", self.pid, self.cancel_seconds)
        self.kill()

    def received(self, frame: wire.Frame) -> None:
        """Give each request its parts; those of a cancelled one are dropped."""
        for number, part in frame["parts"]:
            if inbox := self._open.get(number):
                inbox.add(part)
            elif part is None and (timer := self._cancelled.pop(number, None)):
                timer.cancel()

    def ended(self) -> None:
        """Wake all requests, which then fail."""
        while self._cancelled:
            self._cancelled.popitem()[1].cancel()
        left, self._open = self._open, {}
        for inbox in left.values():
            inbox.arrived.set()
