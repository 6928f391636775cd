"""One stream of a million messages over each protocol, read or written as fast as the server allows.

Every function returns the number of messages. The clients count frames without parsing, so that the server is the
bottleneck.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import grpc
import websockets

from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

HOST = "127.0.0.1"
SERVICE = "/kitchen.v1.KitchenService"
_CHUNK = 1 << 16
_BATCH = 500
_LINE = b'{"number":"7","text":"tick"}'
_TICK = pb.TickResponse(number=7, text="tick").SerializeToString()

Run = Callable[[int, int], Coroutine[Any, Any, int]]
"""Takes the port and the number of messages."""


async def _answer(port: int, head: list[str], body: AsyncIterator[bytes], mark: bytes) -> int:
    """Sends a chunked request while reading its answer; returns how often `mark` occurs in the answer."""
    reader, writer = await asyncio.open_connection(HOST, port, limit=1 << 20)

    async def send() -> None:
        writer.write("\r\n".join([*head, "host: localhost", "transfer-encoding: chunked", "", ""]).encode())
        async for piece in body:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    sending = asyncio.ensure_future(send())
    try:
        header = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in header.partition(b"\r\n")[0]:
            raise RuntimeError(f"{head[0]}: {header!r} {await reader.read(500)!r}")
        length = header.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return (await reader.readexactly(int(length))).count(mark) if length else await _count(reader, mark)
    finally:
        sending.cancel()
        writer.close()


async def _count(reader: asyncio.StreamReader, mark: bytes) -> int:
    found, tail = 0, b""
    while not tail.endswith(b"0\r\n\r\n"):
        data = await reader.read(_CHUNK)
        if not data:
            raise RuntimeError("the answer was incomplete")
        data = tail + data
        found += data.count(mark)
        # The last bytes could be the start of a mark or the end of the body, so they are examined again.
        keep = max(len(mark) - 1, 5)
        tail = data[-keep:]
        found -= tail.count(mark)
    return found + tail.count(mark)


async def _once(piece: bytes) -> AsyncIterator[bytes]:
    if piece:
        yield piece


async def _repeated(
    piece: bytes, count: int, opening: bytes = b"", between: bytes = b"", end: bytes = b""
) -> AsyncIterator[bytes]:
    """Yields `count` messages in batches."""
    left, lead = count, opening
    while left:
        size = min(left, _BATCH)
        yield lead + between.join([piece] * size)
        left, lead = left - size, between
    yield end or b"\n"


def rest(accept: str) -> Run:
    """Reads a server stream over REST."""

    async def run(port: int, count: int) -> int:
        head = ["POST /v1/ticks HTTP/1.1", "content-type: application/json", f"accept: {accept}"]
        return await _answer(port, head, _once(b'{"count":%d}' % count), b'"tick"')

    return run


def rest_in(media: str, path: str = "converse") -> Run:
    """Sends a client stream over REST; the answer is a stream too, or a sum."""

    async def run(port: int, count: int) -> int:
        array = media == "application/json"
        body = _repeated(_LINE, count, b"[", b",", b"]") if array else _repeated(_LINE + b"\n", count)
        head = [f"POST /v1/{path} HTTP/1.1", f"content-type: {media}", "accept: application/x-ndjson"]
        if path == "converse":
            return await _answer(port, head, body, b'"tick"')
        return count * await _answer(port, head, body, b'"number":"%d"' % count)

    return run


async def turns(port: int, count: int) -> int:
    """Streams in both directions over REST, each message after the answer to the one before it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"POST /v1/converse HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n")
    writer.write(b"content-type: application/x-ndjson\r\naccept: application/x-ndjson\r\n\r\n")
    for _ in range(count):
        writer.write(b"%x\r\n%b\n\r\n" % (len(_LINE) + 1, _LINE))
        await reader.readuntil(b'"tick"}')
    writer.write(b"0\r\n\r\n")
    await reader.readuntil(b"\r\n0\r\n\r\n")
    writer.close()
    return count


def envelope(data: bytes) -> bytes:
    """Returns one length-prefixed message, as in gRPC, gRPC-Web and Connect."""
    return b"\0" + len(data).to_bytes(4, "big") + data


def web(media: str) -> Run:
    """Reads a server stream over gRPC-Web or Connect."""

    async def run(port: int, count: int) -> int:
        json = media.endswith("json")
        request = b'{"count":%d}' % count if json else pb.TickRequest(count=count).SerializeToString()
        head = [f"POST {SERVICE}/Tick HTTP/1.1", f"content-type: {media}", "connect-protocol-version: 1"]
        # In base64 a mark has three possible encodings, so the text form decodes the envelopes.
        if "text" in media:
            return await _text(port, count)
        return await _answer(port, head, _once(envelope(request)), b'"tick"' if json else b"\x04tick")

    return run


async def _text(port: int, count: int) -> int:
    import base64

    reader, writer = await asyncio.open_connection(HOST, port, limit=1 << 20)
    body = base64.b64encode(envelope(pb.TickRequest(count=count).SerializeToString()))
    head = f"POST {SERVICE}/Tick HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web-text\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    await reader.readuntil(b"\r\n\r\n")
    found, rest = 0, b""
    try:
        while (size := int(await reader.readline(), 16)) > 0:
            text = rest + (await reader.readexactly(size + 2))[:-2]
            # Each part ends with its own padding and is decoded separately.
            whole = text[: len(text) // 4 * 4]
            rest = text[len(whole) :]
            for part in whole.replace(b"==", b"== ").replace(b"=", b"= ").replace(b"= = ", b"== ").split():
                found += base64.b64decode(part + b"=" * (-len(part) % 4)).count(b"\x04tick")
    finally:
        writer.close()
    return found


def web_in(media: str) -> Run:
    """Streams in both directions over Connect."""

    async def run(port: int, count: int) -> int:
        json = media.endswith("json")
        piece = envelope(_LINE if json else _TICK)
        head = [f"POST {SERVICE}/Converse HTTP/1.1", f"content-type: {media}", "connect-protocol-version: 1"]
        return await _answer(port, head, _pieces(piece, count), b'"tick"' if json else b"\x04tick")

    return run


async def _pieces(piece: bytes, count: int) -> AsyncIterator[bytes]:
    for left in range(count, 0, -_BATCH):
        yield piece * min(left, _BATCH)


def _connect(url: str, form: str) -> websockets.connect:
    # The client sends no pings: they would wait behind a million messages, and the server would seem dead.
    subprotocol = websockets.Subprotocol(f"diptych.v1.{form}")
    return websockets.connect(url, subprotocols=[subprotocol], compression=None, ping_interval=None)


def socket(form: str) -> Run:
    """Reads a server stream over WebSocket."""

    async def run(port: int, count: int) -> int:
        url = f"ws://{HOST}:{port}{SERVICE}/Tick"
        async with _connect(url, form) as ws:
            text = form == "json"
            await ws.send(f'{{"count":{count}}}' if text else pb.TickRequest(count=count).SerializeToString())
            found = 0
            async for _ in ws:
                found += 1
        return found

    return run


def socket_both(form: str) -> Run:
    """Streams in both directions over WebSocket."""

    async def run(port: int, count: int) -> int:
        url = f"ws://{HOST}:{port}{SERVICE}/Converse"
        async with _connect(url, form) as ws:

            async def send() -> None:
                message = _LINE.decode() if form == "json" else _TICK
                for _ in range(count):
                    await ws.send(message)
                await ws.send("")

            sending = asyncio.ensure_future(send())
            found = 0
            async for _ in ws:
                found += 1
            await sending
        return found

    return run


async def grpc_out(port: int, count: int) -> int:
    """Reads a server stream over gRPC."""
    async with grpc.aio.insecure_channel(f"{HOST}:{port}") as channel:
        found = 0
        async for _ in pb_grpc.KitchenServiceStub(channel).Tick(pb.TickRequest(count=count)):
            found += 1
    return found


async def grpc_both(port: int, count: int) -> int:
    """Streams in both directions over gRPC."""
    tick = pb.TickResponse(number=7, text="tick")

    async def ticks() -> AsyncIterator[pb.TickResponse]:
        for _ in range(count):
            yield tick

    async with grpc.aio.insecure_channel(f"{HOST}:{port}") as channel:
        found = 0
        async for _ in pb_grpc.KitchenServiceStub(channel).Converse(ticks()):
            found += 1
    return found
