"""The frames that carry no request: settings, windows, pings, resets and the rest (RFC 9113 section 6).

Each is handled by a function that changes the connection. It knows the connection only by its interface.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from . import frames
from .frames import ConnectionFault, ErrorCode, Setting, StreamFault
from .interfaces import Controlled
from .limits import MAX_FRAME_BYTES


def _on_window_update(connection: Controlled, _: int, stream_id: int, payload: bytes) -> None:
    if len(payload) != 4:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a WINDOW_UPDATE frame of invalid size")
    increment = int.from_bytes(payload, "big") & 0x7FFFFFFF
    if not stream_id:
        connection.send_window += increment
        if not increment or connection.send_window > frames.MAX_WINDOW:
            code = ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
            raise ConnectionFault(code, "an invalid window increment")
        connection.pump()
        return
    if stream_id > connection.last_id or not stream_id & 1:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
    stream = connection.streams.get(stream_id)
    if stream is None:
        return
    stream.out.window += increment
    if not increment or stream.out.window > frames.MAX_WINDOW:
        code = ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
        raise StreamFault(stream_id, code, "an invalid window increment")
    connection.unblock(stream)


def _on_settings(connection: Controlled, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
    if len(payload) % 6 or (flags & frames.ACK and payload):
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a SETTINGS frame of invalid size")
    if flags & frames.ACK:
        return
    connection.out.append(frames.SETTINGS_ACK)  # before DATA that only the new window allows
    for name, value in struct.iter_unpack(">HI", payload):
        _set(connection, name, value)
    connection.written()


def _set(connection: Controlled, name: int, value: int) -> None:
    if name == Setting.INITIAL_WINDOW_SIZE:
        if value > frames.MAX_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window larger than 2^31 - 1")
        difference, connection.initial_window = value - connection.initial_window, value
        for stream in list(connection.streams.values()):
            stream.out.window += difference
            if stream.out.window > frames.MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window larger than 2^31 - 1")
            connection.unblock(stream)
    elif name == Setting.MAX_FRAME_SIZE:
        if not frames.SMALLEST_MAX_FRAME <= value < 2**24:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE must be from 2^14 to 2^24 - 1")
        connection.max_frame = min(value, MAX_FRAME_BYTES)  # larger frames of one stream would delay the others
    elif name == Setting.ENABLE_PUSH and value > 1:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH must be 0 or 1")


def _on_ping(connection: Controlled, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
    if len(payload) != 8:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a PING frame of invalid size")
    if flags & frames.ACK:
        connection.host.on_pong(payload)
        return
    connection.out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
    connection.written()


def _on_rst_stream(connection: Controlled, _: int, stream_id: int, payload: bytes) -> None:
    if len(payload) != 4:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a RST_STREAM frame of invalid size")
    if stream_id > connection.last_id or not stream_id & 1:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "RST_STREAM on an idle stream")
    stream = connection.streams.get(stream_id)
    if stream is not None:
        connection.charge_reset()
        connection.drop(stream)


def _on_goaway(connection: Controlled, _: int, stream_id: int, payload: bytes) -> None:
    if stream_id or len(payload) < 8:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "an invalid GOAWAY frame")
    # The client opens no more streams; running ones are finished.
    connection.last_served = connection.last_id


def _on_priority(connection: Controlled, _: int, stream_id: int, payload: bytes) -> None:
    if not stream_id:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY without a stream")
    if len(payload) != 5:
        raise StreamFault(stream_id, ErrorCode.FRAME_SIZE_ERROR, "a PRIORITY frame of invalid size")


def _on_push_promise(connection: Controlled, _: int, __: int, ___: bytes) -> None:
    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a client must not send PUSH_PROMISE")


HANDLERS: dict[int, Callable[[Controlled, int, int, bytes], None]] = {
    frames.PRIORITY: _on_priority,
    frames.RST_STREAM: _on_rst_stream,
    frames.SETTINGS: _on_settings,
    frames.PUSH_PROMISE: _on_push_promise,
    frames.PING: _on_ping,
    frames.GOAWAY: _on_goaway,
    frames.WINDOW_UPDATE: _on_window_update,
}
