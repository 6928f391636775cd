"""`python -m bench.streams.stalls`: for how long streams and floods of tiny messages keep others from running.

A neighbour on the server's event loop wants to run every millisecond; it measures the CPU time that the loop's thread
spends on others in between, which other programs on the machine do not change. It writes no file.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import json
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from statistics import median

import websockets

from bench import process
from bench.markdown import table
from bench.streams import clients, http2

HOST, SERVICE = "127.0.0.1", clients.SERVICE
COUNT = 200_000
_EMPTY = clients.envelope(b"")

Flood = Callable[[process.Server], Awaitable[object]]


def _h1(path: str, media: str, body: bytes, *headers: str) -> Flood:
    """A request of HTTP/1.1 whose body is sent as fast as the server reads."""

    async def run(server: process.Server) -> None:
        reader, writer = await asyncio.open_connection(HOST, server.http)
        head = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-type: {media}", f"content-length: {len(body)}"]
        writer.write("\r\n".join([*head, "connection: close", *headers, "", ""]).encode() + body)
        answer = await reader.read()
        writer.close()
        if b" 200 " not in answer[:16]:
            raise RuntimeError(f"{path}: {answer[:300]!r}")

    return run


def _h2(path: str, media: str, body: bytes, size: int = 16384, **headers: str) -> Flood:
    """Does the same over HTTP/2, in DATA frames of `size` bytes."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}

    async def run(server: process.Server) -> None:
        port = server.grpc if media == "application/grpc" else server.http
        await http2.upload(port, path, media, body, size, more)

    return run


def _out(run: clients.Run, count: int = COUNT) -> Flood:
    return lambda server: run(server.grpc if run in (clients.grpc_out, clients.grpc_both) else server.http, count)


def _socket(form: str, message: bytes | str, count: int) -> Flood:
    """Messages in frames of their own, written by the thousand."""

    async def run(server: process.Server) -> None:
        url = f"ws://{HOST}:{server.http}{SERVICE}/Sum"
        protocol = websockets.Subprotocol(f"diptych.v1.{form}")
        async with websockets.connect(url, subprotocols=[protocol], compression=None, ping_interval=None) as ws:
            code = websockets.frames.Opcode.TEXT if isinstance(message, str) else websockets.frames.Opcode.BINARY
            data = message.encode() if isinstance(message, str) else message
            batch = websockets.frames.Frame(code, data).serialize(mask=True) * 1000
            for _ in range(count // 1000):
                ws.transport.write(batch)
                await ws.drain() if hasattr(ws, "drain") else await asyncio.sleep(0)
            await ws.send("")
            await ws.recv()

    return run


async def _pipelined(server: process.Server) -> None:
    count = 5_000
    reader, writer = await asyncio.open_connection(HOST, server.http)
    writer.write(b"GET /v1/dishes/7 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * count)
    left = count
    while left:
        left -= (await reader.read(1 << 16)).count(b"HTTP/1.1 200")
    writer.close()


def _packed(messages: int, size: int) -> bytes:
    """Compressed messages of as many zeros each."""
    data = gzip.compress(b'{"text":"' + b"a" * size + b'"}', 9)
    return (b"\1" + len(data).to_bytes(4, "big") + data) * messages


def _chunked_gzip() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(b"{}\n" * COUNT * 4) + packer.flush()


def floods() -> dict[str, Flood]:
    """All floods by name."""
    lines, array = b"{}\n" * COUNT, b"[" + b",".join([b"{}"] * COUNT) + b"]"
    tiny, few = _EMPTY * COUNT, _EMPTY * (COUNT // 10)
    grpc = "application/grpc"
    connect, connect_json = "application/connect+proto", "application/connect+json"
    web, text = "application/grpc-web+proto", "application/grpc-web-text"
    json_tiny = clients.envelope(b"{}") * COUNT
    bomb = _packed(50, 4 << 20)
    return {
        "NDJSON in": _h1("/v1/sum", "application/x-ndjson", lines),
        "NDJSON in, HTTP/2": _h2("/v1/sum", "application/x-ndjson", lines),
        "NDJSON in, gzip": _h1("/v1/sum", "application/x-ndjson", _chunked_gzip(), "content-encoding: gzip"),
        "blank lines in": _h1("/v1/sum", "application/x-ndjson", b"\n" * (4 << 20)),
        "JSON array in": _h1("/v1/sum", "application/json", array),
        "JSON array in, HTTP/2": _h2("/v1/sum", "application/json", array),
        "JSON array in, gzip": _h1("/v1/sum", "application/json", gzip.compress(array), "content-encoding: gzip"),
        "WebSocket in, JSON": _socket("json", "{}", 30_000),
        "WebSocket in, protobuf": _socket("proto", b"", 30_000),
        "gRPC in": _h2(f"{SERVICE}/Sum", grpc, tiny),
        "gRPC in, frames of 5 bytes": _h2(f"{SERVICE}/Sum", grpc, few, 5),
        "gRPC in, frames of 1 byte": _h2(f"{SERVICE}/Sum", grpc, few, 1),
        "gRPC-Web in": _h1(f"{SERVICE}/Sum", web, tiny),
        "gRPC-Web in, text": _h1(f"{SERVICE}/Sum", text, base64.b64encode(tiny)),
        "Connect in": _h1(f"{SERVICE}/Sum", connect, tiny),
        "Connect in, HTTP/2": _h2(f"{SERVICE}/Sum", connect, tiny),
        "Connect in, JSON": _h1(f"{SERVICE}/Sum", connect_json, json_tiny),
        "Connect in, gzip of 4 MiB": _h1(f"{SERVICE}/Sum", connect_json, bomb, "connect-content-encoding: gzip"),
        "gRPC unary, frames of 1 byte": _h2(
            f"{SERVICE}/GetDish", grpc, clients.envelope(b"\x0a" + b"\xff\xff\x01" + b"a" * 32767), 1
        ),
        "one body of 200,000 elements": _h1("/v1/echo", "application/json", b'{"ints":[' + b"1," * COUNT + b"1]}"),
        "one body of 200,000 messages": _h1(
            "/v1/echo", "application/json", b'{"ingredients":[' + b"{}," * COUNT + b"{}]}"
        ),
        "one body of 15 MiB": _h1("/v1/echo", "application/json", b'{"stringValue":"' + b"a" * (15 << 20) + b'"}'),
        "pipelined requests": _pipelined,
        "requests over HTTP/2": lambda server: http2.many(server.http, "/v1/dishes/7", 5_000),
        "NDJSON out": _out(clients.rest("application/x-ndjson")),
        "JSON array out": _out(clients.rest("application/json")),
        "Server-Sent Events out": _out(clients.rest("text/event-stream")),
        "WebSocket out, JSON": _out(clients.socket("json"), 30_000),
        "WebSocket out, protobuf": _out(clients.socket("proto"), 30_000),
        "gRPC-Web out": _out(clients.web("application/grpc-web+proto")),
        "gRPC-Web out, text": _out(clients.web("application/grpc-web-text")),
        "Connect out, JSON": _out(clients.web("application/connect+json")),
        "gRPC out": _out(clients.grpc_out, 30_000),
        "NDJSON both ways": _out(clients.rest_in("application/x-ndjson")),
        "WebSocket both ways": _out(clients.socket_both("json"), 20_000),
        "Connect both ways": _out(clients.web_in("application/connect+proto")),
        "gRPC both ways": _out(clients.grpc_both, 20_000),
    }


async def _held(port: int) -> float:
    """Returns the longest CPU time between two turns of the neighbour since the last call, in milliseconds."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /v1/dishes/held HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return float(json.loads(answer.partition(b"\r\n\r\n")[2])["title"])


async def _measured(server: process.Server, flood: Flood) -> float:
    await _held(server.http)
    async with asyncio.timeout(300):
        await flood(server)
    return await _held(server.http)


def _rows(only: str, rounds: int) -> Iterator[list[str]]:
    server_core, client_core = process.cores()
    process.pin(client_core)
    with process.server("stalls", "streams", server_core) as server:
        for name, flood in floods().items():
            if only not in name:
                continue
            try:
                found = [asyncio.run(_measured(server, flood)) for _ in range(rounds)]
            except Exception as wrong:
                print(f"  {name}: {wrong!r}", file=sys.stderr, flush=True)
                yield [name, repr(wrong)[:60], ""]
                continue
            print(f"  {name}: {median(found):.1f} ms", file=sys.stderr, flush=True)
            yield [name, f"{median(found):.1f}", f"{max(found):.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.streams.stalls", description=__doc__)
    parser.add_argument("--only", default="", help="floods whose name contains this")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    head = ["beside", "longest stall, ms (median of rounds)", "the longest of all rounds"]
    print("\n".join(table(head, list(_rows(arguments.only, arguments.rounds)))))


if __name__ == "__main__":
    main()
