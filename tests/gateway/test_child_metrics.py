"""The memory of child processes on /metrics, which the container's limit counts."""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import Serve, Served
from tests.waiting import until_told

SIZE = 100 * 1024 * 1024
# A child that holds memory, and a grandchild that holds as much; all end with their standard input.
HOLD = f"held = bytearray(b'x' * {SIZE})"
RUN = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], *sys.argv[2:]])"
FAMILY = [RUN, f"{HOLD}; {RUN}", f"{HOLD}; input()"]


async def metric(served: Served, name: str) -> float:
    lines = (await served.http.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def test_children_and_their_children_are_counted(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted from a process of this test's own, since this one may have children of other tests."""
    async with serve() as served:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", *FAMILY, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        root = SimpleNamespace(getpid=lambda: process.pid, sysconf=os.sysconf)
        monkeypatch.setattr("diptych.telemetry.children.os", root)

        async def counted() -> bool:
            held = await metric(served, "diptych_children_resident_memory_bytes")
            return held > 2 * SIZE and await metric(served, "diptych_child_processes") == 2

        try:
            await until_told(counted)
            assert await metric(served, "process_resident_memory_bytes") > 0
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
        assert await metric(served, "diptych_child_processes") == 0
