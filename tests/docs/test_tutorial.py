"""The tutorial, typed from its page into an environment with only Python, pip and curl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, read
from tests.docs.running import WRITTEN, Run
from tests.docs.terminal import terminal

TUTORIAL = read(ROOT / "docs" / "tutorial.md")


def base_python() -> Path:
    """The interpreter that created this environment."""
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with only `python3`, so that this repository's environment is invisible."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "python3").symlink_to(base_python())
    return folder


def test_tutorial_works_word_for_word_in_a_clean_environment(tmp_path: Path, tools: Path) -> None:
    # Only the library's folder, so that nothing else of the repository can be imported.
    checkout = tmp_path / "home" / "diptych" / "gateway"
    shutil.copytree(ROOT / "gateway", checkout, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "LANG": "C.UTF-8", **pip_settings()}
    with terminal(tmp_path, environment) as shell:
        Run(shell, WRITTEN, script=None).page(TUTORIAL)
        installed = shell.run("pip list --format=freeze")
    assert "diptych==" in installed
    assert "artificer" not in installed


def pip_settings() -> dict[str, str]:
    """Returns this environment's variables for pip, and its cache, which the empty home would hide."""
    told = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout
    return {"PIP_CACHE_DIR": cache.strip(), "PIP_DISABLE_PIP_VERSION_CHECK": "1", **told}


@pytest.mark.parametrize("name", ["app.py", "call.py", "proto/greeter/v1/greeter.proto", "reflect.py", "test_app.py"])
def test_tutorial_builds_the_example(name: str) -> None:
    shown = next(block.code for block in TUTORIAL.blocks if block.title == name)
    assert shown == (ROOT / "examples" / "greeter" / name).read_text(encoding="utf-8")
