"""The command `python -m artificer_services.cluster`, which `make serve-cluster` runs."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from .cluster import Cluster, ClusterError, ClusterPlan

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def main(
    data: Annotated[Path, typer.Option(help="The folder for all data.")] = Path("artificer-cluster"),
    http_port: Annotated[int, typer.Option(help="The gateway's HTTP port; 0 means any free port.")] = 8080,
    grpc_port: Annotated[int, typer.Option(help="The gateway's gRPC port; 0 means any free port.")] = 50051,
    workers: Annotated[int, typer.Option(help="The number of Celery workers.", min=0)] = 2,
    processes: Annotated[int, typer.Option(help="The number of processes per worker.", min=1)] = 1,
) -> None:
    """Run PostgreSQL, Valkey, a gateway and Celery workers on this machine until Ctrl-C.

    A process that dies is restarted. Other settings come from DIPTYCH_* variables.
    """
    plan = ClusterPlan(folder=data, http_port=http_port, grpc_port=grpc_port, workers=workers, processes=processes)
    data.mkdir(mode=0o711, parents=True, exist_ok=True)
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        asyncio.run(_serve(plan))
    except BlockingIOError:
        _fail(f"a cluster is already running in {data}")
    except ClusterError as error:
        _fail(str(error))
    finally:
        os.close(lock)


async def _serve(plan: ClusterPlan) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOPPING:
        loop.add_signal_handler(number, stop.set)
    cluster = Cluster(plan, typer.echo)
    starting = asyncio.create_task(cluster.__aenter__())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return
    try:
        starting.result()
        for line in _summary(cluster):
            typer.echo(line)
        await stopped
        typer.echo("stopping")
    finally:
        stopped.cancel()
        await cluster.stop()


def _summary(cluster: Cluster) -> list[str]:
    http, grpc = cluster.addresses[0]
    plan = cluster.plan
    return [
        f"gateway    {http}, gRPC on {grpc}",
        f"workers    {plan.workers} Celery workers, {plan.processes} processes each",
        f"logs       {cluster.logs}",
        f"settings   {cluster.settings}",
        f"inspect    DIPTYCH_CONFIG={cluster.settings} celery -A artificer_services.batch.celery_app inspect active",
        "Press Ctrl-C to stop.",
    ]


def _fail(text: str) -> None:
    typer.echo(f"cluster: {text}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
