"""The I/O of one HTTP/2 connection on asyncio: bytes, timers, tasks, and the ways it ends.

It knows no frame's inside: those are the connection's.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import ASGIApp, Scope
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from ...exchange import AUTH
from ..timeouts import Timeouts, Wait
from . import frames
from .connection import Connection
from .frames import ConnectionFault, ErrorCode
from .head import Head
from .limits import STREAM_WINDOW_BYTES, Limits
from .stream import Stream

logger = logging.getLogger("diptych")

# How long a peer that was told goodbye has to close: a socket closed with unread bytes would take the goodbye with it.
LINGER_SECONDS = 0.5
# How long a peer that was told to begin no more streams has to answer that it has heard it.
DRAIN_SECONDS = 2.0
_DRAINING, _ALIVE = b"draining", b"alive?!?"
_DRAIN_PING = frames.frame(frames.PING, 0, 0, _DRAINING)
_PREFACE, _NOTHING = "preface", "nothing"

TOO_MANY = frames.settings({}) + frames.goaway(0, ErrorCode.NO_ERROR, "too many connections")
"""What a client is told that is one too many; it may try elsewhere."""


@dataclass(frozen=True, slots=True)
class Apps:
    """What answers requests."""

    serve: ASGIApp
    refuse: ASGIApp
    """Answers the requests whose head is too large."""


class Http2Protocol(asyncio.Protocol):
    """One connection. `state` is uvicorn's, `app_state` the lifespan's, for requests."""

    def __init__(self, apps: Apps, limits: Limits, state: ServerState, app_state: dict[str, Any]) -> None:
        self._apps, self._limits, self._state, self._app_state = apps, limits, state, app_state
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(limits, self)
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._opening: bytes | None = b""
        self._running = 0
        self._flushing = self._lingering = self._draining = self._silent = False
        self._heard = self._busy = self._asked = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._drained_id: int | None = None
        self._wait = Wait()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = cast(asyncio.Transport, transport)
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._base = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "2",
            "server": get_local_addr(self.transport),
            "client": get_remote_addr(self.transport),
            "scheme": "https" if is_ssl(self.transport) else "http",
            "root_path": "",
        }
        tls: Any = self.transport.get_extra_info("ssl_object")
        if tls is not None:
            self._base[AUTH] = tls.proven
        self._connection.greet()
        self.written()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._lingering:
            return
        self._heard = self._loop.time()
        try:
            if self._opening is not None:
                data = self._open(data)
            self._connection.receive(data)
        except ConnectionFault as fault:
            self._part(fault.code, fault.reason)

    def _open(self, data: bytes) -> bytes:
        opening = (self._opening or b"") + data
        size = len(frames.PREFACE)
        if opening[:size] != frames.PREFACE[: len(opening)]:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the connection does not begin as HTTP/2")
        self._opening = opening if len(opening) < size else None
        return opening[size:]

    def eof_received(self) -> bool:
        """The peer has nothing more to say, and gets no answer: HTTP/2 has no half-open connections."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Every request is over for its client."""
        self._state.connections.discard(self)
        self._lingering = True
        self._stop_timers()
        self._forget_streams()

    def pause_writing(self) -> None:
        """The transport holds enough."""
        self._connection.write_paused = True

    def resume_writing(self) -> None:
        """The transport takes more."""
        self._connection.write_paused = False
        self._connection.pump()
        for stream in list(self._connection.streams.values()):
            stream.on_room()

    # What the connection calls.

    def begin(self, stream_id: int, request: Head, window: int) -> Stream | None:
        """Start a request; refused while as many run as may, those included whose client has left them."""
        if self._lingering or self._running >= self._limits.max_streams:
            return None
        scope: Scope = {
            **self._base,
            "method": request.method,
            "path": request.path,
            "raw_path": request.raw_path,
            "query_string": request.query,
            "headers": list(request.headers),
            "state": self._app_state.copy(),
            "extensions": {"http.response.trailers": {}},
        }
        connection, defaults = self._connection, self._state.default_headers
        stream = Stream(connection, self._loop, stream_id, request, STREAM_WINDOW_BYTES, window, defaults)
        self._running += 1
        app = self._apps.serve if not request.too_large else self._apps.refuse
        stream.task = task = self._loop.create_task(self._serve(stream, app, scope))
        self._state.tasks.add(task)
        return stream

    async def _serve(self, stream: Stream, app: ASGIApp, scope: Scope) -> None:
        try:
            await stream.run(app, scope)
        finally:  # a callback of the task would be one more turn of the loop
            self._running -= 1
            if stream.task is not None:
                self._state.tasks.discard(stream.task)
                stream.task = None

    def written(self) -> None:
        """Write once for everything that is said in this turn of the loop."""
        if not self._flushing and not self._silent:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        connection = self._connection
        if connection.out:
            data = b"".join(connection.out)
            connection.out.clear()
            connection.queued = 0
            if not self._silent and not self.transport.is_closing():
                self.transport.write(data)
        if connection.blocked and connection.send_window > 0 and not connection.write_paused:
            connection.pump()

    def on_pong(self, payload: bytes) -> None:
        """The peer has read the GOAWAY before the PING; it is asked once more, until nothing new came in between.

        Section 6.8 has one PING. gRPC's core, though, answers it ahead of the streams that it had begun before it
        read the GOAWAY, and all of that may come in one piece.
        """
        if payload != _DRAINING or not self._draining or self._lingering:
            return
        if self._connection.last_id == self._drained_id:
            self.shutdown()
            return
        self._drained_id = self._connection.last_id
        self._connection.out.append(_DRAIN_PING)
        self.written()

    def on_empty(self) -> None:
        """No request is left: the end, where there shall be no more."""
        self._busy = self._loop.time()
        if self._connection.last_served is not None:
            self._part(ErrorCode.NO_ERROR)

    # Ends.

    def drain(self) -> None:
        """Ask the peer to begin no more streams, take those that are under way, and shut down once it has heard it."""
        if not self._draining and not self._lingering:
            self._draining = True
            self._connection.out.append(frames.goaway(frames.MAX_WINDOW, ErrorCode.NO_ERROR))
            self._connection.out.append(_DRAIN_PING)
            self._drain_timer = self._loop.call_later(DRAIN_SECONDS, self.shutdown)
            self.written()

    def shutdown(self) -> None:
        """Take no more streams, finish those that run, and close; streams refused may be sent elsewhere."""
        connection = self._connection
        if self._lingering:
            return
        if not connection.streams:
            self._part(ErrorCode.NO_ERROR)
        elif connection.last_served is None:
            connection.last_served = connection.last_id
            connection.out.append(frames.goaway(connection.last_id, ErrorCode.NO_ERROR))
            self.written()

    def end(self) -> None:
        """Close now, telling clients of streams that are not complete."""
        for stream in list(self._connection.streams.values()):
            stream.cut()
        if not self._lingering:
            self._part(ErrorCode.NO_ERROR)
        if not self.transport.is_closing():
            self.transport.close()

    def _part(self, code: ErrorCode, reason: str = "") -> None:
        """Say goodbye, and close once the peer has, or some time after."""
        if self._lingering:
            return
        self._lingering = True
        if code is not ErrorCode.NO_ERROR:
            logger.info("closing an HTTP/2 connection of %s: %s: %s", self._base["client"], code.name, reason)
        self._connection.out.append(frames.goaway(self._connection.last_id, code, reason))
        self._flush()
        self._silent = True
        self._forget_streams()
        self._stop_timers()
        if self.transport.is_closing():
            return
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        try:
            self.transport.write_eof()
        except OSError:  # the peer has gone, which only the write shows
            self.transport.abort()
            return
        self._timer = self._loop.call_later(LINGER_SECONDS, self._leave, code)

    def _leave(self, code: ErrorCode) -> None:
        """Close; a peer in good standing that reads slowly has until then to read what it is owed."""
        if code is ErrorCode.NO_ERROR and self.transport.get_write_buffer_size():
            self._timer = self._loop.call_later(self._limits.idle_seconds, self.transport.abort)
        else:
            self.transport.abort()

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._drain_timer):
            if timer is not None:
                timer.cancel()

    def _forget_streams(self) -> None:
        streams = list(self._connection.streams.values())
        self._connection.streams.clear()
        self._connection.blocked.clear()
        for stream in streams:
            stream.on_reset()

    # Time.

    def look(self, now: float, timeouts: Timeouts) -> None:
        """Part with a peer that does not come to the end of the preface, or of a request's fields."""
        connection = self._connection
        amid = connection.last_id if connection.amid_head else _NOTHING  # the next request is another object
        what = amid if self._opening is None else _PREFACE
        if self._wait.over(what, now, timeouts.head) and what is not _NOTHING:
            self._part(ErrorCode.ENHANCE_YOUR_CALM, "a head that takes too long")

    def _watch(self) -> None:
        """Look after the connection, and again when something may be due."""
        limits, now = self._limits, self._loop.time()
        if self._connection.streams:
            self._busy = now
        idle = limits.idle_seconds - (now - max(self._heard, self._busy))
        if idle <= 0:
            self._part(ErrorCode.NO_ERROR)
            return
        due = idle
        if limits.ping_seconds is not None:
            silence = limits.ping_seconds - (now - max(self._heard, self._asked))
            if silence <= 0:
                if self._asked > self._heard:
                    self.transport.abort()
                    return
                self._asked = now
                self._connection.out.append(frames.frame(frames.PING, 0, 0, _ALIVE))
                self.written()
                silence = limits.ping_seconds
            due = min(due, silence)
        self._timer = self._loop.call_later(max(due, 0.001), self._watch)
