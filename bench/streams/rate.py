"""`python -m bench.streams.rate`: messages per second and CPU per message of each kind of stream.

`--against PATH` measures the gateway of another checkout in the same alternating rounds, and prints the ratios;
`--without-wheel` measures both also without the JSON codec in Rust. It writes no file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import ROOT, process
from bench.markdown import table
from bench.streams import clients, crowd
from bench.streams.clients import Run

# The servers of both checkouts run this checkout's benchmark, with the other one's gateway.
_PROGRAM = """
import runpy, sys
sys.path.insert(0, {gateway!r})
if {blocked}: sys.modules["diptych_json"] = None
runpy.run_module("bench.servers.streams", run_name="__main__")
"""
_CALIBRATION = 5000

STREAMS: dict[str, Run] = {
    "NDJSON out": clients.rest("application/x-ndjson"),
    "SSE out": clients.rest("text/event-stream"),
    "JSON array out": clients.rest("application/json"),
    "NDJSON in": clients.rest_in("application/x-ndjson", "sum"),
    "NDJSON both ways": clients.rest_in("application/x-ndjson"),
    "NDJSON in turns": clients.turns,
    "JSON array both ways": clients.rest_in("application/json"),
    "WebSocket out, JSON": clients.socket("json"),
    "WebSocket out, protobuf": clients.socket("proto"),
    "WebSocket both ways, JSON": clients.socket_both("json"),
    "gRPC-Web out": clients.web("application/grpc-web+proto"),
    "Connect out, JSON": clients.web("application/connect+json"),
    "Connect out, protobuf": clients.web("application/connect+proto"),
    "Connect both ways, JSON": clients.web_in("application/connect+json"),
    "Connect both ways, protobuf": clients.web_in("application/connect+proto"),
    "gRPC out": clients.grpc_out,
    "gRPC both ways": clients.grpc_both,
}
_GRPC = (clients.grpc_out, clients.grpc_both)


class Round(NamedTuple):
    """One measured stream."""

    rate: float
    cpu: float  # µs per message
    held: float  # the longest time for which the event loop served nothing else, in milliseconds


@contextlib.contextmanager
def _server(name: str, checkout: Path, core: int | None, *, wheel: bool) -> Iterator[process.Server]:
    program = _PROGRAM.format(gateway=str(checkout / "gateway"), blocked=not wheel)
    with process.started([sys.executable, "-c", program], core) as running:
        assert running.stdout is not None
        ports = json.loads(running.stdout.readline())
        yield process.Server(name, [running], http=ports["http"], grpc=ports["grpc"])


def _measured(server: process.Server, run: Run, count: int) -> Round:
    port = server.grpc if run in _GRPC else server.http
    asyncio.run(crowd.held(server.http))
    cpu, began = server.cpu_seconds(), time.perf_counter()
    came = asyncio.run(run(port, count))
    took, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu
    if came != count:
        raise RuntimeError(f"{server.name}: {came} of {count} messages")
    return Round(count / took, cpu / count * 1e6, asyncio.run(crowd.held(server.http)))


def _compared(servers: Sequence[process.Server], run: Run, rounds: int, seconds: float) -> list[list[Round]]:
    counts = [max(_CALIBRATION, int(_measured(one, run, _CALIBRATION).rate * seconds)) for one in servers]
    found: list[list[Round]] = [[] for _ in servers]
    for _ in range(rounds):
        for at, one in enumerate(servers):
            found[at].append(_measured(one, run, counts[at]))
    return found


def _rows(servers: Sequence[process.Server], name: str, found: list[list[Round]]) -> Iterator[list[str]]:
    first_rate, first_cpu = (median(one[column] for one in found[0]) for column in (0, 1))
    for server, rounds in zip(servers, found, strict=True):
        rate, cpu, held = (median(one[column] for one in rounds) for column in range(3))
        yield [
            f"{name}: {server.name}",
            f"{rate:,.0f}",
            f"{rate / first_rate:.2f}",
            f"{cpu:.2f}",
            f"{min(one.cpu for one in rounds):.2f}",
            f"{first_cpu / cpu:.2f}",
            f"{held:.2f}",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.streams.rate", description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, which the ratios refer to")
    parser.add_argument("--without-wheel", action="store_true")
    parser.add_argument("--only", default="", help="streams whose name contains this")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.7, help="for each stream, about")
    arguments = parser.parse_args()
    server_core, client_core = process.cores()
    process.pin(client_core)
    places = {"here": ROOT} if arguments.against is None else {"before": arguments.against.resolve(), "here": ROOT}
    wheels = [True, False] if arguments.without_wheel else [True]
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(_server(name if wheel else f"{name}, no wheel", where, server_core, wheel=wheel))
            for wheel in wheels
            for name, where in places.items()
        ]
        rows: list[list[str]] = []
        for name, run in STREAMS.items():
            if arguments.only in name:
                print(f"  {name}", file=sys.stderr, flush=True)
                rows += _rows(servers, name, _compared(servers, run, arguments.rounds, arguments.seconds))
    head = ["stream", "messages/s", "ratio", "CPU µs each", "least", "CPU ratio", "loop held, ms"]
    print("\n".join(table(head, rows)))


if __name__ == "__main__":
    main()
