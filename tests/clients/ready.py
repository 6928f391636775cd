"""Installs the JavaScript clients of the lock file and generates their code, unless that is already done.

It needs Node and npm. `make` runs it, and so do the tests that need the clients.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_STAMP = HERE / "node_modules" / ".ready"


def _inputs() -> list[Path]:
    fixed = [HERE / "package.json", HERE / "package-lock.json", HERE / "buf.gen.yaml"]
    return [*fixed, *sorted((ROOT / "tests" / "proto").rglob("*.proto"))]


def _state() -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in _inputs())).hexdigest()


def _run(*command: str, folder: Path) -> None:
    # buf finds its plugin through node, and both are found on PATH, where this environment's buf comes first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def make_ready() -> None:
    """Raises RuntimeError with the tool's message if a step fails. Several processes may call it at once."""
    with open(HERE / ".ready.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make_ready()


def _make_ready() -> None:
    state = _state()
    if _STAMP.exists() and _STAMP.read_text() == state:
        return
    _run("npm", "ci", "--no-fund", "--no-audit", folder=HERE)
    _run(sys.executable, "codegen/lay.py", folder=ROOT)
    _run("buf", "generate", "--template", "tests/clients/buf.gen.yaml", folder=ROOT)
    _STAMP.write_text(state)


if __name__ == "__main__":
    make_ready()
