"""Frames between the server's process and a worker: a length, then JSON, sometimes with file descriptors.

Not pickle: workers parse untrusted files, and their answers must not be able to run code in the server.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

Frame = dict[str, Any]

_LENGTH = struct.Struct("!I")
_MAX_FDS = 2  # a document, and a file for the result
HEADER = _LENGTH.size
MAX_FRAME = 64 * 1024 * 1024  # bytes; a worker that sends more is killed


def pack(frame: Frame) -> bytes:
    body = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return _LENGTH.pack(len(body)) + body


def unpack_length(header: bytes) -> int:
    """Returns the length of the body that follows. Raises ValueError if it exceeds MAX_FRAME."""
    (length,) = _LENGTH.unpack(header)
    if length > MAX_FRAME:
        raise ValueError(f"a frame has {length:,} bytes; at most {MAX_FRAME:,} are allowed")
    return int(length)


def unpack(body: bytes) -> Frame:
    frame = json.loads(body)
    if not isinstance(frame, dict):
        raise ValueError("a frame is not a JSON object")
    return frame


def send(sock: socket.socket, frame: Frame, fds: Sequence[int] = ()) -> None:
    """Send a small frame, optionally with file descriptors. Raises OSError, also if it would block."""
    data = pack(frame)
    sent = socket.send_fds(sock, [data], fds)
    if sent != len(data):
        raise BlockingIOError("the worker is not reading")


def receive(sock: socket.socket) -> tuple[Frame, list[int]] | None:
    """Wait for a frame; returns None at the end of the stream."""
    # Descriptors arrive with the first byte of their frame, so only the header is read here.
    header, fds, _, _ = socket.recv_fds(sock, HEADER, _MAX_FDS)
    if not header:
        return None
    header += _exactly(sock, HEADER - len(header))
    body = _exactly(sock, unpack_length(header))
    for fd in fds:
        os.set_inheritable(fd, False)  # programs that the worker starts must not inherit documents
    return unpack(body), list(fds)


def _exactly(sock: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = sock.recv(min(count, 1 << 20))
        if not part:
            raise EOFError("the server closed the socket within a frame")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
