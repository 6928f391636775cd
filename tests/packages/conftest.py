"""The sdists and wheels of the three distributions, built once."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from .environments import ROOT, output

SOURCES = (ROOT / "gateway", ROOT / "sdk" / "python", ROOT / "services")


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three sdists, and of three wheels built from the sdists."""
    top = tmp_path_factory.mktemp("packages")
    for number, source in enumerate(SOURCES):
        # A copy, since setuptools writes into the folder that it builds, and reads the files of earlier builds.
        copy = top / f"source{number}"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
        command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", top / "dist", copy)
        output(*command, cwd=top, env={**os.environ})
    return top / "dist"
