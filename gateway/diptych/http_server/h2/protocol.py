"""The I/O of one HTTP/2 connection on asyncio: bytes, timers, and how it closes.

It does not parse frames; `connection` does.
"""

from __future__ import annotations

import asyncio
from typing import cast

from ...origin import peer_of
from ..scope import connection_scope
from ..stalls import Stall
from ..state import ListenerState
from ..timeouts import Age, Timeouts, Wait
from . import frames
from .connection import Connection
from .frames import ConnectionFault, ErrorCode, StreamFault
from .head import Head
from .interfaces import Incoming
from .limits import Limits
from .requests import Apps, Requests

# How long a peer has to close after the final GOAWAY: a socket closed with unread bytes is reset, and the GOAWAY lost.
LINGER_SECONDS = 0.5
# How long a peer has to acknowledge the first GOAWAY of a drain.
DRAIN_SECONDS = 2.0
_DRAINING, _ALIVE = b"draining", b"alive?!?"
_DRAIN_PING = frames.frame(frames.PING, 0, 0, _DRAINING)
_PREFACE, _NOTHING = "preface", "nothing"
_MAX_AGE = "max_age"  # gRPC servers send this word as the debug data

TOO_MANY = frames.settings({}) + frames.goaway(0, ErrorCode.NO_ERROR, "too many connections")
"""The response to a connection above the limit; its client may try elsewhere."""


class Http2Protocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, apps: Apps, limits: Limits, state: ListenerState) -> None:
        self._apps, self._limits, self._state = apps, limits, state
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(limits, self)
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._opening: bytes | None = b""
        self._held = b""  # received, but left to the next turn of the loop
        self._flushing = self._lingering = self._draining = self._silent = False
        self._received_at = self._busy_at = self._pinged_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._drained_id: int | None = None
        self._wait, self._age = Wait(), Age()
        self._stuck: dict[int, float] = {}
        """The streams of which bytes wait for the client, and since when it has taken none."""
        self._pause: object = None
        self._stall: Stall | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends our SETTINGS."""
        self.transport = cast(asyncio.Transport, transport)
        self._state.connections.add(self)
        base = connection_scope(self.transport, "2")
        self._client = base["client"]
        self._requests = Requests(self._apps, self._limits.max_streams, self._state, self._connection, base)
        self._connection.greet()
        self.written()
        self._check_idle()

    def data_received(self, data: bytes) -> None:
        """Parses received bytes."""
        if self._lingering:
            return
        self._received_at = self._loop.time()
        if self._held:
            self._held += data
            return
        try:
            if self._opening is not None:
                data = self._open(data)
            self._held = self._connection.receive(data)
            self._requests.settle()
            if self._held:
                self.transport.pause_reading()
                self._loop.call_soon(self._go_on)
        except ConnectionFault as fault:
            self._close(fault.code, fault.reason)

    def _go_on(self) -> None:
        """Parses what is held, then reads again."""
        held, self._held = self._held, b""
        self.data_received(held)
        if not self._held and not self.transport.is_closing():
            self.transport.resume_reading()

    def _open(self, data: bytes) -> bytes:
        opening = (self._opening or b"") + data
        size = len(frames.PREFACE)
        if opening[:size] != frames.PREFACE[: len(opening)]:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the connection does not begin with the HTTP/2 preface")
        self._opening = opening if len(opening) < size else None
        return opening[size:]

    def eof_received(self) -> bool:
        """Closes the connection: HTTP/2 has no half-open ones."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends every request, since its client has left."""
        self._state.connections.discard(self)
        self._lingering = True
        self._stop_timers()
        self._forget_streams()

    def pause_writing(self) -> None:
        """Called when the transport's buffer is full."""
        self._connection.write_paused, self._pause = True, object()

    def resume_writing(self) -> None:
        """Called when the transport's buffer has room again."""
        self._connection.write_paused = False
        self._connection.pump()
        for stream in list(self._connection.streams.values()):
            stream.on_writable()

    # What the connection calls.

    def begin(self, stream_id: int, request: Head, window: int) -> Incoming | None:
        """Starts a request; refuses it at the limit of running ones, which include those whose client has left."""
        return None if self._lingering else self._requests.begin(stream_id, request, window)

    def refused(self, fault: StreamFault) -> None:
        """Notes a stream that is reset; not those that come after a GOAWAY, which is no fault of a client."""
        if fault.code is not ErrorCode.REFUSED_STREAM or self._connection.last_served is None:
            # Without the fault's own text, which may have what the client sent: each reason is kept for a minute.
            self._state.refusals.note(f"an HTTP/2 stream ({fault.code.name})", fault.status, self._peer)

    @property
    def _peer(self) -> str:
        return "unknown:" if self._client is None else peer_of(*self._client)

    def written(self) -> None:
        """Schedules one write for all frames of this turn of the loop."""
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
        """Ends the drain if no stream was opened since the last PING, else sends another.

        Section 6.8 suggests one PING. gRPC's core, however, acknowledges it ahead of the streams that it opened before
        it read the GOAWAY, and all of that may arrive in one piece.
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
        """Called when no request is left: closes the connection if it accepts no more."""
        self._busy_at = self._loop.time()
        if self._connection.last_served is not None:
            self._close(ErrorCode.NO_ERROR)

    # Ends.

    def drain(self, reason: str = "") -> None:
        """Asks the peer to open no more streams, accepts them until it has acknowledged, and then shuts down."""
        if not self._draining and not self._lingering:
            self._draining = True
            self._connection.out.append(frames.goaway(frames.MAX_WINDOW, ErrorCode.NO_ERROR, reason))
            self._connection.out.append(_DRAIN_PING)
            self._drain_timer = self._loop.call_later(DRAIN_SECONDS, self.shutdown)
            self.written()

    def shutdown(self) -> None:
        """Refuses new streams, finishes running ones, and closes; clients may retry refused streams elsewhere."""
        connection = self._connection
        if self._lingering:
            return
        if not connection.streams:
            self._close(ErrorCode.NO_ERROR)
        elif connection.last_served is None:
            connection.last_served = connection.last_id
            connection.out.append(frames.goaway(connection.last_id, ErrorCode.NO_ERROR))
            self.written()

    def end(self) -> None:
        """Closes now, after resetting incomplete streams."""
        for stream in list(self._connection.streams.values()):
            stream.cut()
        if not self._lingering:
            self._close(ErrorCode.NO_ERROR)
        if not self.transport.is_closing():
            self.transport.close()

    def _close(self, code: ErrorCode, reason: str = "") -> None:
        """Sends GOAWAY, and closes once the peer has closed, or after a time-out."""
        if self._lingering:
            return
        self._lingering = True
        if code is not ErrorCode.NO_ERROR:
            self._state.refusals.note(f"an HTTP/2 connection ({code.name})", 400, self._peer)
        self._connection.out.append(frames.goaway(self._connection.last_id, code, reason))
        self._flush()
        self._silent = True
        self._forget_streams()
        self._stop_timers()
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            try:
                self.transport.write_eof()
            except OSError:  # the peer has gone, which only the write shows
                self.transport.abort()
                return
        elif code is ErrorCode.NO_ERROR:
            self.transport.close()
            return
        self._timer = self._loop.call_later(LINGER_SECONDS, self._close_transport, code)

    def _close_transport(self, code: ErrorCode) -> None:
        """Aborts the transport; without an error, a slow peer has the idle time-out to read its responses."""
        if code is ErrorCode.NO_ERROR and self.transport.get_write_buffer_size():
            self._timer = self._loop.call_later(self._limits.idle_seconds, self.transport.abort)
        else:
            self.transport.abort()

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._drain_timer):
            if timer is not None:
                timer.cancel()

    def _forget_streams(self) -> None:
        for stream in self._connection.forget():
            stream.on_reset()

    # Time.

    def look(self, now: float, timeouts: Timeouts) -> None:
        """Ends a client whose preface or fields of a request take too long, or that takes nothing of its responses.

        Drains a connection that is too old.
        """
        connection = self._connection
        if self._age.reached(now, timeouts):
            self.drain(_MAX_AGE)
            if self._age.grace_is_over(now, timeouts):
                self._close(ErrorCode.NO_ERROR, _MAX_AGE)  # gRPC clients report UNAVAILABLE for calls that still run
        if connection.write_paused:
            stall = self._stall = self._stall or Stall()
            if stall.over(self._pause, self.transport, now, timeouts.send):
                self._state.refusals.stalled("h2", self._peer)
                self.transport.abort()
                return
        if connection.streams or self._stuck:
            self._reset_stalled(now, timeouts.send)
        connection.pushed.clear()
        head_of = connection.last_id if connection.amid_head else _NOTHING  # the next request is another object
        what = head_of if self._opening is None else _PREFACE
        if self._wait.over(what, now, timeouts.head) and what is not _NOTHING:
            self._close(ErrorCode.ENHANCE_YOUR_CALM, "the preface or the fields of a request took too long")

    def _reset_stalled(self, now: float, seconds: float) -> None:
        """Resets streams of whose response bytes wait, and of which the client has taken nothing for so long."""
        connection, before, self._stuck = self._connection, self._stuck, {}
        pushed = connection.pushed
        for stream in list(connection.streams.values()):
            if not stream.out.parked:
                continue
            # A stream whose own window is open waits for its turn, as long as the client takes anything at all.
            waits = connection.write_paused or (pushed and stream.out.window > 0)
            since = now if waits or stream.id in pushed else before.get(stream.id, now)
            if now - since < seconds:
                self._stuck[stream.id] = since
                continue
            self._state.refusals.stalled("h2", self._peer)
            connection.drop(stream)
            connection.reset(stream.id, ErrorCode.CANCEL)

    def _check_idle(self) -> None:
        """Checks idle time and PINGs, and schedules the next check."""
        limits, now = self._limits, self._loop.time()
        if self._connection.streams:
            self._busy_at = now
        idle = limits.idle_seconds - (now - max(self._received_at, self._busy_at))
        if idle <= 0:
            self._close(ErrorCode.NO_ERROR)
            return
        due = idle
        if limits.ping_seconds is not None:
            silence = limits.ping_seconds - (now - max(self._received_at, self._pinged_at))
            if silence <= 0:
                if self._pinged_at > self._received_at:
                    self.transport.abort()
                    return
                self._pinged_at = now
                self._connection.out.append(frames.frame(frames.PING, 0, 0, _ALIVE))
                self.written()
                silence = limits.ping_seconds
            due = min(due, silence)
        self._timer = self._loop.call_later(max(due, 0.001), self._check_idle)
