"""The targets of crash tests: the service on SQLite with local workers, and one on PostgreSQL, Valkey and Celery."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.worker import names
from artificer_services.cluster.cluster import Cluster, ClusterPlan
from artificer_services.cluster.member import Member, Program
from artificer_services.cluster.servers import free_port

ROOT = Path(__file__).parents[2]
APP = "tests.crash.app:create"
_LISTENING = re.compile(r"HTTP on (http://\S+:\d+), gRPC on (\S+:\d+)")


@dataclass(frozen=True)
class Place:
    """Processes that serve batch jobs. `grpc` is where the gateway listens, before and after it was killed."""

    name: str
    settings: BatchSettings
    grpc: str
    effects: Path
    members: Mapping[str, Member]

    def victims(self, working: list[str]) -> dict[str, list[int]]:
        """The processes that may be killed, by kind; `working` are the workers that have slots, by their names."""
        found: dict[str, list[int]] = {}
        for name, member in self.members.items():
            if member.pid is not None:
                found.setdefault(re.sub(r"-\d+$", "", name), []).append(member.pid)
        if pids := [int(one.rpartition("/")[2].partition(".")[0]) for one in working if not names.gone(one)]:
            found["pool worker" if self.name == "sqlite" else "celery child"] = pids
        if "worker" in found:
            found["celery worker"] = found.pop("worker")
        if "postgresql" in found and (backends := _backends(found["postgresql"][0])):
            found["postgresql backend"] = backends
        return found

    async def whole(self) -> None:
        """Returns when everything runs."""
        for member in self.members.values():
            await member.ready()


def _backends(postmaster: int) -> list[int]:
    """Returns the processes in which PostgreSQL serves connections."""
    try:
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii").split()
        return [int(one) for one in children if b"127.0.0.1" in Path(f"/proc/{one}/cmdline").read_bytes()]
    except OSError:
        return []


def _orders(effects: Path, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trial_tasks": True,
        "tasks": {"test.trial": {"effects": str(effects)}},
        "sweep_seconds": 0.5,
        "retry_first_seconds": 0.1,
        "retry_longest_seconds": 1.0,
        **more,
    }


@contextmanager
def workspace() -> Iterator[Path]:
    """Creates a temporary folder that other users may enter: under root, PostgreSQL runs as another user."""
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@asynccontextmanager
async def on_sqlite(folder: Path, **settings: Any) -> AsyncIterator[Place]:
    """A gateway with local workers over SQLite."""
    effects = folder / "effects"
    batch = {"data_dir": str(folder / "data"), "workers": 2, **_orders(effects, settings)}
    grpc = free_port()
    command = [sys.executable, "-m", "diptych.cli", "serve", APP, "--http-port", str(free_port())]
    # Settings are parsed as JSON if a variable holds a table.
    env = {"DIPTYCH_SERVICES": json.dumps({"batch": batch})}
    program = Program(
        name="gateway",
        command=[*command, "--grpc-port", str(grpc)],
        ready=_LISTENING,
        env=env,
        folder=ROOT,
    )
    member = Member(program, folder / "gateway.log", lambda _: None)
    try:
        await member.start()
        yield Place("sqlite", BatchSettings(**batch), f"127.0.0.1:{grpc}", effects, {"gateway": member})
    finally:
        await member.stop()


@asynccontextmanager
async def on_cluster(folder: Path, *, workers: int = 2, processes: int = 1, **settings: Any) -> AsyncIterator[Place]:
    """A gateway and Celery workers over PostgreSQL and Valkey."""
    effects = folder / "effects"
    plan = ClusterPlan(
        folder=folder / "cluster",
        app=APP,
        http_port=0,
        grpc_port=0,
        workers=workers,
        processes=processes,
        batch=_orders(effects, settings),
    )
    async with Cluster(plan) as cluster:
        (_, grpc), *_ = cluster.addresses
        yield Place("cluster", BatchSettings(**cluster.batch), grpc, effects, cluster.members)


__all__ = ["Place", "on_cluster", "on_sqlite", "workspace"]
