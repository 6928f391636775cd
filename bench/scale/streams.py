"""Messages per second of a server stream in each encoding."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from bench import chart
from bench.markdown import table
from bench.process import Server, server
from bench.request import Result
from bench.scale import Part, Setting, turns
from bench.streams import clients
from bench.streams.clients import Run

STREAMS: dict[str, Run] = {
    "NDJSON": clients.rest("application/x-ndjson"),
    "Server-Sent Events": clients.rest("text/event-stream"),
    "JSON array": clients.rest("application/json"),
    "WebSocket, JSON": clients.socket("json"),
    "WebSocket, protobuf": clients.socket("proto"),
    "Connect, JSON": clients.web("application/connect+json"),
    "Connect, protobuf": clients.web("application/connect+proto"),
    "gRPC-Web": clients.web("application/grpc-web+proto"),
    "gRPC": clients.grpc_out,
}


def measured(given: Setting) -> Part:
    """Measures every encoding in turn."""
    with server("streams", "streams", given.core) as one:
        runs = {name: partial(_stream, one, run, given.plan.messages) for name, run in STREAMS.items()}
        found = turns(given.plan.rounds, runs)
    # A client in Python limits the rate of some, and none the messages that a second of the server's time suffices for.
    per_second = {name: 1e6 / result.cpu_least for name, result in found.items()}
    picture = chart.bars("Messages that one second of the server's CPU time sends", "messages", per_second)
    rows = (
        [name, f"{result.cpu_least:.2f}", f"{per_second[name]:,.0f}", f"{result.rate:,.0f}"]
        for name, result in found.items()
    )
    head = ("encoding", "CPU µs a message", "messages per CPU second", "messages/s")
    lines = [
        *table(head, rows),
        "",
        "The clients of WebSocket and gRPC are slower than the server and limit messages/s.",
    ]
    return Part("Streams", lines, {"scale-streams.svg": picture})


def _stream(one: Server, run: Run, messages: int) -> Result:
    port = one.grpc if run is clients.grpc_out else one.http
    before, began = one.cpu_seconds(), time.perf_counter()
    came = asyncio.run(run(port, messages))
    took = time.perf_counter() - began
    if came != messages:
        raise RuntimeError(f"{came} messages came instead of {messages}")
    each = took / messages * 1e3
    return Result(messages / took, each, each, messages).used(one.cpu_seconds() - before)
