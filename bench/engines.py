"""`python -m bench.engines`: compares the speed of the gRPC engines and of plain grpc.aio in one run; prints a table.

The client is h2load if it is on PATH, since it costs less CPU than any server. Otherwise it is grpcio, which costs as
much as the servers and limits the rates.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf import json_format

from bench.load import measure_grpc
from bench.process import Server, cores, pin, server
from bench.records import NESTED
from bench.report import table
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

ENGINES = ("builtin", "grpcio", "native")
PEER = "grpc.aio alone"
CONNECTIONS, STREAMS = 4, 8
PATHS = {"get": "GetDish", "post": "CreateDish", "list": "ListDishes"}

Measure = Callable[[Server, str, float], tuple[float, float]]


def request(method: str) -> bytes:
    """Returns the method's request with gRPC's framing."""
    made = {
        "get": pb.GetDishRequest(dish_id="dish-0"),
        "post": pb.CreateDishRequest(dish=json_format.ParseDict(NESTED, pb.Dish())),
        "list": pb.ListDishesRequest(),
    }
    data = made[method].SerializeToString()
    return struct.pack(">BI", 0, len(data)) + data


def by_h2load(one: Server, method: str, seconds: float, connections: int = CONNECTIONS) -> tuple[float, float]:
    """Returns calls per second, and the server's CPU time per call in microseconds."""
    with tempfile.NamedTemporaryFile() as body:
        Path(body.name).write_bytes(request(method))
        headers = ("content-type: application/grpc", "te: trailers")
        command = ["h2load", "-c", str(connections), "-m", str(STREAMS), "-D", str(round(seconds)), "-d", body.name]
        command += [part for header in headers for part in ("-H", header)]
        command.append(f"http://127.0.0.1:{one.grpc}/kitchen.v1.KitchenService/{PATHS[method]}")
        before = one.cpu_seconds()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = one.cpu_seconds() - before
    counts = re.search(r"(\d+) succeeded, (\d+) failed", said)
    if counts is None or int(counts[2]):
        raise RuntimeError(f"{one.name}: {said}")
    return int(counts[1]) / round(seconds), used / int(counts[1]) * 1e6


def by_grpcio(one: Server, method: str, seconds: float) -> tuple[float, float]:
    """Returns the same, measured by a grpcio client process."""
    result = measure_grpc(one, method, seconds)
    return result.rate, result.cpu


def check(servers: Sequence[Server]) -> None:
    """Raises RuntimeError if the servers answer differently: h2load does not check gRPC's status."""
    answers = {}
    for one in servers:
        with grpc.insecure_channel(f"127.0.0.1:{one.grpc}") as channel:
            stub = pb_grpc.KitchenServiceStub(channel)
            answers[one.name] = stub.GetDish(pb.GetDishRequest(dish_id="dish-0"), timeout=20).SerializeToString()
    if len(set(answers.values())) != 1:
        raise RuntimeError(f"the servers do not answer alike: {answers}")


@dataclass(frozen=True)
class Row:
    """One server's medians."""

    name: str
    method: str
    rate: float
    cpu: float


def run(engines: Sequence[str], seconds: float, rounds: int, measure: Measure) -> list[Row]:
    """Measures every server in turn, in several rounds, so that a busy moment affects all of them."""
    servers_core, own_core = cores()
    pin(own_core)
    with contextlib.ExitStack() as stack:
        every = [stack.enter_context(server(PEER, "grpcaio", servers_core))]
        every += [stack.enter_context(server(name, "engine", servers_core, name)) for name in engines]
        check(every)
        rows = []
        for method in PATHS:
            found = [[measure(one, method, seconds) for one in every] for _ in range(rounds)]
            for place, one in enumerate(every):
                rates, cpus = zip(*(turn[place] for turn in found), strict=True)
                rows.append(Row(one.name, method, statistics.median(rates), statistics.median(cpus)))
        return rows


def lines(engines: Sequence[str], seconds: float, rounds: int, client: str) -> Iterator[str]:
    """Yields the results as Markdown. `client` is h2load or grpcio; empty for the better one available."""
    client = client or ("h2load" if shutil.which("h2load") else "grpcio")
    rows = run(engines, seconds, rounds, by_h2load if client == "h2load" else by_grpcio)
    peers = {row.method: row for row in rows if row.name == PEER}
    yield f"Driven by {client}, {CONNECTIONS} connections with {STREAMS} calls at a time each."
    yield ""
    yield from table(
        ["server", "method", "calls/s", f"of {PEER}", "server us a call", "of its"],
        (
            [
                *(row.name, PATHS[row.method], f"{row.rate:,.0f}", f"{row.rate / peers[row.method].rate:.2f}"),
                *(f"{row.cpu:.0f}", f"{row.cpu / peers[row.method].cpu:.2f}"),
            ]
            for row in rows
        ),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.engines", description="Compare the gRPC engines.")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="one of them; may be repeated")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", choices=("h2load", "grpcio"), default="")
    arguments = parser.parse_args()
    for line in lines(arguments.engine or ENGINES, arguments.seconds, arguments.rounds, arguments.client):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
