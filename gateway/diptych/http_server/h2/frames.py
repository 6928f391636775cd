"""The frame layer of HTTP/2 (RFC 9113 sections 4, 6 and 7): numbers, and frames as bytes.

It knows no connection and not what a frame means.
"""

from __future__ import annotations

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = struct.Struct(">HBBBI")  # the 24 bits of the length as 16 and 8
HEAD_BYTES = 9
SMALLEST_MAX_FRAME = 16384
MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65535

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20


class ErrorCode(IntEnum):
    """RFC 9113 section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Setting(IntEnum):
    """RFC 9113 section 6.5.2."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


class ConnectionFault(Exception):
    """A connection error (section 5.4.1): GOAWAY is sent, and the connection closed."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(f"{code.name}: {reason}")
        self.code, self.reason = code, reason


class StreamFault(Exception):
    """A stream error (section 5.4.2): RST_STREAM is sent; other streams continue."""

    def __init__(self, stream_id: int, code: ErrorCode, reason: str, status: int = 400) -> None:
        """`status` is the HTTP status that the same fault has over HTTP/1.1."""
        super().__init__(f"stream {stream_id}: {code.name}: {reason}")
        self.stream_id, self.code, self.status = stream_id, code, status


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Returns one frame; `payload` has at most 2^24 - 1 bytes."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def data_head(size: int, flags: int, stream_id: int) -> bytes:
    """Returns the head of a DATA frame, so that the payload need not be copied."""
    return HEAD.pack(size >> 8, size & 0xFF, DATA, flags, stream_id)


def settings(values: dict[Setting, int]) -> bytes:
    """Returns a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in values.items()))


SETTINGS_ACK = frame(SETTINGS, ACK, 0)


def reset(stream_id: int, code: ErrorCode) -> bytes:
    """Returns a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def window_update(stream_id: int, increment: int) -> bytes:
    """Returns a WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def goaway(last_stream_id: int, code: ErrorCode, reason: str = "") -> bytes:
    """Returns a GOAWAY frame; streams above `last_stream_id` were not served, so clients may retry them elsewhere."""
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream_id, code) + reason.encode())


def header_frames(stream_id: int, block: bytes, flags: int, most: int) -> bytes:
    """Returns HEADERS, and CONTINUATION frames if `block` exceeds `most` bytes. `flags` is END_STREAM or 0."""
    size = len(block)
    if size <= most:  # nearly always; not by `frame`, a call for every response
        return HEAD.pack(size >> 8, size & 0xFF, HEADERS, flags | END_HEADERS, stream_id) + block
    pieces = [block[start : start + most] for start in range(0, len(block), most)]
    frames = [frame(HEADERS, flags, stream_id, pieces[0])]
    frames += (frame(CONTINUATION, 0, stream_id, piece) for piece in pieces[1:-1])
    frames.append(frame(CONTINUATION, END_HEADERS, stream_id, pieces[-1]))
    return b"".join(frames)


def unpadded(flags: int, payload: bytes) -> bytes:
    """Returns the payload of DATA or HEADERS without its padding. Raises ConnectionFault."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the padding is longer than the frame")
    return payload[1 : len(payload) - payload[0]]
