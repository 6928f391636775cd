"""`make fuzz`: sends inputs of every kind to the built program and reports the faults."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from pathlib import Path

from .run import SHARES, Report, repeat, run


def main() -> int:
    """Runs; returns 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="beside those of schemathesis")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kind", choices=list(SHARES), help="this kind alone")
    parser.add_argument("--number", type=int, help="one input of --kind again, by its number and the run's --seed")
    parser.add_argument(
        "--examples", type=int, default=150, help="of schemathesis, for each operation; 0 leaves it out"
    )
    chosen = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # asyncio warns about every write to a closed connection
    sys.stdout.write(f"seed {chosen.seed}\n")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if chosen.number is not None:
            report = asyncio.run(repeat(chosen.kind, chosen.number, chosen.seed, folder))
        else:
            report = asyncio.run(run(chosen.inputs, chosen.seed, folder, chosen.kind, chosen.examples, _say))
    sys.stdout.write(_table(report))
    return 1 if report.judge.faults else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _table(report: Report) -> str:
    judge = report.judge
    lines = [f"{'kind':14s} {'inputs':>7s} {'in':>8s}  how they ended"]
    for kind, outcomes in judge.seen.items():
        ended = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
        thrown, spent = report.thrown.get(kind, 0), report.spent.get(kind, 0.0)
        lines.append(f"{kind:14s} {thrown:7d} {spent:6.0f} s  {ended}")
    if "schemathesis" in report.thrown:
        thrown, spent = report.thrown["schemathesis"], report.spent["schemathesis"]
        lines.append(f"{'schemathesis':14s} {thrown:7d} {spent:6.0f} s  no surprise, or a fault below")
    lines.append(f"{sum(report.thrown.values())} inputs in {report.seconds:.0f} s; {report.frames} frames in floods; ")
    lines[-1] += f"{judge.expected_errors} errors in the log that the service means"
    lines += [f"warnings in the log: {count} × {event}" for event, count in judge.warnings.most_common(9)]
    for place in report.places:
        held = {"started": place.fresh, "before": place.before, "after": place.after}
        lines += [f"{place.name}, {when + ':':8s} {what}" for when, what in held.items()]
    lines += [f"FAULT: {one}" for one in judge.faults[:50]]
    lines.append(f"{len(judge.faults)} FAULTS" if judge.faults else "alive, no fault, and everything given back")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
