"""`python -m bench.workers`: the rates of `diptych serve` with one worker and with several; prints a table.

No process is pinned: the load generators share the cores with the workers, so that with as many workers as cores the
last worker adds less than it would on a dedicated machine. `--full` also writes bench/WORKERS_RESULTS.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from bench import ROOT
from bench.load import generator, measure
from bench.machine import describe
from bench.markdown import table
from bench.process import START_SECONDS, STOP_SECONDS, Server
from bench.request import GET, Result, median
from bench.rpc_load import by_grpcio, by_h2load

RESULTS = ROOT / "bench" / "WORKERS_RESULTS.md"
# The kernel distributes connections by a hash: with only a few, one worker may get all of them.
CONNECTIONS = 32
_PORTS = rb"HTTP on http://127\.0\.0\.1:(\d+), gRPC on 127\.0\.0\.1:(\d+)"
_READY = (re.compile(_PORTS), re.compile(rb"workers are ready: " + _PORTS))

Measure = Callable[[Server, float], Result]


@contextlib.contextmanager
def crowd(workers: int, *arguments: str) -> Iterator[Server]:
    """Runs `diptych serve` with `count` workers, all of them ready."""
    command = [sys.executable, "-m", "diptych.cli", "serve", "bench.servers.crowd:create", *arguments]
    command += ["--workers", str(workers), "--http-port", "0", "--grpc-port", "0"]
    command += ["--set", "telemetry.access_log=false"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])
    env = {**os.environ, "PYTHONPATH": path}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT, env=env)
    try:
        http, grpc = _ports(process, workers)
        yield Server(f"{workers} workers", [process], http=http, grpc=grpc)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS * 2)
        except subprocess.TimeoutExpired:
            process.terminate()  # the second signal ends the workers too
            process.communicate()


def _ports(process: subprocess.Popen[bytes], workers: int) -> tuple[int, int]:
    assert process.stderr is not None
    until, said = time.monotonic() + START_SECONDS, b""
    while select.select([process.stderr], [], [], max(0.0, until - time.monotonic()))[0]:
        data = os.read(process.stderr.fileno(), 65536)
        if not data:
            break
        said += data
        found = _READY[workers > 1].search(said)
        if found is not None:
            return int(found[1]), int(found[2])
    raise RuntimeError(f"{process.args!r} did not start: {said.decode()}")


def _over_http(one: Server, seconds: float) -> Result:
    return measure(generator(), one, GET, seconds)


def _over_grpc(one: Server, seconds: float) -> Result:
    if shutil.which("h2load"):
        return by_h2load(one, "get", seconds, CONNECTIONS)
    return by_grpcio(one, "get", seconds)  # one connection, and so one worker


FACES: dict[str, tuple[Sequence[str], Measure]] = {
    "REST": ((), _over_http),
    "gRPC, builtin": ((), _over_grpc),
    "gRPC, grpcio": (("--set", "grpc_engine=grpcio"), _over_grpc),
    "gRPC, native": (("--set", "grpc_engine=native"), _over_grpc),
}


def lines(counts: Sequence[int], seconds: float, rounds: int) -> Iterator[str]:
    """Yields the results as Markdown: every number of workers in turn, in several rounds."""
    rows = []
    for face, (arguments, one_run) in FACES.items():
        found: dict[int, list[Result]] = {count: [] for count in counts}
        with contextlib.ExitStack() as stack:
            running = {count: stack.enter_context(crowd(count, *arguments)) for count in counts}
            for _ in range(rounds):
                for count, server in running.items():
                    found[count].append(one_run(server, seconds))
        medians = {count: median(results) for count, results in found.items()}
        for count, one in medians.items():
            of_one = one.rate / medians[counts[0]].rate
            rows.append([face, str(count), f"{one.rate:,.0f}", f"{of_one:.2f}", f"{one.cpu:.0f}"])
    yield from table(["face, GET one", "workers", "calls/s", f"of {counts[0]}", "server us a call"], rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.workers", description="Measure one machine's workers.")
    parser.add_argument("--workers", type=int, action="append", help="how many; may be repeated (1 and 2)")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--full", action="store_true", help=f"three rounds of 3 s, into {RESULTS.name}")
    given = parser.parse_args()
    seconds, rounds = (3.0, 3) if given.full else (given.seconds, given.rounds)
    text = list(lines(given.workers or (1, 2), seconds, rounds))
    print("\n".join(text))
    if given.full:
        about = [f"- {name}: {value}" for name, value in describe(generator().name, (None, None))]
        head = ["# Workers", "", "Written by `python -m bench.workers --full`.", "", *about, ""]
        RESULTS.write_text("\n".join([*head, *text]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
