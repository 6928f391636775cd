"""`python -m bench.production`: crowds, floods, stops, reloads and deaths; writes PRODUCTION_RESULTS.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator

from bench import ROOT, machine, workers
from bench.load import generator
from bench.production import flood, idle, parting
from bench.report import table

RESULTS = ROOT / "bench" / "PRODUCTION_RESULTS.md"
PARTS = ("idle", "flood", "parting", "kill", "workers")
MORE_BY_TWO = 1.3
"""What a second worker is worth at least where the load generator has to share two cores with both."""


def _idle() -> Iterator[str]:
    calls, memory = asyncio.run(idle.measure())
    yield "## Ten thousand idle connections"
    yield ""
    yield from table(idle.HEAD, calls)
    yield ""
    yield from table(idle.MEMORY_HEAD, memory)


def _flood() -> Iterator[str]:
    yield "## A flood beside others"
    yield ""
    yield f"{flood.OTHERS} callers of {flood.PACE} calls a second each, and one that calls without pause; one process."
    yield ""
    yield from table(flood.HEAD, [*asyncio.run(flood.rate()), *asyncio.run(flood.at_once())])


def _parting() -> Iterator[str]:
    yield "## SIGTERM and rolling reloads under load"
    yield ""
    yield "Lost is a call without a right answer. After SIGTERM calls are refused in the end: only such that a servicer"
    yield "had begun count, and so in a reload on gRPC's own port (docs/operations.md says why). Resent are"
    yield "requests that met the end of a kept connection before a byte of an answer."
    yield ""
    yield from table(parting.HEAD, [row for face in parting.FACES for row in asyncio.run(parting.reload(face))])
    for face in parting.FACES:
        yield ""
        yield from table(parting.HEAD, [row for count in (1, 2) for row in asyncio.run(parting.stop(face, count))])


def _kill() -> Iterator[str]:
    yield "## A worker killed by `kill -9` under load"
    yield ""
    yield from table(parting.KILL_HEAD, [row for face in parting.FACES for row in asyncio.run(parting.kill(face))])


def _workers() -> Iterator[str]:
    yield "## From one worker to two"
    yield ""
    yield "The load generator shares the two cores with the workers."
    yield ""
    yield from workers.lines((1, 2), 3.0, 3)


def _report(parts: list[str]) -> Iterator[str]:
    yield "# Production"
    yield ""
    yield "Made by `make bench-production`; it fails where a row says NO."
    yield ""
    yield from (f"- {what}: {value}" for what, value in machine.describe(generator().name, (None, None)))
    yield f"- Load average when it began: {os.getloadavg()[0]:.1f}"
    for part, lines in zip(PARTS, (_idle, _flood, _parting, _kill, _workers), strict=True):
        if part in parts:
            yield ""
            yield from lines()


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.production", description="Load as production has it.")
    parser.add_argument("--only", action="append", choices=PARTS, help="may be repeated; written nowhere")
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
