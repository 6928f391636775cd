"""The I/O of one HTTP/1.1 connection: what it feeds to the parser, and how it ends.

A connection that begins with HTTP/2's preface is handed to `h2`, a WebSocket's handshake to `websocket`. It knows no
route, and of requests only that they run one at a time; `request_reader` makes them.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools

from ...exchange import Client
from ..h2 import PREFACE, TOO_MANY
from ..h2.limits import MAX_HEADER_BYTES
from ..lingering_close import LingeringClose
from ..refusals import LATE_HEAD, TOO_MANY_CONNECTIONS
from ..scope import connection_scope
from ..stalls import Stall
from ..timeouts import Age, Timeouts, Wait
from .head import NOTES, Fault, fault_of
from .pipeline import Request
from .request_reader import RequestReader
from .shared import Http1

_SERVED, _PREFACE, _UNREAD = "served", "preface", "unread"
# One read can hold ten thousand requests, and parsed ones take a hundred times as much memory and time as their bytes.
_PARSED_AT_ONCE, _OF_A_BODY = 4 * 1024, 16 * 1024


class Http1Protocol(RequestReader):
    """One connection."""

    def __init__(self, shared: Http1) -> None:
        super().__init__(shared)
        self._loop = asyncio.get_running_loop()
        self._begun: bytes | None = b""  # what may become HTTP/2's preface; None once that is known
        self._heir: asyncio.Protocol | None = None  # the WebSocket that the connection was handed to
        self._deaf = False  # a malformed request came behind the one that is served
        self._wait, self._age = Wait(), Age()
        self._stall: Stall | None = None
        self._aged: Request | None = None  # what was running when the connection became too old

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuses the connection if there are too many; otherwise reads, by HTTP/2 if TLS has negotiated it."""
        self.transport = cast(asyncio.Transport, transport)
        tls: Any = transport.get_extra_info("ssl_object")
        http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        shared = self._shared
        if shared.admission.is_full():
            answer = TOO_MANY if http2 else shared.responses.full
            self.state.refusals.note(*TOO_MANY_CONNECTIONS, _peer(transport))
            self.transport.set_protocol(LingeringClose(self.transport, answer, shared.lingering))
            return
        self.state.connections.add(self)
        self.retiring = self.state.draining
        self._scope = connection_scope(transport, "1.1")
        self.client = Client.of(self._scope)
        if tls is not None:
            self._begun = None  # ALPN has decided
            if http2:
                self._hand_over(shared.make_http2(), b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells every request that its client has left."""
        self.state.connections.discard(self)
        self._line.leave()
        if self._receiving is not None:
            self._receiving.on_left()
            self._receiving = None
        self._parser, self.held = None, b""  # no parser breaks a reference cycle
        self.release_writers()

    def data_received(self, data: bytes) -> None:
        """Parses received bytes."""
        if self.held:
            self.held += data
            self.pause_reading()
        elif self._begun is not None:
            self._begin(self._begun + data)
        elif len(data) > _PARSED_AT_ONCE:
            self._read(data)
        else:
            self._parse(data)
            if self._receiving is not None:
                self._go_on_through_asgi()

    def _begin(self, data: bytes) -> None:
        """Finds out whether a connection begins with HTTP/2's preface."""
        if len(data) < len(PREFACE) and PREFACE.startswith(data):
            self._begun = data  # may be the preface, or POST or PUT
            return
        self._begun = None
        if data.startswith(PREFACE):
            self._hand_over(self._shared.make_http2(), data)
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        """Parses received bytes; holds what comes behind requests that are not answered yet."""
        line, at = self._line, 0
        while at < len(data) and not self._deaf and self._parser is not None:
            piece = data[at : at + (_PARSED_AT_ONCE if self._receiving is None else _OF_A_BODY)]
            at += len(piece)
            self._parse(piece)
            if at < len(data) and (line.waiting or (line.running is not None and self._receiving is None)):
                self.held = data[at:]
                return
        if self._heir is not None and at < len(data):
            self._heir.data_received(data[at:])
        self._go_on_through_asgi()

    def none_waits(self) -> None:
        """Parses what is held, then reads again."""
        if self.held:
            self._loop.call_soon(self._read_held)  # later, since the response of a call is being written
        else:
            self.resume_reading()

    def _read_held(self) -> None:
        held, self.held = self.held, b""
        self._read(held)
        if not self.held and self._parser is not None and not self._line.waiting:
            self.resume_reading()

    def _parse(self, data: bytes) -> None:
        self._unread += len(data)
        while data and self._parser is not None and not self._deaf:
            self._lines.feed(data, self._receiving is None and not self._amid_head)
            try:
                self._parser.feed_data(data)
                if self._amid_head:
                    self._lines.hold()
                break
            except httptools.HttpParserUpgrade as upgrade:  # each of many pipelined requests may offer one
                data = self._upgraded(data[upgrade.args[0] :])
            except httptools.HttpParserError as wrong:
                self._refuse(fault_of(wrong, amid_body=self._receiving is not None))
                return
        if self._unread > MAX_HEADER_BYTES and self._parser is not None:  # the parser buffers them without a limit
            self._refuse("large")

    def _upgraded(self, rest: bytes) -> bytes:
        """Hands a WebSocket over; for other offers returns the head again without it, and what follows."""
        if self._websocket is not None:
            self._heir = heir = self._shared.make_websocket()
            self._hand_over(heir, b"")
            heir.open(*self._websocket)
            if rest:
                heir.data_received(rest)
            return b""
        again, self._again = self._again, b""
        self._parser = self._new_parser()
        return again + rest

    def on_writable(self) -> None:
        """Called when the transport's buffer has room again."""
        if self._line.running is None:
            self._line.go_on()

    # Requests.

    def finished(self, request: Request) -> None:
        """Called when the response of a request is complete."""
        line = self._line
        if line.running is not request:
            return  # the connection was lost, or left to the client
        line.running = None
        if self._deaf or not request.keep_alive:
            self._leave(b"")
        elif not self.write_paused and (self.read_paused or self.held or line.waiting):
            line.go_on()

    def _hand_over(self, protocol: asyncio.Protocol, data: bytes) -> None:
        self.state.connections.discard(self)
        self._parser = None
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if data:
            protocol.data_received(data)

    # Ends.

    def _refuse(self, fault: Fault) -> None:
        """Answers a malformed request, unless that could be mistaken for the response to an earlier one."""
        answer: bytes = getattr(self._shared.responses, fault)
        self.state.refusals.note(*NOTES[fault], self.client.peer)
        running = self._line.running
        self._unread = 0
        if running is None:
            self._leave(answer)
        elif running is self._receiving:
            self._leave(b"" if running.begun else answer)
        else:
            self._deaf = True
            self._line.waiting.clear()

    def _leave(self, answer: bytes) -> None:
        """Sends a last response, and gives the client time to read it."""
        transport = self.transport
        if not transport.is_closing():
            unread = bool(answer or self.held) or self._deaf or self._receiving is not None
            self.connection_lost(None)
            transport.set_protocol(LingeringClose(transport, answer, self._shared.lingering, unread=unread))

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return self._line.running is not None

    def shutdown(self) -> None:
        """Closes the connection, after the running response if there is one."""
        if self._line.running is None:
            self.transport.close()
        else:
            self._line.running.keep_alive = False

    def look(self, now: float, timeouts: Timeouts) -> None:
        """Ends a client that is late with a head, idle for too long, or takes nothing of its responses.

        Retires a connection that is too old.
        """
        wait = self._wait
        if self._age.reached(now, timeouts):
            if not self.retiring:
                self.retiring, self._aged = True, self._line.running
            elif self._aged is not None and self._aged is self._line.running and self._age.grace_is_over(now, timeouts):
                self._leave(b"")
                return
        if self._line.running is not None:
            wait.over(_SERVED, now, timeouts.idle)  # the session limits how long a call runs
            if self.write_paused:
                self._end_stalled(self.pause, now, timeouts)
        elif self._begun or (self._amid_head and not self._line.waiting):  # not while the server stops reading
            if wait.over(_PREFACE if self._begun else self._fields, now, timeouts.head):
                self.state.refusals.note(*LATE_HEAD, self.client.peer)
                self._leave(self._shared.responses.late)
        elif self.transport.get_write_buffer_size():
            wait.over(_UNREAD, now, timeouts.idle)  # it is not idle until it has taken its responses
            self._end_stalled(self.pause or self._fields, now, timeouts)
        elif wait.over(self._fields, now, timeouts.idle):
            self.transport.close()

    def _end_stalled(self, episode: object, now: float, timeouts: Timeouts) -> None:
        stall = self._stall = self._stall or Stall()
        if stall.over(episode, self.transport, now, timeouts.send):
            self.state.refusals.stalled("http/1.1", self.client.peer)
            self.transport.abort()  # a close would wait without a limit for the client to read


def _peer(transport: asyncio.BaseTransport) -> str:
    return Client.of(connection_scope(transport, "1.1")).peer
