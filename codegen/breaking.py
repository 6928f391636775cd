"""Runs `buf breaking` between the work tree and the protos of the main branch.

It compares with BREAKING_BASE, else origin/main, else main; if that is the current commit, with its parent.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from codegen.lay import lay_google

LAID = ("proto", "buf.yaml")


# Python 3.11.4 added the filter; without it extraction is safe too, since git made the archive from this repository.
_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def git(*words: str) -> str | None:
    """Returns the command's output, or None if git fails."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def earlier() -> str | None:
    """Returns the commit to compare with, or None if there is none."""
    head = git("rev-parse", "HEAD")
    for name in filter(None, (os.environ.get("BREAKING_BASE"), "origin/main", "main")):
        base = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if base:
            return base if base != head else git("rev-parse", "--verify", "--quiet", f"{base}^")
    return None


def main() -> int:
    base = earlier()
    if base is None or not git("ls-tree", base, "proto/"):
        print("buf breaking: skipped, there is no earlier commit to compare with")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("now", "then"):
            Path(folder, name).mkdir()
        archive = subprocess.run(["git", "archive", base, *LAID], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(Path(folder, "then"), **_SAFELY)
        shutil.copytree("proto", Path(folder, "now", "proto"))
        shutil.copyfile("buf.yaml", Path(folder, "now", "buf.yaml"))
        for name in ("now", "then"):
            lay_google(Path(folder, name))
            tests = Path(folder, name, "tests", "proto")  # buf.yaml names it; those may break
            tests.mkdir(parents=True)
            (tests / "empty.proto").write_text('syntax = "proto3";\n')
        command = ["buf", "breaking", str(Path(folder, "now")), "--against", str(Path(folder, "then"))]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
