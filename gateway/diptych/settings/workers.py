"""Settings of worker processes, which `diptych serve` reads, not the gateway."""

from __future__ import annotations

from pydantic import Field

from .table import SettingsTable


class WorkersSettings(SettingsTable):
    """Worker processes under a supervisor."""

    workers: int = Field(default=1, gt=0, le=512)
    """Number of processes that share the ports under a supervisor, which restarts and reloads them. 1: no
    supervisor."""
    worker_hang_seconds: float = Field(default=30.0, ge=3.0)
    """How long a worker's event loop may be blocked before the worker is killed and replaced."""
    worker_start_seconds: float = Field(default=120.0, gt=0)
    """How long a worker may take to start serving before it is killed and started again."""
