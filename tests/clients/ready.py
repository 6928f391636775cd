"""Installs the JavaScript clients of the lock file and generates their code, unless that is already done.

It needs Node and npm. `make` runs it, and so do the tests that need the clients.
"""

from __future__ import annotations

import sys
from pathlib import Path

from codegen import npm

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def make_ready() -> None:
    """Raises RuntimeError with the tool's message if a step fails. Several processes may call it at once."""
    npm.install(HERE)
    inputs = [HERE / "buf.gen.yaml", *sorted((ROOT / "tests" / "proto").rglob("*.proto"))]
    npm.once(HERE / "node_modules" / ".generated", inputs, _generate)


def _generate() -> None:
    npm.run(sys.executable, "codegen/lay.py", folder=ROOT)
    npm.run("buf", "generate", "--template", "tests/clients/buf.gen.yaml", folder=ROOT)


if __name__ == "__main__":
    make_ready()
