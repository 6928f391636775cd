"""`python -m bench`: measure, print, and write bench/RESULTS.md with its pictures."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from bench import load, machine, process, scale
from bench.progress import reporter
from bench.report import report
from bench.scale.run import parts
from bench.scenarios import FULL, QUICK, run

FOLDER = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Diptych against its peers.")
    parser.add_argument("--quick", action="store_true", help="one short round, without scale; writes no file")
    parser.add_argument("--generator", choices=("wrk", "client"), help="default: wrk if it is on PATH")
    arguments = parser.parse_args()
    # SIGTERM must stop the servers as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan, say, cores = QUICK if arguments.quick else FULL, reporter(), process.cores()
    try:
        generator = load.generator(arguments.generator)
        measured = run(plan, generator, cores, say)
        further = [] if arguments.quick else list(parts(scale.FULL, generator, cores, say))
    except RuntimeError as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    how = f"{load.CONNECTIONS} connections, {plan.rounds} rounds of {plan.seconds:g} s, servers taking turns"
    about = [*machine.describe(generator.name, cores), ("gRPC load", measured.rpc_client), ("How", how)]
    text = report(measured, about) + "".join(f"{line}\n" for part in further for line in part.text())
    print(text)
    if not arguments.quick:
        (FOLDER / "RESULTS.md").write_text(text, encoding="utf-8")
        for name, picture in (pair for part in further for pair in part.pictures.items()):
            (FOLDER / name).write_text(picture, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
