"""Settings of readiness checks."""

from __future__ import annotations

from pydantic import Field

from .table import SettingsTable


class ReadinessSettings(SettingsTable):
    """How readiness checks run, for `/readyz`, grpc.health.v1 and metrics."""

    timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a check may take before it counts as failed."""
    keep_seconds: float = Field(default=1.0, ge=0)
    """How long a result is cached, which limits the load that probes cause; 0 runs the checks on each probe."""
    watch_seconds: float = Field(default=5.0, gt=0)
    """How often the checks run without a probe, for watchers of grpc.health.v1 and for metrics."""
