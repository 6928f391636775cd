"""`make conformance`: runs public conformance suites. Only failures of h2spec that `known.txt` explains are allowed."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from . import connect, http2, interop, known, tools

Result = tuple[int, dict[str, str]]
"""The number of cases, and what the suite says of each that failed."""


def main() -> int:
    """Runs the suites; returns 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"{', '.join(SUITES)}; all if none is named")
    suites = parser.parse_args().suites or list(SUITES)
    if unknown := set(suites) - set(SUITES):
        parser.error(f"there is no suite {', '.join(sorted(unknown))}; expected {', '.join(SUITES)}")
    if not tools.has_go():
        _say("the conformance suites were not run, since they are built by Go and there is no `go`")
        return 1 if os.environ.get("TESTS_CONFORMANCE") == "required" else 0
    logging.disable(logging.CRITICAL)  # the suites' requests are broken on purpose
    wrong = [fault for suite in suites for fault in _faults(suite)]
    _say("\n".join(wrong) if wrong else "no failures besides the known ones")
    return 1 if wrong else 0


def _faults(suite: str) -> list[str]:
    failed: dict[str, str] = {}
    for title, (total, found) in SUITES[suite]():
        _say(f"{title}: {total} cases, {len(found)} failed")
        failed |= found
    return known.faults(known.read(known.FILE.read_text(encoding="utf-8")), suite, failed)


def _connect() -> Iterator[tuple[str, Result]]:
    for loop in ("uvloop", "asyncio"):
        yield f"Connect's suite on the single port, {loop}", connect.run("single", loop)
    yield "Connect's suite on the grpc port, uvloop", connect.run("grpc", "uvloop")


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


SUITES: Mapping[str, Callable[[], Iterator[tuple[str, Result]]]] = {
    "connect": _connect,
    "h2spec": _h2spec,
    "interop": _interop,
}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
