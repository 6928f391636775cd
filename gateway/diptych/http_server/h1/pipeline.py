"""The requests of one HTTP/1.1 connection: one is served, the others wait in the order in which they came.

It parses nothing and writes nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, TypeAlias

from starlette.types import ASGIApp

from ..state import ListenerState
from .asgi_request import AsgiRequest
from .whole_request import WholeRequest

Request: TypeAlias = AsgiRequest | WholeRequest


class Owner(Protocol):
    """The connection, as far as its pipeline changes it."""

    state: ListenerState
    write_paused: bool

    def pause_reading(self) -> None:
        """Stops reading, since a request waits."""

    def resume_reading(self) -> None:
        """Reads again, though one waits."""

    def none_waits(self) -> None:
        """Called when no request waits any longer: reads again."""


class Pipeline:
    """`app` serves the requests that go through ASGI."""

    __slots__ = ("_app", "_loop", "_owner", "running", "waiting")

    def __init__(self, owner: Owner, app: ASGIApp) -> None:
        self._owner, self._app = owner, app
        self._loop = asyncio.get_running_loop()
        self.running: Request | None = None
        """The request that is served; its owner sets it to None once its response is complete."""
        self.waiting: deque[Request] = deque()

    def admit(self, request: Request) -> None:
        """Serves a request, now if nothing runs and the client reads its responses."""
        owner = self._owner
        if self.running is not None or owner.write_paused:
            owner.pause_reading()
            if not self.waiting:
                self._loop.call_soon(self._watch, self.running)
            self.waiting.append(request)
            return
        self.running = request
        tasks = owner.state.tasks
        if isinstance(request, WholeRequest):
            task = request.task = self._loop.create_task(request.run())
        else:
            task = self._loop.create_task(request.run(self._app))
            task.add_done_callback(tasks.discard)
        tasks.add(task)

    def _watch(self, running: Request | None) -> None:
        """Reads again if the request that was running still is: else its client's disconnect would not be noticed."""
        if running is self.running and isinstance(running, WholeRequest):
            self._owner.resume_reading()

    def go_on(self) -> None:
        """Serves the next request, as none runs; if none waits behind it, the connection reads again."""
        if self.waiting and not self._owner.write_paused:
            self.admit(self.waiting.popleft())
            if self.waiting:
                self._loop.call_soon(self._watch, self.running)
        if not self.waiting:  # not before: clients could send requests faster than they are served
            self._owner.none_waits()

    def leave(self) -> None:
        """Tells every request that its client has left."""
        for request in (self.running, *self.waiting):
            if request is not None and not request.complete:
                request.on_left()
        self.running = None
        self.waiting.clear()
