"""The members of a cluster, their start and stop order, and the settings that they share.

Knows the services by their commands and the names of their settings.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from .member import ClusterError, Member, Program
from .servers import NAME, free_port, postgresql, valkey, write_secret

_GATEWAY_READY = re.compile(r"HTTP on (http://\S+:\d+), gRPC on (\S+:\d+)")
_WORKER_READY = re.compile(r"@\S+ ready\.")
_APP = "artificer_services.batch.celery_app"
_SERVERS = ("postgresql", "valkey")  # stopped last, since the others use them
_QUEUE = "artificer.batch"  # the prefix of queue names


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """What a cluster runs. `folder` holds all its data; `batch` has further settings of the batch service.

    Port 0 means any free port. There are `workers` Celery workers with `processes` processes each; they run tasks of
    `task_types`, or of all types if it is empty.
    """

    folder: Path
    http_port: int = 8080
    grpc_port: int = 50051
    workers: int = 2
    processes: int = 1
    task_types: Sequence[str] = ()
    gateways: int = 1
    app: str = "artificer_services.app:create"
    batch: Mapping[str, Any] = field(default_factory=dict)


class Cluster:
    """A running cluster: `async with Cluster(plan) as cluster`. `tell` receives log lines."""

    def __init__(self, plan: ClusterPlan, tell: Callable[[str], None] = lambda _: None) -> None:
        self.plan = plan
        self.members: dict[str, Member] = {}  # in start order
        self.addresses: list[tuple[str, str]] = []  # of the gateways, HTTP and gRPC
        self.batch: dict[str, Any] = {}  # the settings of the batch service, after the start
        self._tell = tell
        self._folder = plan.folder.resolve()

    @property
    def settings(self) -> Path:
        """The settings file of the members, which a further worker can use."""
        return self._folder / "diptych.toml"

    @property
    def logs(self) -> Path:
        """The folder of the members' logs."""
        return self._folder / "logs"

    async def __aenter__(self) -> Self:
        """Start all members in order. Raises ClusterError."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop all members, the servers last."""
        users = [self.members.pop(name) for name in list(self.members) if name not in _SERVERS]
        await asyncio.gather(*(member.stop() for member in users))
        while self.members:
            _, member = self.members.popitem()
            await member.stop()

    async def _start(self) -> None:
        # 0711: other users may enter it but not list it, since PostgreSQL refuses to run as root.
        self._folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        password = self._password()
        ports = free_port(), free_port()
        program = await asyncio.to_thread(postgresql, self._folder / "postgresql", ports[0], password)
        await self.run(program)
        await asyncio.to_thread(_make_database, ports[0], password)
        await self.run(valkey(self._folder / "valkey", ports[1], password))
        self._write_settings(ports, password)
        for number in range(self.plan.gateways):
            found = await self.run(self._gateway(number))
            self.addresses.append((found[1], found[2]))
        workers = [self.worker(f"worker-{number + 1}", self.plan.task_types) for number in range(self.plan.workers)]
        await asyncio.gather(*map(self.run, workers))

    async def run(self, program: Program) -> re.Match[str]:
        """Start a further member and return the match of its ready line. Raises ClusterError."""
        member = Member(program, self.logs / f"{program.name}.log", self._tell)
        self.members[program.name] = member
        return await member.start()

    def _password(self) -> str:
        path = self._folder / "secret"
        if not path.exists():
            write_secret(path, secrets.token_hex(16))
        return path.read_text(encoding="ascii").strip()

    def _write_settings(self, ports: tuple[int, int], password: str) -> None:
        self.batch = {
            "engine": "celery",
            "database_url": _database_url(ports[0], password, NAME),
            "broker_url": f"redis://:{password}@127.0.0.1:{ports[1]}/0",
            **self.plan.batch,
        }
        write_secret(self.settings, "[services.batch]\n" + "".join(_toml(self.batch)))

    @property
    def _env(self) -> dict[str, str]:
        return {"DIPTYCH_CONFIG": str(self.settings), "PYTHONUNBUFFERED": "1"}

    def _gateway(self, number: int) -> Program:
        http, grpc = self.plan.http_port, self.plan.grpc_port
        # A fixed port, so that clients find a restarted gateway at the same address.
        http, grpc = (http + number if http else free_port()), (grpc + number if grpc else free_port())
        command = [sys.executable, "-m", "diptych.cli", "serve", self.plan.app]
        return Program(
            name="gateway" if self.plan.gateways == 1 else f"gateway-{number + 1}",
            command=[*command, "--http-port", str(http), "--grpc-port", str(grpc)],
            ready=_GATEWAY_READY,
            env=self._env,
            folder=Path.cwd(),
            stop_seconds=40.0,  # its own grace is 30
        )

    def worker(self, name: str, task_types: Sequence[str] = ()) -> Program:
        """Returns the program of a Celery worker for this cluster."""
        command = [sys.executable, "-m", "celery", "-A", _APP, "worker", "--loglevel", "INFO"]
        options = ["--hostname", f"{name}@%h", "--concurrency", str(self.plan.processes)]
        if task_types:
            options += ["--queues", ",".join(f"{_QUEUE}.{one}" for one in task_types)]
        return Program(
            name=name,
            command=[*command, *options],
            ready=_WORKER_READY,
            env=self._env,
            folder=Path.cwd(),
            stop_seconds=30.0,
        )


def _toml(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        yield f"{json.dumps(name)} = {_toml_value(value)}\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml_value(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)  # JSON and TOML write strings, numbers and booleans alike


def _make_database(port: int, password: str) -> None:
    url = _database_url(port, password, "postgres")
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone()
        if found is None:
            connection.execute(f"CREATE DATABASE {NAME}".encode())


def _database_url(port: int, password: str, database: str) -> str:
    return f"postgresql://{NAME}:{password}@127.0.0.1:{port}/{database}"


__all__ = ["Cluster", "ClusterError", "ClusterPlan"]
