"""`python -m bench.engines`: compares the gRPC engines and plain grpc.aio in one run; prints a table."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence

from bench import rpc_load
from bench.markdown import table
from bench.process import cores, pin, server
from bench.request import Result, median
from bench.rpc_load import CONNECTIONS, METHODS, STREAMS, Measure

ENGINES = ("builtin", "grpcio", "native")
PEER = "grpc.aio alone"


def run(engines: Sequence[str], seconds: float, rounds: int, measure: Measure) -> dict[str, dict[str, Result]]:
    """Measures every server in turn, in several rounds, so that a busy moment affects all: method, server → medians."""
    servers_core, own_core = cores()
    pin(own_core)
    with contextlib.ExitStack() as stack:
        every = [stack.enter_context(server(PEER, "grpcaio", servers_core))]
        every += [stack.enter_context(server(name, "gateway", servers_core, "--engine", name)) for name in engines]
        rpc_load.check(every)
        found = {}
        for method in METHODS:
            turns = [[measure(one, method, seconds) for one in every] for _ in range(rounds)]
            found[method] = {
                one.name: median(one_of) for one, one_of in zip(every, zip(*turns, strict=True), strict=True)
            }
        return found


def lines(engines: Sequence[str], seconds: float, rounds: int, client: str) -> Iterator[str]:
    """Yields the results as Markdown. `client` is h2load or grpcio; empty for the better one available."""
    client, measure = rpc_load.client(client)
    yield f"Driven by {client}, {CONNECTIONS} connections with {STREAMS} calls at a time each."
    yield ""
    rows = []
    for method, results in run(engines, seconds, rounds, measure).items():
        peer = results[PEER]
        for name, one in results.items():
            rate = [f"{one.rate:,.0f}", f"{one.rate / peer.rate:.2f}"]
            rows.append([name, METHODS[method], *rate, f"{one.cpu:.0f}", f"{one.cpu / peer.cpu:.2f}"])
    yield from table(["server", "method", "calls/s", f"of {PEER}", "server us a call", "of its"], rows)


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
