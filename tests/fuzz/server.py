"""The fuzzed program: `diptych serve` in a separate process, its log, and the kernel's figures for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2

from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as rpc
from tests.waiting import PATIENCE, answered, until_here, until_told

from .app import HELD_PATH
from .judge import Judge

ROOT = Path(__file__).parents[2]
_LISTENING = re.compile(r"HTTP on http://\S+:(\d+), gRPC on \S+:(\d+)")
_SETTINGS = {
    "TELEMETRY__LOG_FORMAT": "json",
    "TELEMETRY__ACCESS_LOG": "false",
    "MAX_BODY_BYTES": str(1 << 20),
    "MAX_DEADLINE_SECONDS": "0.5",  # Wait waits forever
    "CORS_ORIGINS": '["*"]',
    "GRACE_SECONDS": "10",
}


@dataclass(frozen=True)
class Held:
    """What an idle process holds. `memory` is its resident set in bytes."""

    memory: int
    descriptors: int
    threads: int
    told: dict[str, Any]

    def __str__(self) -> str:
        return (
            f"{self.memory / 2**20:.1f} MiB, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.told['tasks']} tasks, {self.told['objects']} objects"
        )


class Server:
    """A running server; its log lines go to the judge."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, ports: tuple[int, int]) -> None:
        self._process, self._log, self._read = process, log, 0
        self.http_port, self.grpc_port = ports

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    @property
    def memory(self) -> int:
        """Its resident set in bytes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def listen(self, judge: Judge) -> None:
        """Passes new log lines to the judge."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            whole = log.read().rpartition(b"\n")
        self._read += len(whole[0]) + len(whole[1])
        for line in whole[0].decode(errors="replace").split("\n"):
            judge.log(line)

    async def answers(self) -> None:
        """Checks that both ports serve. Raises the errors of their clients."""
        async with asyncio.timeout(PATIENCE):
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.http_port}", timeout=PATIENCE) as http:
                assert (await http.get("/v1/dishes/soup")).json()["title"] == "Soup"
                assert (await http.get("/readyz")).status_code == 200
            async with grpc.aio.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
                stub = rpc.KitchenServiceStub(channel)

                async def dish() -> str:
                    return (await stub.GetDish(pb.GetDishRequest(dish_id="soup"), wait_for_ready=True)).title

                # grpcio's server may be restarting.
                assert await answered(dish, lambda lost: isinstance(lost, grpc.aio.AioRpcError)) == "Soup"

    async def held(self, tasks: int | None = None, descriptors: int = 0) -> Held:
        """Returns what it holds after running calls have ended; `tasks` and `descriptors` bound an idle server's."""
        found: list[Held] = []

        async def settled() -> bool:
            """Waits, since cancelled calls and gRPC's connections end soon but not at once."""
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.http_port}", timeout=PATIENCE) as http:
                told = (await http.get(HELD_PATH)).json()
            proc = Path(f"/proc/{self._process.pid}")
            threads, open_ = (len(list((proc / name).iterdir())) for name in ("task", "fd"))
            found[:] = [Held(self.memory, open_, threads, told)]
            return tasks is None or (told["tasks"] <= tasks and open_ <= descriptors)

        with contextlib.suppress(TimeoutError):  # then this is what it still holds
            await until_told(settled)
        return found[0]


@asynccontextmanager
async def serving(log: Path, *options: str) -> AsyncIterator[Server]:
    """Runs the program on free ports with its log in `log`, and stops it by SIGTERM."""
    command = [sys.executable, "-m", "diptych.cli", "serve", "tests.fuzz.app:create", *options]
    env = {**os.environ, **{f"DIPTYCH_{name}": value for name, value in _SETTINGS.items()}}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            *command, "--http-port", "0", "--grpc-port", "0", stdout=written, stderr=written, cwd=ROOT, env=env
        )
    try:
        yield Server(process, log, await _ports(process, log))
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ports(process: asyncio.subprocess.Process, log: Path) -> tuple[int, int]:
    def listening() -> re.Match[str] | bool:
        """Returns the log line with the ports; true if the process ended before it."""
        return _LISTENING.search(log.read_text(errors="replace")) or process.returncode is not None

    found = await until_here(listening)
    if isinstance(found, bool):
        raise RuntimeError(
            f"the server ended before it listened:\n{await asyncio.to_thread(log.read_text, errors='replace')}"
        )
    return int(found[1]), int(found[2])
