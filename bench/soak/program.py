"""The program as a process, and what it and its children hold: memory, descriptors, tasks and connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bench import ROOT
from bench.process import START_SECONDS, family

_LISTENS = re.compile(r"HTTP on http://\S+:(\d+), gRPC on \S+:(\d+)")
_GAUGE = re.compile(r"^(diptych_tasks|diptych_connections\{[^}]*\}) (\S+)$", re.MULTILINE)
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Held:
    """What the program holds at one moment; memory is proportional (shared pages count once), in MiB."""

    memory: float
    processes: int
    descriptors: int
    tasks: int
    connections: int


class Program:
    """A running program and its ports."""

    def __init__(self, pid: int, http: int, grpc: int) -> None:
        self.pid, self.http, self.grpc = pid, http, grpc

    async def held(self) -> Held:
        """Returns what it holds now; the scrape's own connection does not count."""
        reader, writer = await asyncio.open_connection(HOST, self.http)
        writer.write(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        page = (await reader.read()).decode()
        writer.close()
        gauges = [(name, int(float(value))) for name, value in _GAUGE.findall(page)]
        pids = list(family(self.pid))
        return Held(
            memory=sum(map(_memory, pids)),
            processes=len(pids),
            descriptors=sum(map(_descriptors, pids)),
            tasks=sum(value for name, value in gauges if name == "diptych_tasks"),
            connections=sum(value for name, value in gauges if name != "diptych_tasks") - 1,
        )


def _memory(pid: int) -> float:
    with contextlib.suppress(OSError):  # it has ended
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def _descriptors(pid: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


@contextlib.asynccontextmanager
async def serving(folder: Path, *settings: str) -> AsyncIterator[Program]:
    """Runs the program with its data and its log in `folder`, and settings such as `services.batch.workers=1`.

    Raises RuntimeError if it does not start or stop well.
    """
    command = [sys.executable, "-m", "diptych.cli", "serve", "artificer_services.app:create"]
    command += ["--http-port", "0", "--grpc-port", "0", "--set", "telemetry.access_log=false"]
    command += [word for one in settings for word in ("--set", one)]
    data = {f"DIPTYCH_SERVICES__{service}__DATA_DIR": str(folder) for service in ("AI", "BATCH", "CHAT")}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stderr=log, cwd=ROOT, env={**os.environ, **data})
    try:
        ports = await _listening(process, folder / "log")
        yield Program(process.pid, int(ports[1]), int(ports[2]))
    finally:
        if process.returncode is None:
            process.terminate()
        code = await process.wait()
    if code:
        raise RuntimeError(f"the program ended with {code}: {(folder / 'log').read_text()[-3000:]}")


async def _listening(process: asyncio.subprocess.Process, log: Path) -> re.Match[str]:
    async with asyncio.timeout(START_SECONDS):
        while not (found := _LISTENS.search(await asyncio.to_thread(log.read_text, errors="replace"))):
            if process.returncode is not None:
                raise RuntimeError(f"the program did not start; see {log}")
            await asyncio.sleep(0.05)
    return found
