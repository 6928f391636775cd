"""Runs `diptych serve --workers` as a process, and calls it under load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import httpx2

from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import ENGINES
from tests.waiting import until_told

ROOT = Path(__file__).parents[2]
READY = re.compile(r"workers are ready: HTTP on http://127\.0\.0\.1:(\d+), gRPC on 127\.0\.0\.1:(\d+)")
SERVES = re.compile(r"worker (\d) \(process (\d+)\) serves")


class Program:
    """The supervisor's process, and everything that it and its workers log."""

    http_port = grpc_port = 0

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.written = ""
        self._more = asyncio.Condition()
        self._read = 0
        self.reading = asyncio.create_task(self._keep_reading())

    async def _keep_reading(self) -> None:
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(65536):
            async with self._more:
                self.written += data.decode()
                self._more.notify_all()
        async with self._more:
            self._more.notify_all()

    async def said(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """Waits for the next match in the log, after the previous one."""
        async with self._more:
            while True:
                found = re.compile(pattern).search(self.written, self._read)
                if found is not None:
                    self._read = found.end()
                    return found
                assert not self.reading.done(), f"nothing fits {pattern}:\n{self.written}"
                await self._more.wait()

    def workers(self) -> dict[int, int]:
        """Returns the processes by worker number: the last ones reported as serving."""
        return {int(index): int(pid) for index, pid in SERVES.findall(self.written)}

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def get(self, path: str) -> httpx2.Response:
        """Sends a request on a new connection."""
        async with httpx2.AsyncClient(verify=False, timeout=30) as client:
            return await client.get(f"http://127.0.0.1:{self.http_port}{path}")

    async def begun(self, method: str) -> None:
        """Waits until a call of it has reached a worker."""
        pattern = re.compile(rf'^grpc_server_started_total\{{[^}}]*grpc_method="{method}"[^}}]*\}} [1-9]', re.MULTILINE)

        async def seen() -> bool:
            return bool(pattern.search((await self.get("/metrics")).text))

        await until_told(seen)

    async def get_by_all(self, path: str) -> dict[int, httpx2.Response]:
        """Opens new connections until each worker has answered; returns the answers by process."""
        found: dict[int, httpx2.Response] = {}
        while len(found) < 2:
            async with httpx2.AsyncClient(verify=False, timeout=30) as client:
                base = f"http://127.0.0.1:{self.http_port}"
                who = int((await client.get(f"{base}/v1/dishes/1")).json()["title"])
                found[who] = await client.get(base + path)
        return found


@contextlib.asynccontextmanager
async def started(*arguments: str, **environment: str) -> AsyncIterator[Program]:
    """Runs `diptych serve` with these arguments, and kills it at the end unless the test has ended it."""
    command = [sys.executable, "-m", "diptych.cli", "serve", *arguments]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])
    env = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error", **environment}
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=env, cwd=ROOT)
    program = Program(process)
    try:
        yield program
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()  # the second signal kills workers too
        await process.wait()
        await program.reading


@contextlib.asynccontextmanager
async def serving(*arguments: str, app: str = "create", workers: int = 2, **environment: str) -> AsyncIterator[Program]:
    """Runs workers on any two ports; all of them are ready."""
    given = [f"tests.gateway.crowd:{app}", "--workers", str(workers), "--http-port", "0", "--grpc-port", "0"]
    given += ["--set", "telemetry.access_log=false"]
    async with asyncio.timeout(120), started(*given, *arguments, **environment) as program:
        found = await program.said(READY)
        program.http_port, program.grpc_port = int(found[1]), int(found[2])
        yield program


def flags(engine: str) -> list[str]:
    return [part for name, value in ENGINES[engine].items() for part in ("--set", f"{name}={json.dumps(value)}")]


@contextlib.asynccontextmanager
async def load(*callers: Callable[[], Awaitable[None]]) -> AsyncIterator[Counter[str]]:
    """Calls repeatedly while the block runs; counts successes and failures by caller."""
    counts: Counter[str] = Counter()
    over = asyncio.Event()

    async def repeat(caller: Callable[[], Awaitable[None]]) -> None:
        while not over.is_set():
            try:
                await caller()
            except (httpx2.HTTPError, grpc.aio.AioRpcError, AssertionError) as failed:
                counts[f"{caller.__name__} failed: {failed!r}"[:300]] += 1
            counts[caller.__name__] += 1

    async with asyncio.TaskGroup() as running:
        for caller in callers:
            running.create_task(repeat(caller))
        try:
            yield counts
        finally:
            over.set()


def failed(counts: Counter[str]) -> list[str]:
    return [name for name in counts if " failed: " in name]


def callers_of(program: Program, client: httpx2.AsyncClient) -> tuple[Callable[[], Awaitable[None]], ...]:
    """Two HTTP callers: one with persistent connections, one with new ones."""

    async def kept() -> None:
        answer = await client.get(f"http://127.0.0.1:{program.http_port}/v1/dishes/7")
        assert answer.status_code == 200

    async def fresh() -> None:
        assert (await program.get("/v1/dishes/7")).status_code == 200

    return kept, kept, fresh, fresh


async def all_serve(program: Program) -> None:
    """Waits until every worker has answered on both ports, and knows that all of them are ready."""
    workers = program.workers()
    assert set(workers) == {0, 1}
    ready = {pid: {"worker": index, "ready": 2, "of": 2} for index, pid in workers.items()}

    async def reported() -> bool:  # each a moment after the log
        answers = await program.get_by_all("/readyz")
        return {who: answer.json()["workers"] for who, answer in answers.items()} == ready

    await until_told(reported)
    answered: set[str] = set()
    while len(answered) < 2:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{program.grpc_port}", options) as channel:
            answered.add((await pb_grpc.KitchenServiceStub(channel).GetDish(pb.GetDishRequest(dish_id="1"))).title)
    assert answered == {str(pid) for pid in workers.values()}
