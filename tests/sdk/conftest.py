"""The case server as a process, once per session."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sdk.case_table import FOLDER
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def case_server(folder: Path = FOLDER) -> Iterator[dict[str, str]]:
    """Runs the server of a folder's cases, and yields its line of JSON."""
    command = [sys.executable, "-m", "tests.sdk.case_server", "--cases", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, f"the case server ended with status {process.wait(PATIENCE)} instead of printing its line"
            yield json.loads(line)
        finally:
            process.stdin.close()
            status = process.wait(PATIENCE)
    assert status == 0


@pytest.fixture(scope="session")
def artificer_cases() -> Iterator[dict[str, str]]:
    """What the case server printed: addresses, the authority's file, the folder of cases and the API key."""
    with case_server() as line:
        yield line
