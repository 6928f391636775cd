"""`make serve-cluster` as people run it, and what keeps its members alive."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from artificer_services.cluster.cluster import Cluster, ClusterError, ClusterPlan
from artificer_services.cluster.member import Member, Program
from tests.crash.places import workspace
from tests.waiting import exited, pidfds, until, until_here, until_told

ROOT = Path(__file__).parents[3]
PATIENCE = 240.0  # a whole cluster starts twice and stops, on a machine that may be busy


@asynccontextmanager
async def command(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, with its data in a folder; ended if it is not."""
    options = ["--data", str(folder / "cluster"), "--http-port", "0", "--grpc-port", "0", "--workers", "1"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "artificer_services.cluster", *options),
        cwd=ROOT,
        env={**os.environ, "DIPTYCH_SERVICES__CHAT__DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def members_of(pid: int) -> list[int]:
    """The children of a process."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


async def test_one_command_serves_jobs_by_celery_and_one_signal_ends_all_of_it() -> None:
    with workspace() as folder:
        async with command(folder) as process, asyncio.timeout(PATIENCE):
            assert process.stdout is not None
            said = ""
            while "Ctrl-C" not in said:
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                said += line.decode()
            members = members_of(process.pid)
            assert len(members) == 4  # PostgreSQL, Valkey, a gateway, a worker
            address = re.search(r"gateway +(http://\S+), gRPC", said)
            assert address is not None
            async with httpx2.AsyncClient(base_url=address[1], timeout=PATIENCE) as client:
                job = {
                    "name": "a job",
                    "items": [{"input": " one   line "}],
                    "phases": [{"name": "tidy", "taskType": "text.normalize"}],
                    "options": {"autoStart": True},
                }
                made = (await client.post("/v1/jobs", json=job)).json()
                await client.get(f"/v1/jobs/{made['id']}/progress:stream")  # ends when the job does
                results = (await client.get(f"/v1/jobs/{made['id']}/results")).json()["results"]
                assert [(one["status"], one["output"]) for one in results] == [("ITEM_STATUS_COMPLETED", "one line")]

                async def fit() -> bool:
                    return bool((await client.get("/readyz")).json()["checks"]["batch"] == "ok")

                assert await until_told(fit)
            async with command(folder) as second:
                _, errors = await second.communicate()
                assert (second.returncode, b"already running in" in errors) == (1, True)
            process.send_signal(signal.SIGINT)
            rest, errors = await process.communicate()
            assert (process.returncode, rest, errors) == (0, b"stopping\n", b"")
            await exited(*pidfds(members))
            modes = {path.name: path.stat().st_mode & 0o777 for path in (folder / "cluster").iterdir()}
            assert modes["secret"] == modes["diptych.toml"] == 0o600


async def test_members_end_with_a_killed_cluster() -> None:
    with workspace() as folder:
        async with command(folder) as process:
            members = await until(lambda: len(found := members_of(process.pid)) >= 2 and found)
            assert members
            process.kill()
            await exited(*pidfds(members))


def _program(code: str, ready: str = "ready") -> Program:
    return Program(name="it", command=[sys.executable, "-uc", code], ready=re.compile(ready), stop_seconds=1.0)


async def test_a_member_that_dies_is_restarted(tmp_path: Path) -> None:
    told: list[str] = []
    member = Member(_program("import signal; print('ready'); signal.pause()"), tmp_path / "log", told.append)
    await member.start()
    try:
        first = member.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until_here(lambda: member.pid not in (None, first))
        async with asyncio.timeout(PATIENCE):
            await member.ready()
        assert told[0] == "it ended with signal 9, restarting it"
    finally:
        await member.stop()
    assert member.pid is None


async def test_a_member_that_is_never_ready_fails_with_its_log(tmp_path: Path) -> None:
    member = Member(_program("raise SystemExit('no such thing')"), tmp_path / "log", lambda _: None)
    with pytest.raises(ClusterError, match="it ended with status 1:\nno such thing"):
        await member.start()
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
    member = Member(_program(deaf, "never"), tmp_path / "log", lambda _: None)
    with pytest.raises(ClusterError, match=r"it was not ready after 0\.5 seconds"):
        await member.start(0.5)
    assert member.pid is None


async def test_a_member_that_ignores_a_stop_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "child = os.fork()\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', child, flush=True) if child else None\n"
        "signal.pause()"
    )
    member = Member(_program(code, r"ready (\d+)"), tmp_path / "log", lambda _: None)
    found = await member.start()
    assert member.pid is not None
    pids = [member.pid, int(found[1])]
    await member.stop()
    await exited(*pidfds(pids))


async def test_a_cluster_that_cannot_start_leaves_nothing_behind() -> None:
    with workspace() as folder:
        cluster = Cluster(ClusterPlan(folder=folder / "cluster", app="no.such.module:create", http_port=0, grpc_port=0))
        with pytest.raises(
            ClusterError, match=r"gateway ended with status 1:\ndiptych: cannot import 'no.such.module'"
        ):
            async with cluster:
                pass
        assert not cluster.members
