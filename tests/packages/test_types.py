"""What type checkers make of the installed `artificer`: every public symbol has a type, and so has the example."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codegen import npm
from tests.clients import ready

from .environments import ROOT, Environment, output

EXAMPLE = ROOT / "examples" / "sdk-python"
PYRIGHT = ready.HERE / "node_modules" / ".bin" / "pyright"


@pytest.fixture(scope="module")
def stranger(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with `artificer[cli]` and the stubs that grpcio lacks, and with the example."""
    made = Environment.make(Path(sys.executable), tmp_path_factory.mktemp("typed") / "environment")
    made.install("artificer[cli]", "types-grpcio", "types-protobuf", dist=dist)
    shutil.copytree(EXAMPLE, made.top / "home" / "example")
    return made


@pytest.fixture(scope="module")
def pyright() -> Path:
    """The program, from npm."""
    if os.environ.get("TESTS_CLIENTS") != "required" and not npm.is_possible():
        pytest.skip("pyright needs Node and npm")
    ready.make_ready()
    return PYRIGHT


def checked(stranger: Environment, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a checker that finds the environment's Python first."""
    env = os.environ | {"PATH": f"{stranger.top / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        list(map(str, command)), cwd=stranger.top / "home", env=env, capture_output=True, text=True, check=False
    )


def test_every_public_symbol_has_a_type(stranger: Environment, pyright: Path) -> None:
    done = checked(stranger, pyright, "--verifytypes", "artificer", "--ignoreexternal", "--outputjson")
    report = json.loads(done.stdout)["typeCompleteness"]
    assert report["pyTypedPath"], done.stdout
    untyped = [
        f"{symbol['name']}: {symbol['diagnostics'][0]['message']}"
        for symbol in report["symbols"]
        if not symbol["isTypeKnown"] and symbol["diagnostics"]
    ]
    assert report["completenessScore"] >= 0.99, "\n".join(untyped)


def test_the_example_passes_pyright_strictly(stranger: Environment, pyright: Path) -> None:
    (stranger.top / "home" / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "include": ["example"]}')
    done = checked(stranger, pyright)
    assert done.returncode == 0, done.stdout


def test_the_example_passes_mypy_strictly(stranger: Environment) -> None:
    python = stranger.top / "venv" / "bin" / "python"
    command = (sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "example")
    assert "no issues found" in output(*command, cwd=stranger.top / "home", env={**os.environ})
