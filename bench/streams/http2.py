"""A client of HTTP/2 that sends one request's body in frames of any size, as fast as the server's windows allow."""

from __future__ import annotations

import asyncio

HOST = "127.0.0.1"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _GOAWAY, _WINDOW = 0, 1, 3, 4, 7, 8
_END = 0x01


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Returns a frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def head(stream: int, path: str, media: str, *, ended: bool = False, more: dict[str, str] | None = None) -> bytes:
    """Returns the HEADERS frame of a request: a POST with a body, or a GET if it has `ended`."""
    named = {":method": "GET" if ended else "POST", ":scheme": "http", ":authority": "bench", ":path": path}
    fields = {**named, "content-type": media, "te": "trailers", **(more or {})}
    block = b"".join(
        [b"\0%c%b%c%b" % (len(name), name.encode(), len(value), value.encode()) for name, value in fields.items()]
    )
    return frame(_HEADERS, 0x04 | (_END if ended else 0), stream, block)


class Upload:
    """One connection with one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._stream = self._connection = 65535
        self._credited = asyncio.Event()
        self.ended = asyncio.Event()

    async def listen(self) -> None:
        """Reads the server's frames until it has answered."""
        while not self.ended.is_set():
            raw = await self._reader.readexactly(9)
            size, kind, flags, stream = int.from_bytes(raw[:3], "big"), raw[3], raw[4], int.from_bytes(raw[5:], "big")
            payload = await self._reader.readexactly(size)
            if kind == _WINDOW:
                self._credit(stream, int.from_bytes(payload, "big"))
            elif kind == _SETTINGS and not flags:
                self._writer.write(frame(_SETTINGS, 1, 0))
                for at in range(0, size, 6):
                    if payload[at : at + 2] == b"\0\4":
                        self._credit(1, int.from_bytes(payload[at + 2 : at + 6], "big") - 65535)
            elif kind == _DATA and size:
                more = size.to_bytes(4, "big")
                self._writer.write(frame(_WINDOW, 0, 0, more) + frame(_WINDOW, 0, stream, more))
            if kind in (_RST, _GOAWAY) or (kind in (_DATA, _HEADERS) and flags & _END):
                self.ended.set()
        self._credited.set()

    def _credit(self, stream: int, more: int) -> None:
        if stream:
            self._stream += more
        else:
            self._connection += more
        self._credited.set()

    async def send(self, body: bytes, size: int) -> None:
        """Sends a body in DATA frames of `size` bytes, many by one write."""
        at = 0
        while at < len(body) and not self.ended.is_set():
            free = min(self._stream, self._connection)
            if free < min(size, len(body) - at):
                self._credited.clear()
                await self._credited.wait()
                continue
            pieces: list[bytes] = []
            while at < len(body) and free >= size and len(pieces) < 4096:
                pieces.append(frame(_DATA, 0, 1, body[at : at + size]))
                at, free = at + size, free - size
            if not pieces:
                pieces, at = [frame(_DATA, 0, 1, body[at:])], len(body)
            sent = sum(map(len, pieces)) - 9 * len(pieces)
            self._stream, self._connection = self._stream - sent, self._connection - sent
            self._writer.write(b"".join(pieces))
            await self._writer.drain()
        self._writer.write(frame(_DATA, _END, 1))


async def upload(port: int, path: str, media: str, body: bytes, size: int, more: dict[str, str] | None = None) -> None:
    """Sends one request, and returns once it is answered."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        request = Upload(reader, writer)
        writer.write(PREFACE + frame(_SETTINGS, 0, 0) + head(1, path, media, more=more))
        listening = asyncio.ensure_future(request.listen())
        sending = asyncio.ensure_future(request.send(body, size))
        await listening
        sending.cancel()
    finally:
        writer.transport.abort()


async def many(port: int, path: str, count: int, at_once: int = 900) -> None:
    """Sends GET requests on one connection, `at_once` by one write."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(PREFACE + frame(_SETTINGS, 0, 0) + frame(_WINDOW, 0, 0, (2**30).to_bytes(4, "big")))
        stream = 1
        for _ in range(0, count, at_once):
            writer.write(
                b"".join([head(stream + 2 * number, path, "text/plain", ended=True) for number in range(at_once)])
            )
            stream += 2 * at_once
            left = at_once
            while left:
                raw = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(raw[:3], "big"))
                if raw[3] == _GOAWAY:
                    raise RuntimeError(f"the server ended the connection: {payload!r}")
                left -= raw[3] in (_DATA, _HEADERS) and raw[4] & _END
    finally:
        writer.transport.abort()
