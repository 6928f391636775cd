"""`python -m bench`: measure, print, and write bench/RESULTS.md with its pictures."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from bench import load, machine, process, rpc_load, scale
from bench.plan import FULL, QUICK
from bench.progress import reporter
from bench.report import report
from bench.scale.run import parts
from bench.scenarios import run

FOLDER = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Diptych against its peers.")
    parser.add_argument("--quick", action="store_true", help="one short round, without scale; writes no file")
    parser.add_argument("--generator", choices=("wrk", "client"), help="default: wrk if it is on PATH")
    parser.add_argument("--only", action="append", default=[], help="scenarios with this in their name; writes no file")
    parser.add_argument("--server", action="append", default=[], help="servers with this in their name, beside Diptych")
    parser.add_argument("--rounds", type=int, help="instead of the plan's")
    parser.add_argument("--without-scale", action="store_true", help="leaves out what `python -m bench.scale` measures")
    given = parser.parse_args()
    part = given.quick or given.only or given.server
    # SIGTERM must stop the servers as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    say, cores = reporter(), process.cores()
    try:
        plan = (QUICK if given.quick else FULL).narrowed(given.only, given.server, given.rounds)
        generator = load.generator(given.generator)
        measured = run(plan, generator, cores, say)
        further = [] if part or given.without_scale else list(parts(scale.FULL, generator, cores, say))
    except RuntimeError as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    how = f"{load.CONNECTIONS} connections, {rounds} of {plan.seconds:g} s, servers taking turns"
    about = [*machine.describe(generator.name, cores), ("gRPC load", rpc_load.client()[0]), ("How", how)]
    text = report(measured, about) + "".join(f"{line}\n" for part in further for line in part.text())
    print(text)
    if not part:
        (FOLDER / "RESULTS.md").write_text(text, encoding="utf-8")
        for name, picture in (pair for part in further for pair in part.pictures.items()):
            (FOLDER / name).write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
