"""Runs Go for the tests of its client. Without Go these are skipped, unless TESTS_GO is `required`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codegen import go_client
from codegen.npm import run

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "sdk" / "go"
RELAY = ROOT / "examples" / "go-relay"
NEEDS_GO = pytest.mark.skipif(not go_client.is_possible(), reason="there is no go")


def go(*arguments: str | Path, folder: Path, **environment: str) -> str:
    """Returns what `go` printed. Raises RuntimeError with that if it fails, and if there is no go."""
    return run(shutil.which("go") or "go", *arguments, folder=folder, **environment)
