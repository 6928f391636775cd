"""Runs Connect's conformance suite over `server.py`: Connect, gRPC and gRPC-Web over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from . import races, tools

_CONFIGURATIONS = {
    port: Path(__file__).with_name(name) for port, name in (("single", "connect.yaml"), ("grpc", "connect_grpc.yaml"))
}

_FAILED = re.compile("FAILED: (.+):")
_TOTAL = re.compile(r"Total cases: (\d+)")


def run(port: str, loop: str, say: Callable[[str], None]) -> tuple[int, dict[str, str]]:
    """Runs all cases of a port, `single` or `grpc`, on one event loop.

    Returns their number, and what the suite says of each that failed; `say` reports those that ran again (`races`).

    Raises RuntimeError, with the suite's output, if it did not run to its end.
    """
    total, failed = _run(port, loop)
    failed = races.settled(failed, lambda case: _run(port, loop, f"--run={case}")[1].get(case), say)
    return total, {f"connect/{port}-{loop}/{name}": said for name, said in failed.items()}


def _run(port: str, loop: str, *options: str) -> tuple[int, dict[str, str]]:
    server = [sys.executable, "-m", "tests.conformance.server", str(tools.connect_descriptors())]
    server += [f"--loop={loop}", f"--port={port}"]
    command = [
        str(tools.program(*tools.CONNECT)),
        "--mode=server",
        f"--conf={_CONFIGURATIONS[port]}",
        "--max-servers=2",
        *options,
    ]
    done = subprocess.run(
        [*command, "--", *server], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    total = _TOTAL.search(done.stdout)
    if total is None:
        raise RuntimeError(done.stdout)
    return int(total[1]), dict(_failures(done.stdout))


def _failures(output: str) -> list[tuple[str, str]]:
    """Returns the names of the cases that failed, without spaces, and the lines below them."""
    found: list[tuple[str, str]] = []
    for line in output.splitlines():
        if failed := _FAILED.fullmatch(line):
            found.append((failed[1].replace(" ", "_"), ""))
        elif found and line.startswith("\t"):
            name, said = found[-1]
            found[-1] = (name, f"{said}{line.strip()}\n")
    return found
