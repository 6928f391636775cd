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
        if self.running is None and not self._owner.write_paused:
            self._start(request)
        else:
            self.waiting.append(request)
            self._owner.pause_reading()

    def go_on(self) -> None:
        """Serves the next request; if none waits behind it, the connection reads again."""
        if self.waiting:
            self._start(self.waiting.popleft())
        if not self.waiting:  # not before: clients could send requests faster than they are served
            self._owner.none_waits()

    def _start(self, request: Request) -> None:
        self.running = request
        tasks = self._owner.state.tasks
        if isinstance(request, WholeRequest):
            task = request.task = self._loop.create_task(request.run())
        else:
            task = self._loop.create_task(request.run(self._app))
            task.add_done_callback(tasks.discard)
        tasks.add(task)

    def leave(self) -> None:
        """Tells every request that its client has left."""
        for request in (self.running, *self.waiting):
            if request is not None and not request.complete:
                request.on_left()
        self.running = None
        self.waiting.clear()
