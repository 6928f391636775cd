"""How many processes serve, and when one of them is taken for dead. Read by `diptych serve`, not by a gateway."""

from __future__ import annotations

from pydantic import Field

from .table import SettingsTable


class WorkersSettings(SettingsTable):
    """Worker processes under a supervisor."""

    workers: int = Field(default=1, gt=0, le=512)
    """Processes that `diptych serve` runs on the same ports, replaces and reloads; with 1 there is no supervisor."""
    worker_hang_seconds: float = Field(default=30.0, ge=3.0)
    """How long a worker's event loop may be silent before it is killed and replaced, since it serves nobody."""
    worker_start_seconds: float = Field(default=120.0, gt=0)
    """How long a worker may take from its start until it serves; it is killed then, and tried again."""
