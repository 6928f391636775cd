"""How readiness is asked after, as settings."""

from __future__ import annotations

from pydantic import Field

from .table import SettingsTable


class ReadinessSettings(SettingsTable):
    """How what a gateway depends on is looked at: for `/readyz`, for grpc.health.v1, for metrics."""

    timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a check may take before it counts as failed."""
    keep_seconds: float = Field(default=1.0, ge=0)
    """How long an answer is kept, so that probes are no load on what they ask about; 0 asks each time."""
    watch_seconds: float = Field(default=5.0, gt=0)
    """How often it is looked without a probe, for those who watch grpc.health.v1, and for metrics."""
