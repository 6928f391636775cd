"""WebSockets: handshakes that are sometimes invalid, and frames that often are."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from random import Random

from .frames import CODES, FIRST, MARK, QUIET
from .generate import payload
from .judge import Input, Judge
from .kinds import METHODS
from .mutate import garbage, mutated, odd, size, text


class Sockets:
    """One connection per input."""

    name = "websocket"

    def __init__(self, port: int, judge: Judge) -> None:
        self._port, self._judge = port, judge

    async def throw(self, dice: Random, number: int) -> None:
        handshake = _handshake(dice)
        frames = b"".join(_socket_frame(dice) for _ in range(dice.randrange(1, 5)))
        if dice.random() < 0.15:
            frames = mutated(dice, frames)
        thrown = Input(self.name, number, handshake + frames + _sealed(dice, 9, MARK))
        status, kind, reason = await self._talk(thrown)
        if status != 101:
            self._judge.http(thrown, status, reason) if status else self._judge.count(thrown, "nothing")
        elif kind == 1011:
            self._judge.fault(thrown, f"closed with 1011: {reason!r}")
        elif 4000 < kind <= 4016:
            self._judge.call(thrown, CODES[kind - 4000], reason.decode(errors="replace"))
        else:
            self._judge.count(thrown, {0: "open", -1: "cut"}.get(kind, f"closed {kind}"))

    async def _talk(self, thrown: Input) -> tuple[int, int, bytes]:
        """Returns the handshake's status, the close code (0: no close frame; -1: no code), and the messages."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        data, closed = b"", False
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                writer.write(thrown.sent)
                while len(data) < 1 << 18 and not closed:
                    async with asyncio.timeout(QUIET if data else FIRST):
                        piece = await reader.read(65536)
                    data, closed = data + piece, not piece
                    if b"\x8a\x08" + MARK in data[-200:]:
                        break
        finally:
            writer.transport.abort()
        head, _, rest = data.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.1 ") else 0
        if status != 101:
            return status, 0, rest
        return status, *self._closing(thrown, rest, closed)

    def _closing(self, thrown: Input, data: bytes, closed: bool) -> tuple[int, bytes]:
        while len(data) >= 2:
            first, length, at = data[0], data[1], 2
            if length > 127 or first & 0x70:
                self._judge.fault(thrown, f"an answer that is no frame: {data[:100]!r}")
                break
            if length > 125:
                at = 4 if length == 126 else 10
                length = int.from_bytes(data[2:at], "big")
            if first & 15 == 8:
                return (int.from_bytes(data[at : at + 2], "big") or -1), data[at + 2 : at + length]
            data = data[at + length :]
        return (-1 if closed else 0), b""

    async def close(self) -> None:
        return


_SOCKET_PATHS = (
    *(
        "/v1/ticks?count=3",
        "/v1/converse",
        "/v1/rooms/1/converse",
        "/v1/sum",
        "/v1/collect",
        "/v1/relay",
        "/v1/download?count=2",
    ),
    *("/v1/converse?$metadata=frame", "/v1/ticks?count=x", "/v1/dishes/1", "/nowhere", "/v1/converse?$metadata[x]=%ff"),
)


def _handshake(dice: Random) -> bytes:
    protocols = dice.choice(("diptych.v1.json", "diptych.v1.proto", "diptych.v1.proto, diptych.v1.json", "x", ""))
    lines = [f"GET {dice.choice(_SOCKET_PATHS)} HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13"]
    if protocols:
        lines.append(f"Sec-WebSocket-Protocol: {protocols}")
    if dice.random() < 0.2:
        lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    made = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return mutated(dice, made) if dice.random() < 0.1 else made


def _sealed(dice: Random, first: int, data: bytes, length: int | None = None, masked: bool = True) -> bytes:
    said = len(data) if length is None else length
    mark = 0x80 if masked else 0
    if said < 126:
        head = bytes([first | 0x80 if first < 16 else first & 255, mark | said])
    elif said < 65536:
        head = bytes([first | 0x80 if first < 16 else first & 255, mark | 126]) + struct.pack(">H", said)
    else:
        head = bytes([first | 0x80 if first < 16 else first & 255, mark | 127]) + struct.pack(">Q", said & (2**64 - 1))
    mask = dice.randbytes(4)
    return head + (mask + bytes(one ^ mask[at & 3] for at, one in enumerate(data)) if masked else data)


def _socket_frame(dice: Random) -> bytes:
    method = dice.choice(METHODS)
    what = dice.randrange(10)
    if what < 3:
        return _sealed(dice, 1, text({"number": odd(dice), "text": odd(dice)})[:70000])
    if what < 5:
        return _sealed(dice, 2, payload(dice, method.input_type))
    if what == 5:
        return _sealed(dice, dice.choice((1, 2, 8, 9, 10)), b"")
    if what == 6:
        return _sealed(
            dice, 8, struct.pack(">H", dice.choice((0, 999, 1000, 1005, 1006, 1015, 3000, 65535))) + garbage(dice, 140)
        )
    if what == 7:
        return _sealed(dice, 1, garbage(dice))
    if what == 8:
        return _sealed(dice, 256 | dice.randrange(256), garbage(dice), masked=dice.random() < 0.8)
    return _sealed(dice, dice.choice((1, 2)), garbage(dice, 50), length=size(dice))
