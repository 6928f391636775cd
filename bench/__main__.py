"""`python -m bench`: measure, print, and write bench/RESULTS.md."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from bench import load, machine, process
from bench.report import report
from bench.scenarios import FULL, QUICK, run

RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Diptych against its peers.")
    parser.add_argument("--quick", action="store_true", help="one short round; writes no file")
    parser.add_argument("--generator", choices=("wrk", "client"), help="default: wrk if it is on PATH")
    arguments = parser.parse_args()
    # SIGTERM must stop the servers as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = QUICK if arguments.quick else FULL
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {what}", file=sys.stderr, flush=True)

    try:
        generator = load.generator(arguments.generator)
        cores = process.cores()
        measured = run(plan, generator, cores, say)
    except RuntimeError as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    how = f"{load.CONNECTIONS} connections, {plan.rounds} rounds of {plan.seconds:g} s, servers taking turns"
    text = report(
        measured, [*machine.describe(generator.name, cores), ("gRPC load", measured.rpc_client), ("How", how)]
    )
    print(text)
    if not arguments.quick:
        RESULTS.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
