"""Runs the JSON part of protobuf's conformance suite, through all engines of the JSON codec at once.

Cases that are recommended count as required ones, of every syntax up to edition 2023.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile

from . import protobuf_runner

_SECONDS = 300
_FAILED = re.compile(r"^(?:ERROR|WARNING), test=([^:\s]+): (.*)$", re.MULTILINE)
_TOTAL = re.compile(r"(\d+) successes, \d+ skipped, \d+ expected failures, (\d+) unexpected failures")


def run() -> tuple[int, dict[str, str]]:
    """Runs all cases; returns the number of those about JSON, and what the runner says of each that failed.

    Raises RuntimeError, with the runner's output, if it did not run to its end.
    """
    testee = [sys.executable, "-m", f"{__package__}.json_testee", str(protobuf_runner.descriptors())]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--enforce_recommended", "--maximum_edition", "2023", "--output_dir", folder]
        output = subprocess.run(
            [*protobuf_runner.command(), *options, *testee],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        ).stdout.decode(errors="replace")
    failed = {f"json/{name}": said for name, said in _FAILED.findall(output)}
    counts = [(int(passed), int(wrong)) for passed, wrong in _TOTAL.findall(output)]
    total = sum(passed + wrong for passed, wrong in counts)
    if not total or sum(wrong for _, wrong in counts) != len(failed):
        raise RuntimeError(output)
    return total, failed
