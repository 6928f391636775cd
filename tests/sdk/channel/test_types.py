"""The types of the channels, as mypy and pyright see a user's code, and what an import loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codegen import npm
from tests.clients import ready

ROOT = Path(__file__).parents[3]
SETTINGS = """[mypy]
[mypy-artificer.*]
follow_imports = silent
[mypy-google.api.*,google.rpc.*]
follow_untyped_imports = True
"""
CODE = (Path(__file__).parent / "stranger.py").read_text()


def test_generated_stubs_take_the_channels_under_mypy(tmp_path: Path) -> None:
    (tmp_path / "stranger.py").write_text(CODE)
    # A cache of its own, since the repository's is for other settings.
    cache = str(ROOT / "build" / "mypy-stranger")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, "stranger.py"]
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    env = {**os.environ, "MYPYPATH": str(ROOT / "sdk" / "python")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    os.environ.get("TESTS_CLIENTS") != "required" and not npm.is_possible(), reason="pyright needs Node and npm"
)
def test_generated_stubs_take_the_channels_under_pyright(tmp_path: Path) -> None:
    ready.make_ready()
    (tmp_path / "stranger.py").write_text(CODE)
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT / "sdk" / "python")], "include": ["stranger.py"]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    program = ready.HERE / "node_modules" / ".bin" / "pyright"
    npm.run(program, "--pythonpath", sys.executable, folder=tmp_path)


def test_an_import_loads_no_model_and_no_http_client() -> None:
    """A service that only calls others over gRPC pays for nothing else."""
    program = "import sys, artificer.grpc; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "grpc" in loaded
    assert not loaded & {"pydantic", "httpx2", "opentelemetry", "websockets"}
