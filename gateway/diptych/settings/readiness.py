"""Settings of readiness checks."""

from __future__ import annotations

from pydantic import Field

from .listening import Listed
from .table import SettingsTable


class ReadinessSettings(SettingsTable):
    """How readiness checks run, for `/readyz`, grpc.health.v1 and metrics."""

    timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a check may take before it counts as failed."""
    keep_seconds: float = Field(default=1.0, ge=0)
    """How long a result is cached, which limits the load that probes cause; 0 runs the checks on each probe."""
    watch_seconds: float = Field(default=5.0, gt=0)
    """How often the checks run without a probe, for watchers of grpc.health.v1 and for metrics."""
    start_seconds: float = Field(default=10.0, ge=0)
    """How long a worker that starts waits for the checks that gate before it serves, so that a reload replaces no
    worker by one that is not ready yet; for others it waits 2 seconds. For as long after a start, a check that has not
    passed yet is not logged as down."""
    gating: Listed | None = None
    """Names of the checks that turn `/readyz` and the overall status of grpc.health.v1; `*` means all. None: those that
    belong to no single service, and those that are local to the process, such as OCR's. The others turn the
    grpc.health.v1 status of their services only."""
