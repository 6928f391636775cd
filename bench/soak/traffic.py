"""The traffic: what good, bad, slow and leaving clients do, each as a function that is repeated.

A function returns how what it did ended, for the table; what it does not expect it raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from random import Random

import grpc
import websockets

from artificer.batch.v1 import batch_service_pb2 as batch
from artificer.batch.v1 import batch_service_pb2_grpc as batch_grpc
from artificer.chat.v1 import message_service_pb2 as chat
from artificer.chat.v1 import message_service_pb2_grpc as chat_grpc
from bench import ROOT
from bench.soak.program import HOST, Program
from bench.streams import http2
from bench.streams.clients import envelope

Visit = Callable[[Program, Random], Awaitable[str]]

_CHAT, _BATCH = "/artificer.chat.v1.MessageService", "/artificer.batch.v1.BatchService"
_SCAN = ROOT / "examples" / "scan.pdf"
_PIECE = b"a" * 65536
_CHANNELS = 8


async def _asked(program: Program, head: str, body: bytes = b"", media: str = "application/json") -> str:
    """Sends one request of HTTP/1.1; returns its status, and raises ConnectionError if there is no answer."""
    reader, writer = await asyncio.open_connection(HOST, program.http)
    try:
        lines = [f"{head} HTTP/1.1", "host: 127.0.0.1", "connection: close", f"content-type: {media}"]
        writer.write("\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body)
        answer = await reader.read()
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 "):
        raise ConnectionError(f"{head}: {answer[:200]!r}")
    return answer[9:12].decode()


def _channel(dice: Random) -> str:
    return f"room-{dice.randrange(_CHANNELS)}"


def _said(dice: Random, name: str) -> dict[str, object]:
    return {"user": {"id": "u", "displayName": "U"}, "content": f"message {dice.random()}", "channel": name}


async def rest(program: Program, dice: Random) -> str:
    """Unary calls over REST, HTTP/1.1 and HTTP/2."""
    paths = [f"/v1/channels/{_channel(dice)}/messages?pageSize=20", "/v1/taskTypes", "/v1/jobs?pageSize=5", "/readyz"]
    if dice.random() < 0.3:
        await http2.many(program.http, "/v1/taskTypes", 20, 20)
        return "HTTP/2"
    return await _asked(program, f"GET {dice.choice(paths)}")


async def sent(program: Program, dice: Random) -> str:
    """A stream of messages in, over REST and Connect."""
    name = _channel(dice)
    lines = b"".join([json.dumps(_said(dice, name)).encode() + b"\n" for _ in range(dice.randrange(1, 5))])
    return await _asked(program, f"POST /v1/channels/{name}/messages:send", lines, "application/x-ndjson")


async def rpc(program: Program, dice: Random) -> str:
    """Unary calls over gRPC-Web and Connect."""
    media, body = dice.choice(
        [
            ("application/json", b"{}"),
            ("application/proto", b""),
            ("application/grpc-web+proto", envelope(b"")),
            ("application/grpc-web+json", envelope(b"{}")),
        ]
    )
    return await _asked(program, f"POST {_BATCH}/ListTaskTypes", body, media)


async def grpc_calls(program: Program, dice: Random) -> str:
    """Unary calls over gRPC, and a stream that is abandoned."""
    async with grpc.aio.insecure_channel(f"{HOST}:{program.grpc}") as channel:
        await batch_grpc.BatchServiceStub(channel).ListTaskTypes(batch.ListTaskTypesRequest())
        request = chat.StreamMessagesRequest(channel=_channel(dice), history_size=5)
        stream = chat_grpc.MessageServiceStub(channel).StreamMessages(request)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(dice.random() * 0.3):
                await stream.read()
        stream.cancel()
    return "abandoned"


async def abandoned(program: Program, dice: Random) -> str:
    """A stream over HTTP/1.1 whose client leaves."""
    media = dice.choice(["text/event-stream", "application/x-ndjson", "application/json"])
    reader, writer = await asyncio.open_connection(HOST, program.http)
    path = f"/v1/channels/{_channel(dice)}/messages:stream?historySize=20"
    writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {media}\r\n\r\n".encode())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(dice.random() * 0.5):
            await reader.read(100_000)
    writer.transport.abort()
    return "abandoned"


async def cut(program: Program, dice: Random) -> str:
    """An upload that is cut, with a declared length, in chunks, or as a message of a stream."""
    kind = dice.choice(["length", "chunks", "envelope", "HTTP/2"])
    size = dice.randrange(0, 40)
    if kind == "HTTP/2":
        reader, writer = await asyncio.open_connection(HOST, program.grpc)
        head = http2.head(1, f"{_CHAT}/SendMessages", "application/grpc")
        start = b"\0" + (8 << 20).to_bytes(4, "big")
        frames = [http2.frame(0, 0, 1, _PIECE[:16384]) for _ in range(min(size, 3))]
        writer.write(http2.PREFACE + http2.frame(4, 0, 0) + head + http2.frame(0, 0, 1, start) + b"".join(frames))
        await reader.read(100)
        writer.transport.abort()
        return kind
    reader, writer = await asyncio.open_connection(HOST, program.http)
    path = f"{_CHAT}/SendMessages" if kind == "envelope" else "/v1/documents:process"
    media = "application/connect+proto" if kind == "envelope" else "application/pdf"
    length = "content-length: 8000000" if kind == "length" else "transfer-encoding: chunked"
    writer.write(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {media}\r\n{length}\r\n\r\n".encode())
    if kind == "envelope":
        writer.write(b"5\r\n\0" + (8 << 20).to_bytes(4, "big") + b"\r\n")
    for _ in range(size):
        writer.write(_PIECE if kind == "length" else b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE))
        await writer.drain()
    writer.transport.abort()
    return kind


async def sockets(program: Program, dice: Random) -> str:
    """A conversation over a WebSocket that ends well, or by a client that leaves."""
    name = _channel(dice)
    url = f"ws://{HOST}:{program.http}/v1/channels/{name}/messages:chat"
    async with websockets.connect(url, compression=None, open_timeout=60, close_timeout=2) as socket:
        await socket.send(json.dumps(_said(dice, name)))
        for _ in range(2):
            async with asyncio.timeout(30):
                await socket.recv()
        if dice.random() < 0.5:
            socket.transport.abort()
            return "left"
        await socket.send("")
        with contextlib.suppress(websockets.ConnectionClosed):
            async with asyncio.timeout(30):
                while True:
                    await socket.recv()
    return "ended"


async def jobs(program: Program, dice: Random) -> str:
    """A job that completes, or is cancelled, with its progress followed for a while."""
    async with grpc.aio.insecure_channel(f"{HOST}:{program.grpc}") as channel:
        stub = batch_grpc.BatchServiceStub(channel)
        request = batch.CreateJobRequest(
            name="soak",
            items=[batch.Item(input=f"line {number}") for number in range(dice.randrange(1, 30))],
            phases=[batch.Phase(name="write", task_type="text.normalize")],
            options=batch.JobOptions(auto_start=True),
        )
        job = await stub.CreateJob(request)
        if dice.random() < 0.3:
            with contextlib.suppress(grpc.aio.AioRpcError):  # it may have completed
                await stub.CancelJob(batch.CancelJobRequest(job_id=job.id))
            return "cancelled"
        async with asyncio.timeout(120):
            async for _ in stub.StreamProgress(batch.StreamProgressRequest(job_id=job.id)):
                if dice.random() < 0.1:
                    return "progress abandoned"
    return "completed"


_BAD: list[tuple[bytes, str]] = [
    (b"GET /v1/nothing HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", "404"),
    (b"GET / HTTP/9.9\r\n\r\n", "malformed"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01", "TLS"),
    (b'POST /v1/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{"name":]', "JSON"),
    (b"POST /v1/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999\r\n\r\n", "too large"),
    (b"GET /v1/jobs HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", "head too large"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 40, "HTTP/2 frames"),
]


async def bad(program: Program, dice: Random) -> str:
    """A request that is refused."""
    data, name = dice.choice(_BAD)
    reader, writer = await asyncio.open_connection(HOST, program.http)
    try:
        writer.write(data)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(30):
                await reader.read(65536)
    finally:
        writer.close()
    return name


async def scans(program: Program, dice: Random) -> str:
    """A document."""
    status = await _asked(program, "POST /v1/documents:process", _SCAN.read_bytes(), "application/pdf")
    await asyncio.sleep(2)
    return status


VISITS: dict[Visit, int] = {
    rest: 2, sent: 1, rpc: 1, grpc_calls: 1, abandoned: 2, cut: 2, sockets: 2, jobs: 1, bad: 1, scans: 1,
}  # fmt: skip
"""What is done, each by so many clients at once."""
