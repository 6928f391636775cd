"""`diptych serve --workers`: becomes the supervisor or, started by one, serves as a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import NoReturn

from ..call.run import CLEAN_UP_SECONDS
from ..gateway import Gateway
from ..rpc_server import check
from ..settings import Settings
from ..workers.plan import WORKER_OPTION, Plan, Slot
from .load import LoadError

# Time that a worker needs beyond its grace, to close its services and to leave the interpreter.
_MARGIN_SECONDS = CLEAN_UP_SECONDS + 8.0


def supervise(settings: Settings) -> NoReturn:
    """Becomes the supervisor of `workers` processes. Raises `EngineError`, `LoadError`.

    It replaces this process by exec: the pid stays, and the memory of all imported modules is freed.
    """
    check(settings)
    if not hasattr(signal, "SIGHUP"):
        raise LoadError("workers > 1 needs a system with SIGHUP and SO_REUSEPORT; set workers to 1")
    python = [sys.executable, *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]  # as multiprocessing does
    plan = plan_of(settings, [*python, "-m", "diptych.cli", *sys.argv[1:]])
    sys.stdout.flush()
    sys.stderr.flush()
    # Until the supervisor handles SIGHUP, its default action would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.execv(sys.executable, [*python, "-m", "diptych.workers", plan.text()])  # noqa: S606, our own program


def plan_of(settings: Settings, command: list[str]) -> Plan:
    """Returns the supervisor's part of the settings; `command` starts a worker."""
    telemetry = settings.telemetry
    return Plan(
        command=command,
        workers=settings.workers,
        http_host=settings.http_host,
        http_port=settings.http_port,
        grpc_host=settings.grpc_host,
        grpc_port=None if settings.single_port else settings.grpc_port,
        engine=settings.engine,
        metrics_host=telemetry.metrics_host,
        metrics_port=telemetry.metrics_port if telemetry.metrics else None,
        metrics_dir=None if telemetry.metrics_dir is None else str(telemetry.metrics_dir),
        stop_seconds=settings.drain_seconds + settings.grace_seconds + _MARGIN_SECONDS,
        hang_seconds=settings.worker_hang_seconds,
        start_seconds=settings.worker_start_seconds,
        secure=settings.tls is not None,
        log_format=telemetry.log_format,
        log_level=settings.log_level,
        doubts=list(_doubts(settings)),
    )


def _doubts(settings: Settings) -> Iterator[str]:
    limits = settings.limits
    if limits.storage_url is None and any(rule.rate for rule in limits.rules):
        # Not divided: a client has few connections, and each of them is one worker's.
        yield (
            f"each of the {settings.workers} workers counts calls on its own, so that a caller with several connections"
            " may exceed its rate that many times: set limits.storage_url to count them together"
        )


def slot_of(text: str) -> Slot:
    """Parses the slot that the supervisor passed. Raises `LoadError`."""
    try:
        return Slot.read(text)
    except ValueError as error:
        raise LoadError(f"{WORKER_OPTION} is reserved for the supervisor: {error}") from None


def serve(gateway: Gateway, slot: Slot) -> None:
    """Serves as one of several workers."""
    from ..workers.worker import Worker

    Worker(gateway, slot).run()
