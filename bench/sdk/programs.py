"""The programs of the benchmark: the server, and the clients of each language, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import ROOT
from codegen import npm, typescript

_BUILT = ROOT / "build" / "bench-sdk"
_LISTENS = re.compile(r"HTTP on (http://\S+:\d+), gRPC on (\S+:\d+)")
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Took:
    """What a client's work took: seconds, seconds of CPU, and the peak memory of its process in MiB."""

    seconds: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Server:
    """The addresses of the server."""

    http: str
    grpc: str

    def measure(self, command: tuple[str, ...], work: str, count: int) -> Took:
        """Runs a client to its end. Raises RuntimeError with what it printed if it fails."""
        where = (self.grpc,) if command[0].endswith("go-bench") else (self.http, self.grpc)
        done = subprocess.run(
            [*command, *where, work, str(count)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} {work} failed:\n{done.stdout}{done.stderr}")
        return Took(**json.loads(done.stdout))


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Runs the server on two free ports."""
    settings = ("telemetry.access_log=false", f"max_body_bytes={2 * _GIB}")
    command = [sys.executable, "-m", "diptych.cli", "serve", "bench.sdk.server:create"]
    command += ["--http-port", "0", "--grpc-port", "0", *(word for one in settings for word in ("--set", one))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := _LISTENS.search(line):
                    yield Server(found[1], found[2])
                    return
            raise RuntimeError("the server ended before it listened")
        finally:
            process.terminate()


def python(way: str) -> tuple[str, ...]:
    """Returns the command of a client in Python."""
    return (sys.executable, "-m", "bench.sdk.python_client", way)


def go() -> Path | None:
    """Builds the client in Go; None without Go."""
    if shutil.which("go") is None:
        return None
    program = _BUILT / "go-bench"
    npm.run("go", "build", "-o", program, ".", folder=ROOT / "bench" / "sdk" / "go")
    return program


def node() -> Path | None:
    """Bundles the client in JavaScript with the package and the libraries below it; None without Node and npm."""
    if not npm.is_possible():
        return None
    typescript.compile_all()
    program, package = _BUILT / "client.cjs", typescript.PACKAGE
    npm.run(
        *(package / "node_modules" / ".bin" / "esbuild", ROOT / "bench" / "sdk" / "typescript_client.mjs"),
        *("--bundle", "--platform=node", "--format=cjs", f"--outfile={program}", "--log-level=warning"),
        f"--alias:@artificer/client/grpc-js={package / 'dist' / 'grpc_js.js'}",
        f"--alias:@artificer/client={package / 'dist'}",
        folder=ROOT,
        NODE_PATH=str(package / "node_modules"),
    )
    return program
