"""Installs the generators of the lock files and makes the documents that they read, unless that is already done."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "generators"
PYTHON = BUILD / "venv" / "bin" / "python"
DOCUMENTS, MADE = BUILD / "documents", BUILD / "made"
TOOLS = ("node", "npm", "go", "java", "javac")
_STAMP = BUILD / ".ready"
_GOOGLE = "google/container/v1/cluster_service"  # 70 methods, 200 messages, and comments that contain "*/"


def is_possible() -> bool:
    """Whether this machine has what the generators and the compilers of their code need."""
    return all(map(shutil.which, TOOLS))


def run(*command: str | Path, folder: Path = HERE, **environment: str) -> str:
    """Returns what a command printed. Raises RuntimeError with all of it if the command fails."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-8000:]}")
    return done.stdout


def tool(name: str) -> Path:
    """Returns the path of a tool from npm."""
    return HERE / "node_modules" / ".bin" / name


def jar() -> Path:
    """Returns openapi-generator, which has the libraries that its clients need, too."""
    [found] = (BUILD / "venv").glob("lib/python*/site-packages/openapi_generator_cli/*.jar")
    return found


def make_ready() -> None:
    """Installs everything. Raises RuntimeError with the tool's message if a step fails."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        inputs = b"\0".join((HERE / name).read_bytes() for name in ("package-lock.json", "requirements.txt"))
        state = hashlib.sha256(inputs).hexdigest()
        if _STAMP.exists() and _STAMP.read_text() == state:
            return
        # No package's own script runs: none of them is needed here.
        run("npm", "ci", "--no-fund", "--no-audit", "--ignore-scripts")
        if not PYTHON.exists():
            run(sys.executable, "-m", "venv", BUILD / "venv")
        run(PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", HERE / "requirements.txt")
        _STAMP.write_text(state)


def make_documents() -> Mapping[str, Path]:
    """Returns the documents for clients: of the services here, of the kitchen, and of a large API of Google's."""
    shutil.rmtree(DOCUMENTS, ignore_errors=True)
    google = DOCUMENTS / "google"
    google.mkdir(parents=True)
    plugin = Path(sys.executable).with_name("protoc-gen-diptych")
    run(
        *(sys.executable, "-m", "grpc_tools.protoc", "-I", "node_modules/google-proto-files"),
        *(f"--python_out={google}", f"--grpc_python_out={google}", f"--diptych_out={google}"),
        *(f"--plugin=protoc-gen-diptych={plugin}", f"{_GOOGLE}.proto"),
    )
    (google / "container_app.py").write_text(
        f"from {_GOOGLE.replace('/', '.')}_pb2_grpc import ClusterManagerServicer\n"
        f"from {_GOOGLE.replace('/', '.')}_pb2_grpc import add_ClusterManagerServicer_to_server\n"
        "from diptych import Gateway\n\n\n"
        "def create(settings):\n"
        "    gateway = Gateway(settings)\n"
        "    add_ClusterManagerServicer_to_server(ClusterManagerServicer(), gateway)\n"
        "    return gateway\n"
    )
    applications = {
        "own": ("artificer_services.app:create", ROOT),
        "kitchen": ("tests.kitchen_app:create", ROOT),
        "container": ("container_app:create", google),
    }
    for name, (application, folder) in applications.items():
        path = os.pathsep.join(map(str, [folder, ROOT / "tests" / "gen"]))
        command = (sys.executable, "-m", "diptych.cli", "openapi", application)
        for variant, more in (("client", ("--client",)), ("whole", ())):
            output = DOCUMENTS / f"{name}.{variant}.json"
            run(*command, *more, "--output", output, folder=DOCUMENTS, PYTHONPATH=path)
    return {name: DOCUMENTS / f"{name}.client.json" for name in applications}
