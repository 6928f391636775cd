"""`diptych serve` as a process whose log is read: its lines, its workers, and the calls that its servicers began.

It knows nothing about the load.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench import ROOT
from bench.process import START_SECONDS, STOP_SECONDS

_PORTS = r"HTTP on http://127\.0\.0\.1:(\d+), gRPC on 127\.0\.0\.1:(\d+)"
_SERVES = re.compile(r"worker (\d+) \(process (\d+)\) serves")
_LOOK_SECONDS = 0.02


@dataclass
class Program:
    """The started process: the supervisor, or the only process."""

    process: asyncio.subprocess.Process
    folder: Path
    http: int = 0
    grpc: int = 0
    start_seconds: float = 0.0
    """The seconds until all workers served."""

    @property
    def log(self) -> str:
        """Everything that it and its workers have written."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    async def said(self, pattern: str, after: int = 0, seconds: float = START_SECONDS) -> re.Match[str]:
        """Returns the first match after position `after`. Raises RuntimeError if there is none in time."""
        found = re.compile(pattern)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (place := found.search(self.log, after)):
                    if self.process.returncode is not None:
                        break
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    return place
        raise RuntimeError(f"nothing fits {pattern}: {self.log[-3000:]}")

    def workers(self) -> dict[int, int]:
        """The latest process in each slot."""
        return {int(index): int(pid) for index, pid in _SERVES.findall(self.log)}

    def seen(self) -> dict[str, int]:
        """The process that began each call, by the call's id; a call that two have begun appears once."""
        lines = (self.folder / "seen").read_text().splitlines()
        return {name: int(pid) for name, _, pid in (line.partition(" ") for line in lines)}

    def resident(self) -> int:
        """Returns the resident memory in bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def signal(self, number: signal.Signals) -> None:
        """Send one."""
        self.process.send_signal(number)


@contextlib.asynccontextmanager
async def serving(*arguments: str, workers: int = 1, config: str = "") -> AsyncIterator[Program]:
    """Runs the kitchen of `bench.servers.production` on two free ports; `config` is TOML."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "seen").touch()
        (folder / "diptych.toml").write_text(config, encoding="utf-8")
        command = [sys.executable, "-m", "diptych.cli", "serve", "bench.servers.production:create"]
        command += ["--workers", str(workers), "--http-port", "0", "--grpc-port", "0"]
        command += ["--config", str(folder / "diptych.toml"), "--set", "telemetry.access_log=false"]
        command += [
            "--set",
            "max_connections=20000",
            *arguments,
        ]  # ten thousand connections need more than the derived default on a small machine
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])
        env = {**os.environ, "PYTHONPATH": path, "BENCH_SEEN": str(folder / "seen")}
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*command, stderr=log, cwd=ROOT, env=env)
        program, began = Program(process, folder), time.perf_counter()
        try:
            # A worker logs a similar line before the others serve.
            ports = await program.said(("workers are ready: " if workers > 1 else "") + _PORTS)
            program.http, program.grpc = int(ports[1]), int(ports[2])
            program.start_seconds = time.perf_counter() - began
            yield program
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    for _ in range(2):  # the second signal ends the workers too
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
    await process.wait()
