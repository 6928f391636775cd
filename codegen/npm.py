"""Runs npm and tools from npm, and what they make only once for all processes that need it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

OLDEST_NODE = 20


def is_possible() -> bool:
    """Whether this machine has npm and a Node that is new enough: Debian 12 has an older one."""
    if not all(map(shutil.which, ("node", "npm"))):
        return False
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout  # v20.1.0
    major = version.removeprefix("v").partition(".")[0]
    return major.isdecimal() and int(major) >= OLDEST_NODE


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Returns what a command printed. Raises RuntimeError with all of it if the command fails."""
    # buf finds its plugin through node, and both are found on PATH, where this environment's buf comes first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def once(stamp: Path, inputs: Iterable[Path], step: Callable[[], object]) -> None:
    """Calls `step` unless the file `stamp` says that it has succeeded with the same inputs.

    Several processes may call it at once: one works, and the others wait.
    """
    # The lock is not beside the stamp, since npm deletes node_modules.
    with open(stamp.parents[1] / f"{stamp.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()
        if stamp.exists() and stamp.read_text() == state:
            return
        step()
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(state)


def install(folder: Path) -> None:
    """Installs the packages of `folder`/package-lock.json. Raises RuntimeError with npm's message if it fails."""
    # No package's own script runs: none of them is needed.
    command = ("npm", "ci", "--no-fund", "--no-audit", "--ignore-scripts")
    inputs = [folder / "package.json", folder / "package-lock.json"]
    once(folder / "node_modules" / ".installed", inputs, lambda: run(*command, folder=folder))
