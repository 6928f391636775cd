"""`python -m bench.streams`: a stream of a million messages in each encoding, and many slow and idle clients.

It prints the results and writes bench/STREAMS_RESULTS.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import engines, machine, process
from bench.markdown import table
from bench.streams import clients, crowd
from bench.streams.clients import Run

RESULTS = Path(__file__).parents[1] / "STREAMS_RESULTS.md"
MESSAGES, WARM_UP = 1_000_000, 20_000
# MiB by which the peak may grow over a warm server's: buffers only.
FLAT = 16.0
IDLE, SLOW, CALLS = 1000, 100, 2000

STREAMS: list[tuple[str, str, Run]] = [
    ("REST out, JSON array", "builtin", clients.rest("application/json")),
    ("REST out, NDJSON", "builtin", clients.rest("application/x-ndjson")),
    ("REST out, SSE", "builtin", clients.rest("text/event-stream")),
    ("REST both ways, NDJSON in", "builtin", clients.rest_in("application/x-ndjson")),
    ("REST both ways, JSON array in", "builtin", clients.rest_in("application/json")),
    ("WebSocket out, JSON", "builtin", clients.socket("json")),
    ("WebSocket out, protobuf", "builtin", clients.socket("proto")),
    ("WebSocket both ways, JSON", "builtin", clients.socket_both("json")),
    ("WebSocket both ways, protobuf", "builtin", clients.socket_both("proto")),
    ("gRPC-Web out", "builtin", clients.web("application/grpc-web+proto")),
    ("gRPC-Web out, text", "builtin", clients.web("application/grpc-web-text")),
    ("Connect out, JSON", "builtin", clients.web("application/connect+json")),
    ("Connect out, protobuf", "builtin", clients.web("application/connect+proto")),
    ("Connect both ways, JSON", "builtin", clients.web_in("application/connect+json")),
    ("Connect both ways, protobuf", "builtin", clients.web_in("application/connect+proto")),
    ("gRPC out, grpcio", "grpcio", clients.grpc_out),
    ("gRPC out, native", "native", clients.grpc_out),
    ("gRPC out, builtin", "builtin", clients.grpc_out),
    ("gRPC both ways, grpcio", "grpcio", clients.grpc_both),
    ("gRPC both ways, native", "native", clients.grpc_both),
    ("gRPC both ways, builtin", "builtin", clients.grpc_both),
]


def _stream(run: Run, engine: str, count: int, core: int | None) -> tuple[float, float, int]:
    """Messages per second, the growth of the peak in MiB, and the number of messages."""
    with process.server(engine, "streams", core, engine) as server:
        port = server.grpc if run in (clients.grpc_out, clients.grpc_both) else server.http
        asyncio.run(run(port, min(WARM_UP, count)))
        server.forget_peak()
        before = server.peak()
        began = time.perf_counter()
        came = asyncio.run(run(port, count))
        return came / (time.perf_counter() - began), server.peak() - before, came


def _streams(count: int, only: str, core: int | None) -> Iterator[list[str]]:
    for name, engine, run in STREAMS:
        if only not in name:
            continue
        print(f"  {name}", file=sys.stderr, flush=True)
        # These reach some thousand messages per second: 200,000 take as long as a million elsewhere.
        wanted = count // 5 if run is clients.grpc_both or engine == "native" else count
        rate, grown, came = _stream(run, engine, wanted, core)
        held = "yes" if grown <= FLAT and came == wanted else "NO"
        yield [name, f"{came:,}", f"{rate:,.0f}", f"{grown:.1f}", held]


async def _crowds(server: process.Server) -> list[list[str]]:
    await crowd.latency(server.http, CALLS)  # warm up
    rows = []
    quiet = await crowd.latency(server.http, CALLS)
    rows.append(["nobody else", *(f"{value:.2f}" for value in quiet), "1.00", ""])
    for name, others in (
        (f"{IDLE:,} idle WebSockets", crowd.idle_sockets(server.http, IDLE)),
        (f"{SLOW} clients that read nothing", crowd.slow_readers(server.http, SLOW, server.cpu_seconds)),
    ):
        server.forget_peak()
        before = server.peak()
        async with others:
            found = await crowd.latency(server.http, CALLS)
            grown = server.peak() - before
        rows.append([name, *(f"{value:.2f}" for value in found), f"{found[0] / quiet[0]:.2f}", f"{grown:.1f}"])
    return rows


def _report(count: int, only: str, cores: tuple[int | None, int | None]) -> Iterator[str]:
    yield "# Streams"
    yield ""
    yield from (f"- {what}: {value}" for what, value in machine.describe("own", cores))
    yield ""
    yield "## Long streams"
    yield ""
    yield f"Memory counts as flat if the peak of a warm server grows by at most {FLAT:g} MiB."
    yield ""
    head = ["stream", "messages", "messages/s", "peak grew, MiB", "flat"]
    yield from table(head, list(_streams(count, only, cores[0])))
    if only:
        return
    yield ""
    yield "## A unary REST call among many clients"
    yield ""
    with process.server("crowd", "streams", cores[0]) as server:
        yield from table(["beside", "p50 ms", "p99 ms", "p50 ratio", "memory, MiB"], asyncio.run(_crowds(server)))
    yield ""
    yield "## Unary gRPC by engine"
    yield ""
    yield from engines.lines(engines.ENGINES, 3.0, 2, "")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.streams", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--only", default="", help="streams whose name contains this; writes no file")
    arguments = parser.parse_args()
    cores = process.cores()
    process.pin(cores[1])
    text = "\n".join(_report(arguments.messages, arguments.only, cores)) + "\n"
    print(text)
    if not arguments.only and arguments.messages == MESSAGES:
        RESULTS.write_text(text, encoding="utf-8")
    return 1 if " NO |" in text else 0


if __name__ == "__main__":
    sys.exit(main())
