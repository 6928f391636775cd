"""The state of one HTTP/2 connection: frames in, frames out, windows, and what a peer may not do (RFC 9113).

It does no I/O: `receive` parses bytes, and `out` has the frames to write. It knows no ASGI.
"""

from __future__ import annotations

from . import control, frames, head
from .blocks import Block, Blocks
from .frames import ConnectionFault, ErrorCode, Setting, StreamFault
from .interfaces import Host, Incoming
from .limits import (
    CONNECTION_WINDOW_BYTES,
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    PARKED_BYTES,
    STREAM_WINDOW_BYTES,
    Budget,
    Limits,
)
from .outgoing import QUEUE_BYTES

_CREDIT_BYTES = CONNECTION_WINDOW_BYTES // 4
_FRAMING = frames.END_HEADERS | frames.PADDED | frames.PRIORITISED

# Frames that are parsed in one turn of the loop, as how many a request counts, and how many more may complete it.
_AT_ONCE, _HEADERS_COST, _BEYOND = 256, 8, 32
_FREE_UNREAD_BYTES = 65536
_REMEMBERED_RESETS = 1024  # streams that we have reset: their frames may still be under way

# Frames without work: how many may come at once, and how many per second after that (CVE-2019-9512 to 9518).
_IDLE_FRAMES, _IDLE_FRAMES_A_SECOND = 2000, 200
# Well-behaved peers acknowledge what they receive and announce what they send, so requests and DATA frames earn some.
_EARNED_BY_REQUEST, _EARNED_BY_DATA = 4, 3


class Connection:
    """One connection."""

    def __init__(self, most: Limits, host: Host) -> None:
        self.streams: dict[int, Incoming] = {}
        self.out: list[bytes | memoryview] = []
        self.max_frame = frames.SMALLEST_MAX_FRAME
        self.send_window = frames.DEFAULT_WINDOW
        self.last_id = 0
        self.last_served: int | None = None
        """Streams above this id are refused; None before the final GOAWAY."""
        self.blocked: dict[int, Incoming] = {}
        """Streams with parked bytes, in the order in which they are served."""
        self.pushed: set[int] = set()
        """The streams of which parked bytes were sent since it was last emptied."""
        self.queued = 0
        """Bytes of DATA in `out`."""
        self.write_paused = False
        self._most, self.host, self.written = most, host, host.written
        self._blocks = Blocks()
        self._rest = bytearray()
        self._need = 0
        self._greeted = False
        self.initial_window = frames.DEFAULT_WINDOW
        """The peer's window of a new stream."""
        self._receive_window = CONNECTION_WINDOW_BYTES
        self._unread, self._all_unread = 0, most.unread
        self._resets = Budget(2 * most.max_streams, most.max_streams)  # CVE-2023-44487, CVE-2025-8671
        self._idle_frames = Budget(_IDLE_FRAMES, _IDLE_FRAMES_A_SECOND)
        self._reset_here: dict[int, None] = {}

    def greet(self) -> None:
        """Sends our SETTINGS and the connection's window."""
        self.out.append(
            frames.settings(
                {
                    Setting.MAX_CONCURRENT_STREAMS: self._most.max_streams,
                    Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
                    Setting.MAX_FRAME_SIZE: MAX_FRAME_BYTES,
                    Setting.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
                }
            )
        )
        self.out.append(frames.window_update(0, CONNECTION_WINDOW_BYTES - frames.DEFAULT_WINDOW))

    # Reading.

    @property
    def amid_head(self) -> bool:
        """Whether a request's fields have arrived only in part."""
        rest = self._rest
        partial = bool(rest) and (len(rest) < 4 or rest[3] in (frames.HEADERS, frames.CONTINUATION))
        return partial or bool(self._blocks.open_id)

    def receive(self, data: bytes) -> bytes:
        """Parses received bytes; returns those that should be passed again in the next turn of the loop.

        One read can hold twenty thousand frames. Raises ConnectionFault, after which the connection must not be used.
        """
        if self._rest:
            # Copied only once the frame is whole, so that a peer that sends byte by byte is not expensive.
            self._rest += data
            if len(self._rest) < self._need:
                return b""
            data = bytes(self._rest)
            self._rest.clear()
        at, end, left = 0, len(data), _AT_ONCE
        unpack, header = frames.HEAD.unpack_from, frames.HEAD_BYTES
        while end - at >= header:
            high, low, kind, flags, stream_id = unpack(data, at)
            stop = at + header + (high << 8 | low)
            if stop - at - header > MAX_FRAME_BYTES:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame of more than {MAX_FRAME_BYTES} bytes")
            if stop > end:
                self._keep(data, at, stop - at)
                return b""
            try:
                self._frame(kind, flags, stream_id & 0x7FFFFFFF, data[at + header : stop])
            except StreamFault as fault:
                self._refuse(fault)
            at = stop
            left -= _HEADERS_COST if kind == frames.HEADERS else 1
            if left <= 0 and (flags & frames.END_STREAM or left < -_BEYOND):
                return data[at:]
        if at < end:
            self._keep(data, at, header)
        return b""

    def _keep(self, data: bytes, at: int, need: int) -> None:
        self._rest += memoryview(data)[at:]
        self._need = need

    def _frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        open_id = self._blocks.open_id
        if open_id and (kind != frames.CONTINUATION or stream_id != open_id):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame between the frames of a field block")
        if not self._greeted:
            if kind != frames.SETTINGS or flags & frames.ACK:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._greeted = True
        if kind == frames.DATA:
            self._on_data(flags, stream_id, payload)
        elif kind == frames.HEADERS:
            self._on_headers(flags, stream_id, payload)
        elif kind == frames.CONTINUATION:
            self._on_continuation(flags, payload)
        else:
            if not self._idle_frames.spend():
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames without work")
            handle = control.HANDLERS.get(kind)
            if handle is not None:  # section 4.1: frames of unknown types are ignored
                handle(self, flags, stream_id, payload)

    def _refuse(self, fault: StreamFault) -> None:
        """Resets a stream for its client's fault; it counts like a reset by the client."""
        self.host.refused(fault)
        self.charge_reset()
        stream = self.streams.get(fault.stream_id)
        if stream is not None:
            self.drop(stream)
        self.reset(fault.stream_id, fault.code)

    def charge_reset(self) -> None:
        """Counts a stream that the client reset or broke. Raises ConnectionFault if there were too many."""
        if not self._resets.spend():
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many streams opened and reset")

    # Requests.

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the id of a client's stream must be odd")
        plain = flags & _FRAMING == frames.END_HEADERS  # nearly every block is one frame, and nothing else
        block = payload if plain else self._blocks.first(flags, stream_id, payload)
        if block is not None:
            self._on_block(stream_id, block, bool(flags & frames.END_STREAM))

    def _on_continuation(self, flags: int, payload: bytes) -> None:
        done = self._blocks.more(flags, payload)
        if done is not None:
            self._on_block(*done)

    def _on_block(self, stream_id: int, block: Block, ended: bool) -> None:
        if stream_id <= self.last_id:
            self._on_trailers(stream_id, block, ended)
            return
        self.last_id = stream_id
        self._idle_frames.earn(_EARNED_BY_REQUEST)
        found = self._blocks.head(stream_id, block)  # of a refused stream too, to keep the HPACK table in sync
        if self.last_served is not None or len(self.streams) >= self._most.max_streams:
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "the connection accepts no more streams", 503)
        stream = self.host.begin(stream_id, found, self.initial_window)
        if stream is None:
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "too many requests are running", 503)
        self.streams[stream_id] = stream
        if ended:
            self._end(stream)

    def _on_trailers(self, stream_id: int, block: Block, ended: bool) -> None:
        fields = self._blocks.decode(block)
        stream = self.streams.get(stream_id)
        if stream is None:
            if stream_id in self._reset_here:
                return
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, "HEADERS on a closed stream")
        if stream.remote_closed:
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "HEADERS after END_STREAM")
        if not ended:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "trailers without END_STREAM")
        if fields.too_large:  # gRPC clients read this code as RESOURCE_EXHAUSTED
            text = f"trailers of more than {MAX_HEADER_BYTES} bytes"
            raise StreamFault(stream_id, ErrorCode.ENHANCE_YOUR_CALM, text, 431)
        try:
            head.check_trailers(fields.kept)
        except head.Malformed as wrong:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, str(wrong)) from None
        self._end(stream)

    def _end(self, stream: Incoming) -> None:
        if stream.expected:
            raise StreamFault(stream.id, ErrorCode.PROTOCOL_ERROR, "a body shorter than its content-length")
        stream.remote_closed = True
        stream.on_end()

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._receive_window -= size
        if self._receive_window < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "DATA exceeds the connection's window")
        if flags & frames.PADDED:
            payload = frames.unpadded(flags, payload)
        stream = self.streams.get(stream_id)
        if stream is None or stream.remote_closed:
            self._on_stray_data(stream_id)
            return
        stream.window -= size
        if stream.window < 0:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "DATA exceeds the stream's window")
        if payload:
            self._idle_frames.earn(_EARNED_BY_DATA)  # clients send PINGs during uploads, to measure the bandwidth
            self._unread += len(payload)
            stream.unread += len(payload)
            unread = self._all_unread
            unread.bytes += len(payload)
            # Not of a connection that holds little itself, for what others hold.
            if (
                unread.bytes > unread.most and self._unread > _FREE_UNREAD_BYTES
            ):  # gRPC clients read this code as RESOURCE_EXHAUSTED
                raise StreamFault(stream_id, ErrorCode.ENHANCE_YOUR_CALM, "too much is unread on all connections", 503)
            if stream.expected is not None:
                stream.expected -= len(payload)
                if stream.expected < 0:
                    raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "a body longer than its content-length")
            stream.on_data(payload)
        elif not flags & frames.END_STREAM and not self._idle_frames.spend():
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames without work")
        if flags & frames.END_STREAM:
            self._end(stream)
        elif size > len(payload):
            stream.uncredited += size - len(payload)  # padding is never read by the application
        if CONNECTION_WINDOW_BYTES - self._unread - self._receive_window >= _CREDIT_BYTES:  # not by a call, for each
            self._credit_connection()

    def _on_stray_data(self, stream_id: int) -> None:
        if not stream_id or not stream_id & 1 or stream_id > self.last_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA on an idle stream")
        self._credit_connection()
        if stream_id in self._reset_here:
            return
        raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "DATA after END_STREAM")

    # Inbound windows. A stream's is credited as its application reads; the connection's at once, unless all streams
    # together hold too much unread, so that one unread stream does not stop the others.

    def credit(self, stream: Incoming, read: int) -> None:
        """Counts `read` bytes of the stream as read, and credits the windows."""
        self._unread -= read
        self._all_unread.bytes -= read
        stream.unread -= read
        if stream.remote_closed:  # the stream needs no more of its own window
            if CONNECTION_WINDOW_BYTES - self._unread - self._receive_window >= _CREDIT_BYTES:
                self._credit_connection()
            return
        stream.uncredited += read
        if stream.uncredited >= STREAM_WINDOW_BYTES // 2:
            self.out.append(frames.window_update(stream.id, stream.uncredited))
            stream.window += stream.uncredited
            stream.uncredited = 0
            self.written()
        self._credit_connection()

    def _credit_connection(self) -> None:
        owed = CONNECTION_WINDOW_BYTES - self._unread - self._receive_window
        if owed >= _CREDIT_BYTES:
            self.out.append(frames.window_update(0, owed))
            self._receive_window += owed
            self.written()

    # Outbound windows.

    def pump(self) -> None:
        """Sends parked bytes as far as windows and transport allow, one frame per stream in turn."""
        blocked = self.blocked
        while blocked and self.send_window > 0 and self.queued <= QUEUE_BYTES and not self.write_paused:
            stream_id = next(iter(blocked))
            stream = blocked.pop(stream_id)
            if not stream.out.push(self):
                continue  # its own window is closed, until the peer's WINDOW_UPDATE
            self.pushed.add(stream_id)
            if stream.out.parked:
                blocked[stream_id] = stream  # behind the others
            if stream.out.parked_bytes <= PARKED_BYTES:
                stream.on_writable()
            if stream.out.finished:
                self.finish(stream)
        self.written()

    def earn_data(self) -> None:
        """Counts a DATA frame that was sent, since the peer answers it with WINDOW_UPDATE."""
        self._idle_frames.earn(_EARNED_BY_DATA)

    def sent(self, stream: Incoming) -> None:
        """Called after a stream has written: finishes it, or schedules its parked bytes."""
        if stream.out.finished:
            self.finish(stream)
        elif stream.out.parked and stream.id in self.streams:
            self.blocked[stream.id] = stream
            self.pump()
        self.written()

    def unblock(self, stream: Incoming) -> None:
        """Sends the stream's parked bytes if its window allows it."""
        if stream.out.parked and stream.out.window > 0:
            self.blocked[stream.id] = stream
            self.pump()

    # Ends of streams.

    def finish(self, stream: Incoming) -> None:
        """Removes a stream whose response is complete; the rest of the request is refused (RFC 9113 section 8.1)."""
        if not stream.remote_closed and stream.id in self.streams:
            self.reset(stream.id, ErrorCode.NO_ERROR)
        self._remove(stream)

    def abort(self, stream: Incoming, code: ErrorCode) -> None:
        """Resets the stream after everything that it has written."""
        stream.remote_closed = True
        self._ignore(stream.id)
        if not stream.out.finished and stream.id in self.streams:
            stream.out.end(self, frames.reset(stream.id, code))
            self.sent(stream)

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """Resets a stream; frames of it that still arrive are ignored."""
        self.out.append(frames.reset(stream_id, code))
        self._ignore(stream_id)
        self.written()

    def _ignore(self, stream_id: int) -> None:
        self._reset_here[stream_id] = None
        if len(self._reset_here) > _REMEMBERED_RESETS:
            del self._reset_here[next(iter(self._reset_here))]

    def drop(self, stream: Incoming) -> None:
        """Removes a stream that its client has reset."""
        self._remove(stream)
        stream.on_reset()

    def forget(self) -> list[Incoming]:
        """Returns all streams after removing them, as the connection ends."""
        streams = list(self.streams.values())
        self.streams.clear()
        self.blocked.clear()
        self._all_unread.bytes -= self._unread
        self._unread = 0
        for stream in streams:
            stream.unread = 0
        return streams

    def _remove(self, stream: Incoming) -> None:
        if self.streams.pop(stream.id, None) is None:
            return
        self.blocked.pop(stream.id, None)
        if stream.unread:
            self._unread -= stream.unread
            self._all_unread.bytes -= stream.unread
            stream.unread = 0
            self._credit_connection()
        if not self.streams:
            self.host.on_empty()
