"""`python -m bench.production`: idle connections, floods, stops, reloads, crashes; writes PRODUCTION_RESULTS.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator

from bench import ROOT, machine, workers
from bench.load import generator
from bench.markdown import table
from bench.production import flood, idle, stops

RESULTS = ROOT / "bench" / "PRODUCTION_RESULTS.md"
PARTS = ("idle", "flood", "stops", "kill", "workers")
MORE_BY_TWO = 1.3
"""The least gain from a second worker while the load generator shares two cores with both."""


def _idle() -> Iterator[str]:
    calls, memory = asyncio.run(idle.measure())
    yield "## Ten thousand idle connections"
    yield ""
    yield from table(idle.HEAD, calls)
    yield ""
    yield from table(idle.MEMORY_HEAD, memory)


def _flood() -> Iterator[str]:
    yield "## A flood and other callers"
    yield ""
    yield f"{flood.OTHERS} callers at {flood.PACE} calls per second each, and one without pauses; one process."
    yield ""
    yield from table(flood.HEAD, [*asyncio.run(flood.rate()), *asyncio.run(flood.at_once())])


def _stops() -> Iterator[str]:
    yield "## SIGTERM and rolling reloads under load"
    yield ""
    yield "A lost call has no correct answer. After SIGTERM new calls are refused, so only calls that a servicer had"
    yield "begun count; so do calls on gRPC's own port in a reload. A resent request met the end of a kept connection"
    yield "before a byte of its answer."
    yield ""
    yield from table(stops.HEAD, [row for face in stops.FACES for row in asyncio.run(stops.reload(face))])
    for face in stops.FACES:
        yield ""
        yield from table(stops.HEAD, [row for count in (1, 2) for row in asyncio.run(stops.stop(face, count))])


def _kill() -> Iterator[str]:
    yield "## A worker killed by `kill -9` under load"
    yield ""
    yield from table(stops.KILL_HEAD, [row for face in stops.FACES for row in asyncio.run(stops.kill(face))])


def _workers() -> Iterator[str]:
    yield "## From one worker to two"
    yield ""
    yield "The load generator shares two cores with the workers."
    yield ""
    yield from workers.lines((1, 2), 3.0, 3)


def _report(parts: list[str]) -> Iterator[str]:
    yield "# Production"
    yield ""
    yield "Written by `make bench-production`, which fails if a row says NO."
    yield ""
    yield from (f"- {what}: {value}" for what, value in machine.describe(generator().name, (None, None)))
    yield f"- Load average when it began: {os.getloadavg()[0]:.1f}"
    for part, lines in zip(PARTS, (_idle, _flood, _stops, _kill, _workers), strict=True):
        if part in parts:
            yield ""
            yield from lines()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.production", description="Measure a gateway under the loads of production."
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="may be repeated; writes no file")
    given = parser.parse_args()
    said = []
    for line in _report(given.only or list(PARTS)):
        print(line, flush=True)
        said.append(line)
    text = "\n".join(said) + "\n"
    if not given.only:
        RESULTS.write_text(text, encoding="utf-8")
    return 1 if " NO |" in text else 0


if __name__ == "__main__":
    sys.exit(main())
