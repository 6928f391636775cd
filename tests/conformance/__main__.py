"""`make conformance`: runs public conformance suites. Only failures of h2spec that `known.txt` explains are allowed.

A case of Connect's suite that may have failed by a race of its client runs again, which is reported (`races`).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from . import connect, http2, interop, json_suite, known, protobuf_runner, tools

Result = tuple[int, dict[str, str]]
"""The number of cases, and what the suite says of each that failed."""


def main() -> int:
    """Runs the suites; returns 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"{', '.join(SUITES)}; all if none is named")
    suites = parser.parse_args().suites or list(SUITES)
    if unknown := set(suites) - set(SUITES):
        parser.error(f"there is no suite {', '.join(sorted(unknown))}; expected {', '.join(SUITES)}")
    logging.disable(logging.CRITICAL)  # the suites' requests are broken on purpose
    wrong: list[str] = []
    for suite in suites:
        if (lacking := _lacks(suite)) is None:
            wrong += _faults(suite)
            continue
        _say(f"the suite {suite} was not run, since it needs {lacking}")
        if os.environ.get("TESTS_CONFORMANCE") == "required":
            wrong.append(f"not run: {suite}")
    _say("\n".join(wrong) if wrong else "no failures besides the known ones")
    return 1 if wrong else 0


def _lacks(suite: str) -> str | None:
    """Returns what a suite needs and this machine lacks, or None."""
    if suite == "json":
        return protobuf_runner.lacks()
    return None if tools.has_go() else "Go"


def _faults(suite: str) -> list[str]:
    failed: dict[str, str] = {}
    for title, (total, found) in SUITES[suite]():
        _say(f"{title}: {total} cases, {len(found)} failed")
        failed |= found
    return known.faults(known.read(known.FILE.read_text(encoding="utf-8")), suite, failed)


def _connect() -> Iterator[tuple[str, Result]]:
    for loop in ("uvloop", "asyncio"):
        for port in ("single", "grpc"):
            yield f"Connect's suite on the {port} port, {loop}", connect.run(port, loop, _say)


def _h2spec() -> Iterator[tuple[str, Result]]:
    for port in ("single", "grpc"):
        for tls in (False, True):
            title = f"h2spec on the {port} port, {'TLS' if tls else 'plain text'}"
            yield title, asyncio.run(http2.run(port, tls=tls))


def _interop() -> Iterator[tuple[str, Result]]:
    interop.load()
    for port in ("single", "grpc"):
        for tls in (False, True):
            title = f"gRPC's interop client on the {port} port, {'TLS' if tls else 'plain text'}"
            yield title, asyncio.run(interop.run(port, tls=tls))


def _json() -> Iterator[tuple[str, Result]]:
    yield "protobuf's suite for JSON, every engine of the codec", json_suite.run()


SUITES: Mapping[str, Callable[[], Iterator[tuple[str, Result]]]] = {
    "connect": _connect,
    "h2spec": _h2spec,
    "interop": _interop,
    "json": _json,
}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
