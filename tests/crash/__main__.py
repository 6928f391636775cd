"""`make crash`: kill -9 at random moments, a line for each round, and a table of the victims at the end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from .places import Place, on_cluster, on_sqlite, workspace
from .rounds import ATTEMPTS, Round, crashing


def main() -> int:
    """Runs the rounds; returns 1 if one of them found a fault."""
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="in each place")
    parser.add_argument("--place", choices=["sqlite", "cluster", "both"], default="both")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--lease", type=float, default=25.0, help="lease_seconds")
    chosen = parser.parse_args()
    logging.getLogger("artificer_services").setLevel(
        logging.ERROR
    )  # these tests kill the database, so its errors are expected
    places = ["sqlite", "cluster"] if chosen.place == "both" else [chosen.place]
    sound = True
    for place in places:
        sys.stdout.write(f"{place}: {chosen.rounds} rounds, seed {chosen.seed}, lease {chosen.lease:g} s\n")
        with workspace() as folder:
            rounds, last = asyncio.run(_run(place, folder, chosen.rounds, chosen.seed, chosen.lease))
        sys.stdout.write("\n".join([_table(rounds), *(f"FAULT: {one}" for one in last), ""]))
        sound = sound and not last and not any(one.faults for one in rounds)
    sys.stdout.write("nothing lost, nothing doubled, nothing stuck\n" if sound else "THERE ARE FAULTS\n")
    return 0 if sound else 1


def _open(place: str, folder: Path, **settings: Any) -> AbstractAsyncContextManager[Place]:
    return on_sqlite(folder, **settings) if place == "sqlite" else on_cluster(folder, **settings)


async def _run(place: str, folder: Path, count: int, seed: int, lease: float) -> tuple[list[Round], list[str]]:
    settings = {"lease_seconds": lease, "heartbeat_seconds": lease / 5, "max_attempts": ATTEMPTS}
    rounds = []
    async with _open(place, folder, **settings) as there, crashing(there, seed) as crash:
        for _ in range(count):
            rounds.append(await crash.round())
            sys.stdout.write(f"{rounds[-1]}\n")
            sys.stdout.flush()
        return rounds, await crash.close()


def _table(rounds: list[Round]) -> str:
    found: defaultdict[str, list[float | None]] = defaultdict(list)
    for one in rounds:
        for kill in one.kills:
            found[kill.victim].append(kill.recovery)
    lines = [f"{'victim':20s} {'kills':>6s} {'recovered in, mean':>20s} {'at the most':>12s}"]
    for victim, told in sorted(found.items()):
        times = [one for one in told if one is not None] or [0.0]
        mean = sum(times) / len(times)
        lines.append(f"{victim:20s} {len(told):6d} {mean:18.2f} s {max(times):10.2f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
