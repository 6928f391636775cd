"""`make soak`: mixed traffic for SECONDS (600), and whether the program holds as much afterwards as before.

It compares two moments without traffic: after a fifth of the time, when everything that is made once exists, and at
the end. It prints a table, and returns 1 if memory, descriptors, tasks or connections have grown, or if a call ended as
none should.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from random import Random

from bench.markdown import table
from bench.soak.program import Held, Program, serving
from bench.soak.traffic import VISITS, Visit

SAMPLES = 20
# What an idle program may hold beyond what it held before: MiB of fragmented memory, and polling descriptors.
MEMORY_SLACK, DESCRIPTORS_SLACK, TASKS_SLACK = 32.0, 4, 2
_QUIET_SECONDS, _PAUSE_SECONDS = 60.0, 0.05


class Soak:
    """One run."""

    def __init__(self, program: Program, seed: int) -> None:
        self._program, self._dice = program, Random(seed)
        self.ended: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.rows: list[list[str]] = []
        self._began = time.monotonic()

    async def traffic(self, seconds: float) -> None:
        """Repeats all visits for some time, and samples what the program holds."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sample(until, seconds / SAMPLES))
            for visit, clients in VISITS.items():
                for _ in range(clients):
                    group.create_task(self._repeat(visit, until, Random(self._dice.random())))

    async def _repeat(self, visit: Visit, until: float, dice: Random) -> None:
        while time.monotonic() < until:
            try:
                outcome = await visit(self._program, dice)
                self.ended[f"{visit.__name__}: {outcome}"] += 1
            except Exception as wrong:
                self.faults[f"{visit.__name__}: {wrong!r}"[:200]] += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _sample(self, until: float, interval: float) -> None:
        while time.monotonic() < until:
            await self._row("traffic", await self._program.held())
            await asyncio.sleep(interval)

    async def rest(self, name: str, before: Held | None = None) -> Held:
        """Returns what the program holds once it has been quiet, or has had time to become it."""
        until = time.monotonic() + _QUIET_SECONDS
        held = await self._program.held()
        while time.monotonic() < until and (before is None or grown(before, held)):
            await asyncio.sleep(1)
            last, held = held, await self._program.held()
            if before is None and held == last:
                break
        await self._row(name, held)
        return held

    async def _row(self, name: str, held: Held) -> None:
        values = [f"{value:.1f}" if isinstance(value, float) else f"{value}" for value in asdict(held).values()]
        done = sum(self.ended.values())
        self.rows.append([f"{time.monotonic() - self._began:.0f}", name, *values, f"{done:,}"])
        sys.stderr.write("  " + "  ".join(self.rows[-1]) + "\n")


def grown(before: Held, after: Held) -> list[str]:
    """Returns what has grown by more than may be."""
    slack = {"memory": MEMORY_SLACK, "descriptors": DESCRIPTORS_SLACK, "tasks": TASKS_SLACK, "connections": 0}
    was, now = asdict(before), asdict(after)
    return [
        f"{name} grew from {was[name]:g} to {now[name]:g}"
        for name, most in slack.items()
        if now[name] - was[name] > most
    ]


async def _run(seconds: float, seed: int) -> int:
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        async with serving(Path(name)) as program:
            soak = Soak(program, seed)
            await soak.traffic(seconds / 5)
            before = await soak.rest("quiet, warm")
            await soak.traffic(seconds * 4 / 5)
            after = await soak.rest("quiet, at the end", before)
        log = (Path(name) / "log").read_text(errors="replace")
    head = ["s", "when", "memory, MiB", "processes", "descriptors", "tasks", "connections", "visits"]
    print("\n".join(table(head, soak.rows)))
    print("\n" + ", ".join(f"{name} {count:,}" for name, count in sorted(soak.ended.items())))
    found = grown(before, after) + [f"{count} × {fault}" for fault, count in soak.faults.most_common(20)]
    found += [
        f"the log says: {line}" for line in log.splitlines() if "unexpected error" in line or "Traceback" in line
    ][:20]
    print("\n".join(f"FAULT: {one}" for one in found) or "flat")
    return 1 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    return asyncio.run(_run(arguments.seconds, arguments.seed))


if __name__ == "__main__":
    sys.exit(main())
