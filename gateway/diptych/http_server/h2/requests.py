"""The requests of one HTTP/2 connection: which are served whole and which through ASGI, and how many are running.

It parses no frames.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Scope

from ...exchange import Client, Door
from ...reply import Headers
from ..refusals import LARGE_HEAD
from ..state import ListenerState
from .connection import Connection
from .head import Head, field_bytes
from .limits import STREAM_WINDOW_BYTES
from .outgoing import Outgoing
from .stream import Stream
from .whole_request import WholeRequest


@dataclass(frozen=True, slots=True)
class Apps:
    """What serves the requests of a connection. `door` is asked first, for each of them."""

    serve: ASGIApp
    refuse: ASGIApp
    """Responds to requests whose head is too large."""
    door: Door | None = None


class Requests:
    """Starts the requests of one connection. `base` is what their scopes have in common, `most` how many may run."""

    def __init__(self, apps: Apps, most: int, state: ListenerState, connection: Connection, base: Scope) -> None:
        self._apps, self._most, self._base = apps, most, base
        self.state, self.connection = state, connection
        self._loop = asyncio.get_running_loop()
        self._running = 0  # including those whose client has left
        self._arriving: list[WholeRequest] = []
        self._defaults: Headers = []
        self._block = b""
        self.client = Client.of(base)

    def begin(self, stream_id: int, request: Head, send_window: int) -> WholeRequest | Stream | None:
        """Starts a request; returns None at the limit of running ones."""
        if self._running >= self._most:
            return None
        self._running += 1
        door = self._apps.door
        if door is not None and not request.too_large:
            whole = WholeRequest(self, stream_id, request, send_window)
            serve = door(whole)
            if serve is not None:
                whole.serve = serve
                self._arriving.append(whole)
                return whole
        return self._through_asgi(stream_id, request, Outgoing(stream_id, send_window))

    @property
    def default_block(self) -> bytes:
        """The headers of every response in HPACK: the date, which changes once a second."""
        headers = self.state.default_headers
        if headers is not self._defaults:
            self._defaults, self._block = headers, b"".join(map(field_bytes, headers))
        return self._block

    def settle(self) -> None:
        """Called after each read: requests that have arrived only in part go through ASGI."""
        arriving = self._arriving
        if not arriving:
            return
        self._arriving = []
        for whole in arriving:
            if whole.task is not None:
                continue
            if whole.left:  # reset before it was complete
                self._running -= 1
            else:
                self._pass_on(whole)

    def _pass_on(self, whole: WholeRequest) -> None:
        stream = self._through_asgi(whole.id, whole.head, whole.out)
        stream.window, stream.expected = whole.window, whole.expected
        stream.unread, stream.uncredited = whole.unread, whole.uncredited
        if body := whole.received_so_far():
            stream.on_data(body)
        self.connection.streams[whole.id] = stream

    def _through_asgi(self, stream_id: int, request: Head, out: Outgoing) -> Stream:
        scope: Scope = {
            **self._base,
            "method": request.method,
            "path": request.path,
            "raw_path": request.encoded_path.encode("ascii"),
            "query_string": request.query,
            "headers": list(request.headers),
            "state": self.state.lifespan.copy(),
            "extensions": {"http.response.trailers": {}},
        }
        defaults = self.state.default_headers
        stream = Stream(self.connection, self._loop, stream_id, request, STREAM_WINDOW_BYTES, out, defaults)
        app = self._apps.serve
        if request.too_large:
            app = self._apps.refuse
            self.state.refusals.note(*LARGE_HEAD, self.client.peer)
        stream.task = task = self._loop.create_task(self._run(stream, app, scope))
        self.state.tasks.add(task)
        return stream

    async def _run(self, stream: Stream, app: ASGIApp, scope: Scope) -> None:
        try:
            await stream.run(app, scope)
        finally:  # a done callback would cost another turn of the loop
            self.ended(stream.task)
            stream.task = None

    def start(self, whole: WholeRequest) -> None:
        """Serves a request that has arrived whole."""
        whole.task = task = self._loop.create_task(whole.run())
        self.state.tasks.add(task)

    def ended(self, task: asyncio.Task[None] | None) -> None:
        """Called when a request is no longer running."""
        self._running -= 1
        if task is not None:
            self.state.tasks.discard(task)
