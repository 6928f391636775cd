"""What slow clients can hold: a body, or a message of a stream, that never ends is cut, however much has arrived."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import h2.events
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from diptych.exchange import BodyTimeouts, read
from diptych.status import StatusError
from tests.conftest import Serve, Served
from tests.gateway.http2_client import connected
from tests.gateway.limiting import held, quiet
from tests.gateway.test_timeouts import Clocked, simulated
from tests.waiting import PATIENCE, until_here

SERVICE = "/kitchen.v1.KitchenService"
MIB = 1024 * 1024
DECLARED, SENT = MIB, 900_000
ENVELOPE = b"\0" + DECLARED.to_bytes(4, "big")

Send = Callable[[bytes], Awaitable[None]]
Kind = tuple[str, str, bytes, int]
"""Path, content type, the beginning of the body, and the body's declared length, 0 for none."""

UNARY: dict[str, Kind] = {
    "JSON": ("/v1/blobs", "application/json", b'{"data":"', DECLARED),
    "JSON, chunked": ("/v1/blobs", "application/json", b'{"data":"', 0),
    "raw": ("/v1/mirror", "image/png", b"", DECLARED),
    "multipart": (
        "/v1/blobs",
        "multipart/form-data; boundary=b",
        b'--b\r\ncontent-disposition: form-data; name="data"; filename="a"\r\n\r\n',
        DECLARED,
    ),
    "Connect": (f"{SERVICE}/GetDish", "application/proto", b"", DECLARED),
    "gRPC-Web": (f"{SERVICE}/GetDish", "application/grpc-web+proto", ENVELOPE, 0),
    "gRPC-Web, text": (f"{SERVICE}/GetDish", "application/grpc-web-text", base64.b64encode(ENVELOPE + b"a"), 0),
    "Connect, server stream": (f"{SERVICE}/Tick", "application/connect+proto", ENVELOPE, 0),
}
STREAMS: dict[str, Kind] = {
    "NDJSON": ("/v1/sum", "application/x-ndjson", b'{"text":"', 0),
    "JSON array": ("/v1/sum", "application/json", b'[{"number":1},{"text":"', 0),
    "one JSON object": ("/v1/sum", "application/json", b'{"text":"', 0),
    "gRPC-Web stream": (f"{SERVICE}/Sum", "application/grpc-web+proto", ENVELOPE, 0),
    "Connect stream": (f"{SERVICE}/Sum", "application/connect+proto", ENVELOPE, 0),
    "Connect JSON stream": (f"{SERVICE}/Sum", "application/connect+json", ENVELOPE, 0),
}
GRPC: dict[str, Kind] = {
    "gRPC": (f"{SERVICE}/GetDish", "application/grpc", ENVELOPE, 0),
    "gRPC stream": (f"{SERVICE}/Converse", "application/grpc", ENVELOPE, 0),
}
SOCKETS = ("text", "binary", "fragments")

Ended = Callable[[], Awaitable[str]]


@asynccontextmanager
async def over_http1(served: Served, kind: Kind) -> AsyncIterator[tuple[Send, Ended]]:
    """An upload over HTTP/1.1."""
    path, media, begun, declared = kind
    reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
    how = f"content-length: {declared}" if declared else "transfer-encoding: chunked"

    async def send(data: bytes) -> None:
        writer.write(data if declared else b"%x\r\n%b\r\n" % (len(data), data))
        await writer.drain()

    async def ended() -> str:
        found = await reader.readuntil(b"\r\n\r\n")
        if b"chunked" in found.lower():
            found += await reader.readuntil(b"\r\n0\r\n\r\n")
        elif size := int(found.lower().partition(b"content-length: ")[2].split()[0]):
            found += await reader.readexactly(size)
        return found.decode("latin-1")

    try:
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\n{how}\r\n\r\n".encode())
        await send(begun + b"a" * SENT)
        yield send, ended
    finally:
        writer.transport.abort()


@asynccontextmanager
async def over_http2(served: Served, kind: Kind) -> AsyncIterator[tuple[Send, Ended]]:
    """An upload over HTTP/2."""
    path, media, begun, declared = kind
    headers = [("content-type", media), ("te", "trailers")]
    port = served.gateway.grpc_port if media == "application/grpc" else served.gateway.http_port
    async with connected(port) as client:
        stream = client.request(
            path, "POST", end=False, headers=[*headers, ("content-length", str(declared))][: 2 + bool(declared)]
        )
        data = begun + b"a" * SENT

        def over() -> list[Any]:
            return [one for one in client.events if isinstance(one, h2.events.StreamEnded | h2.events.StreamReset)]

        while data:
            await client.until(lambda: over() or client.h2.local_flow_control_window(stream) > 0)
            if over():
                break  # refused
            size = min(client.h2.local_flow_control_window(stream), 16384)
            client.h2.send_data(stream, data[:size])
            data = data[size:]
            await client.flush()

        async def send(data: bytes) -> None:
            await client.raw(len(data).to_bytes(3, "big") + b"\0\0" + stream.to_bytes(4, "big") + data)

        async def ended() -> str:
            await client.event(h2.events.StreamEnded, stream)
            got = await client.event(h2.events.ResponseReceived, stream)
            trailers = [one for one in client.events if isinstance(one, h2.events.TrailersReceived)]
            heads = [*got.headers, *(pair for one in trailers for pair in one.headers)]
            return f"{heads}{client.body(stream)!r}"

        yield send, ended


@asynccontextmanager
async def over_websocket(served: Served, form: str) -> AsyncIterator[tuple[Send, Ended]]:
    """A message over a WebSocket: one frame that does not end, or fragments of one message."""
    port = served.gateway.http_port
    protocol: Any = "diptych.v1.proto" if form == "binary" else "diptych.v1.json"
    async with connect(f"ws://127.0.0.1:{port}/v1/converse", subprotocols=[protocol], ping_interval=None) as socket:
        code = Opcode.BINARY if form == "binary" else Opcode.TEXT
        raw = b'{"text":"' + b"a" * SENT

        async def send(data: bytes) -> None:
            if form == "fragments":
                data = Frame(Opcode.CONT, data, fin=False).serialize(mask=True)
            socket.transport.write(data)

        async def ended() -> str:
            try:
                while True:
                    last = await socket.recv()
            except ConnectionClosed as closed:
                return f"{last!r} {closed.rcvd}"

        if form == "fragments":
            socket.transport.write(Frame(code, raw, fin=False).serialize(mask=True))
        else:
            frame = Frame(code, raw + b"a" * (DECLARED - len(raw))).serialize(mask=True)
            socket.transport.write(frame[: len(raw)])
        try:
            yield send, ended
        finally:
            socket.transport.abort()  # a close would wait for the server to read the rest of the frame


def readable(said: str) -> str:
    """An answer with the base64 of gRPC-Web's text form decoded."""
    found = re.search(r"[A-Za-z0-9+/]{40,}=*", said)
    return said if found is None else said + base64.b64decode(found[0]).decode("latin-1")


OVER: dict[str, Callable[[Served, Any], Any]] = {
    "HTTP/1.1": over_http1,
    "HTTP/2": over_http2,
    "WebSocket": over_websocket,
}


def opened(served: Served, face: str, kind: Any) -> Any:
    """An upload of which the most has arrived, and its two functions: sends more; returns the answer."""
    return OVER[face](served, kind)


HTTP = {
    **{
        f"{name} over {face}": (face, kind)
        for face in ("HTTP/1.1", "HTTP/2")
        for name, kind in {**UNARY, **STREAMS}.items()
    },
    **{f"{name} over HTTP/2": ("HTTP/2", kind) for name, kind in GRPC.items()},
}
FACES: dict[str, tuple[str, Any]] = {**HTTP, **{f"WebSocket, {form}": ("WebSocket", form) for form in SOCKETS}}
every_face = pytest.mark.parametrize(("face", "kind"), FACES.values(), ids=list(FACES))


@every_face
async def test_an_upload_that_has_sent_much_may_not_become_slow(face: str, kind: Any, serve: Serve) -> None:
    """Each sent nearly all of a body at once, and then held it with a few bytes at a time for hours."""
    async with asyncio.timeout(PATIENCE), serve(body_seconds=0.2, body_max_seconds=10) as served:
        async with opened(served, face, kind) as (send, ended):

            async def drip() -> None:
                while True:
                    before = held(served.gateway)[1]
                    await send(b"aaaa")
                    await until_here(partial(changed, before))

            def changed(before: int) -> bool:
                return held(served.gateway)[1] != before  # the server has received them

            dripping = asyncio.create_task(drip())
            try:
                said = await ended()
            finally:
                dripping.cancel()
            assert "the request body arrived too slowly" in readable(said)
        await quiet(served.gateway)
        assert (await served.http.get("/v1/dishes/1")).status_code == 200


@every_face
async def test_incomplete_messages_of_every_face_share_the_cap(face: str, kind: Any, serve: Serve) -> None:
    limits = {"max_bytes_in_flight": 2 * MIB}
    async with asyncio.timeout(PATIENCE), serve(max_body_bytes=DECLARED, limits=limits) as served:
        async with opened(served, face, kind), opened(served, face, kind):
            arrived = SENT * 3 // 4 if kind == UNARY["gRPC-Web, text"] else SENT
            await until_here(lambda: held(served.gateway)[1] >= 2 * (arrived - 100))
            async with opened(served, face, kind) as (_, ended):
                assert "the requests in flight take too much memory" in readable(await ended())
            assert held(served.gateway)[1] <= 2 * MIB
        await quiet(served.gateway)


@pytest.mark.parametrize(
    ("timeouts", "headers", "pieces", "accepted"),
    [
        # A megabyte at once does not pay for silence later.
        (BodyTimeouts(seconds=0.2, pace=100), {}, [(0, 1_000_000), *[(0.02, 1)] * 100], False),
        (BodyTimeouts(seconds=0.2, pace=100, whole=None), {}, [(0, 1_000_000), *[(0.02, 1)] * 100], False),
        # A large body must be faster than a small one: by its declared size, and by what has arrived.
        (BodyTimeouts(seconds=0.2, pace=1, whole=1), {b"content-length": b"900000"}, [(0.02, 1)] * 100, False),
        (BodyTimeouts(seconds=0.2, pace=1, whole=None), {b"content-length": b"900000"}, [(0.02, 1)] * 20, True),
        (BodyTimeouts(seconds=0.2, pace=1, whole=1), {b"content-length": b"20"}, [(0.02, 10)] * 20, True),
    ],
)
def test_the_pace_of_a_body_is_that_of_its_last_seconds(
    timeouts: BodyTimeouts, headers: dict[bytes, bytes], pieces: list[tuple[float, int]], accepted: bool
) -> None:
    async def check() -> None:
        body = Clocked(*pieces)
        if accepted:
            assert len(await read(body.receive, headers, 2_000_000, timeouts)) == sum(size for _, size in pieces)
            return
        with pytest.raises(StatusError, match="too slowly"):
            await read(body.receive, headers, 2_000_000, timeouts)

    simulated(check())
