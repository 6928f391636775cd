"""HTTP/2 frames: conversations with mutated frames, fields and field blocks."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from random import Random

import grpc
import hpack

from tests.waiting import answered

from .judge import Input, Judge
from .kinds import METHODS, path_of
from .mutate import STRINGS, garbage, mutated, odd, size, text
from .web import body_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
MARK = b"fuzzmark"
FIRST, QUIET = 5.0, 0.1
"""Seconds to wait for an expected frame, and for the end of a server's frames."""
CODES = [code.name for code in sorted(grpc.StatusCode, key=lambda one: one.value[0])]
"""By number."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """A frame, valid or not; `length` is its declared length."""
    said = len(payload) if length is None else length
    return struct.pack(">I", said & 0xFFFFFF)[1:] + struct.pack(">BBI", kind & 255, flags & 255, stream) + payload


class Conversation:
    """A server's frames on one connection."""

    def __init__(self) -> None:
        self.rest = b""
        self.decoder = hpack.Decoder()
        self.marked = self.away = self.heard = False
        self.ended = 0
        self.statuses: list[tuple[int, str, str]] = []
        self.bodies = b""

    def feed(self, data: bytes) -> None:
        """Raises ValueError if the bytes are not HTTP/2."""
        self.rest += data
        while len(self.rest) >= 9:
            length = int.from_bytes(self.rest[:3], "big")
            if length > 16384:
                raise ValueError(f"a frame of {length} bytes")
            if len(self.rest) < 9 + length:
                return
            kind, flags = self.rest[3], self.rest[4]
            self._frame(kind, flags, self.rest[9 : 9 + length])
            self.rest = self.rest[9 + length :]

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind > CONTINUATION:
            raise ValueError(f"a frame of the kind {kind}")
        if kind == HEADERS:
            fields = {k.decode("latin-1"): v.decode("latin-1") for k, v in self.decoder.decode(payload, raw=True)}
            code = fields.get("grpc-status")
            name = CODES[int(code)] if code else ""
            self.statuses.append((int(fields.get(":status", 0)), name, fields.get("grpc-message", "")))
        elif kind == DATA and len(self.bodies) < 65536:
            self.bodies += payload
        elif kind == PING and payload == MARK:
            self.marked = True
        self.away |= kind == GOAWAY
        self.ended += kind == RST or (kind in (DATA, HEADERS) and bool(flags & 1))


class Http2:
    """One connection an input."""

    name: str

    def __init__(self, name: str, port: int, judge: Judge) -> None:
        self.name, self.port, self.judge = name, port, judge

    async def converse(self, thrown: Input, streams: int) -> Conversation:
        """Sends and reads until everything is answered, or the server closes or is silent."""
        said = Conversation()
        reader, writer = await self._open()
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                writer.write(PREFACE + thrown.sent)
                while not (said.marked and said.ended >= streams):
                    async with asyncio.timeout(QUIET if said.heard else FIRST):
                        piece = await reader.read(65536)
                    if not piece:
                        break
                    said.heard = True
                    said.feed(piece)
        except (ValueError, hpack.HPACKError) as wrong:
            self.judge.fault(thrown, f"an answer that is no HTTP/2: {wrong!r}")
        finally:
            writer.transport.abort()
        return said

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        def starts_anew(wrong: Exception) -> bool:
            return isinstance(wrong, ConnectionRefusedError) and not self.ours  # grpcio's server may do so

        return await answered(lambda: asyncio.open_connection("127.0.0.1", self.port), starts_anew)

    def judged(self, thrown: Input, said: Conversation) -> None:
        """Reports the first answer and every failure to the judge."""
        first = True
        for status, code, message in said.statuses:
            if code:
                self._once(thrown, code, message, first)
            elif status:
                self._once_http(thrown, status, said.bodies, first)
            first = False
        if not said.statuses:
            self.judge.count(thrown, "GOAWAY" if said.away else "reset" if said.ended else "nothing")

    ours = True
    """Whether this project's HTTP/2 answers; grpcio's may use other codes."""

    def _once(self, thrown: Input, code: str, message: str, first: bool) -> None:
        if not self.ours and "internal error, id" not in message:
            self.judge.count(thrown, code)
        elif first or code != "OK":
            self.judge.call(thrown, code, message)

    def _once_http(self, thrown: Input, status: int, body: bytes, first: bool) -> None:
        if first or status >= 500:
            self.judge.http(thrown, status, body)

    async def close(self) -> None:
        return


class Frames(Http2):
    """Conversations of a few streams with mutated frames, fields and field blocks."""

    async def throw(self, dice: Random, number: int) -> None:
        frames, streams = _conversation(dice)
        for _ in range(dice.choice((0, 1, 1, 2, 3))):
            _disturb(dice, frames)
        sent = b"".join(frames) + frame(PING, 0, 0, MARK)
        thrown = Input(self.name, number, mutated(dice, sent) if dice.random() < 0.15 else sent)
        self.judged(thrown, await self.converse(thrown, streams))


def _conversation(dice: Random) -> tuple[list[bytes], int]:
    encoder = hpack.Encoder()
    frames = [frame(SETTINGS, 0, 0, _settings(dice))]
    streams = dice.choice((1, 1, 2, 3))
    for number in range(streams):
        frames += _request(dice, encoder, 2 * number + 1)
    if dice.random() < 0.3:
        dice.shuffle(frames)
    return frames, streams


def _settings(dice: Random) -> bytes:
    pairs = [(dice.choice((1, 2, 3, 4, 5, 6, 8, 99)), size(dice) & 0xFFFFFFFF) for _ in range(dice.randrange(3))]
    return b"".join(struct.pack(">HI", name, value) for name, value in pairs) if dice.random() < 0.3 else b""


def _request(dice: Random, encoder: hpack.Encoder, stream: int) -> list[bytes]:
    method = dice.choice(METHODS)
    if dice.random() < 0.7:
        head = [(":method", "POST"), (":scheme", "http"), (":path", path_of(method)), (":authority", "localhost")]
        head += [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "500m")]
        if dice.random() < 0.2:
            head.append(("grpc-encoding", dice.choice(("gzip", "x"))))
        body = body_of(dice, method)
    else:
        head = [(":method", "POST"), (":scheme", "http"), (":path", "/v1/echo"), (":authority", "localhost")]
        head += [("content-type", "application/json"), ("x-server-timeout", "0.5")]
        body = text({"stringValue": odd(dice)})
    if dice.random() < 0.25:
        _spoil(dice, head)
    block = encoder.encode(head, huffman=dice.random() < 0.5)
    if dice.random() < 0.08:
        block = mutated(dice, block)
    return [*_block(dice, stream, block), *_data(dice, stream, body)]


def _spoil(dice: Random, head: list[tuple[str, str]]) -> None:
    at = dice.randrange(len(head))
    names = ("Upper", "", ":x", "connection", "a b", "te", ":path", "content-length", "host", "cookie", "x\n", "\x00")
    spoilt = (dice.choice(names), dice.choice(STRINGS))
    what = dice.randrange(4)
    if what == 0:
        head.pop(at)
    elif what == 1:
        head[at] = spoilt
    elif what == 2:
        head.append(spoilt)
    else:
        head.insert(0, head.pop())


def _block(dice: Random, stream: int, block: bytes) -> list[bytes]:
    if dice.random() < 0.7:
        return [frame(HEADERS, 4, stream, block)]
    cut = sorted(dice.randrange(len(block) + 1) for _ in range(2))
    pieces = block[: cut[0]], block[cut[0] : cut[1]], block[cut[1] :]
    first, *more = pieces
    return [
        frame(HEADERS, 0, stream, first),
        *(frame(CONTINUATION, 4 * (at == len(more) - 1), stream, piece) for at, piece in enumerate(more)),
    ]


def _data(dice: Random, stream: int, body: bytes) -> list[bytes]:
    size = dice.choice((16384, 16384, 7, 1)) if len(body) < 300 else 16384
    pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    made = []
    for at, piece in enumerate(pieces):
        last = at == len(pieces) - 1
        if dice.random() < 0.1:
            made.append(frame(DATA, 8 | last, stream, bytes([3]) + piece + bytes(3)))
        else:
            made.append(frame(DATA, last, stream, piece))
    return made


def _disturb(dice: Random, frames: list[bytes]) -> None:
    at = dice.randrange(len(frames))
    one = bytearray(frames[at])
    what = dice.randrange(9)
    if what == 0:
        one[3] = dice.randrange(12)
    elif what == 1:
        one[4] = dice.randrange(256)
    elif what == 2:
        one[5:9] = struct.pack(">I", dice.choice((0, 1, 2, 3, 5, 2**31 - 1, 2**31 | 1)))
    elif what == 3:
        one[:3] = struct.pack(">I", size(dice) & 0xFFFFFF)[1:]
    elif what == 4:
        frames.insert(at, bytes(one))
    elif what == 5 and len(frames) > 1:
        frames.pop(at)
        return
    elif what == 6:
        one[9:] = garbage(dice, 40)
        one[:3] = struct.pack(">I", len(one) - 9)[1:]
    else:
        frames.insert(at, _stray(dice))
        return
    frames[at] = bytes(one)


def _stray(dice: Random) -> bytes:
    stream = dice.choice((0, 1, 3, 5, 7, 2, 2**31 - 1))
    kind = dice.choice((PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION, 11, 255))
    sound = {PRIORITY: 5, RST: 4, PING: 8, GOAWAY: 8, WINDOW: 4, SETTINGS: 6}.get(kind, 10)
    data = (
        struct.pack(">I", size(dice) & 0xFFFFFFFF) if kind == WINDOW else dice.randbytes(dice.choice((sound, sound, 3)))
    )
    return frame(kind, dice.choice((0, 0, 1, 4, 5, 255)), stream, data)
