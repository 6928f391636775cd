"""What an operator sees of a gateway: metrics, log lines, traces. It reads no environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from .table import SettingsTable

# From what an in-process call takes to what a client waits for at most; Prometheus' own begin at five milliseconds.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class TelemetrySettings(SettingsTable):
    """Metrics, logs and traces."""

    metrics: bool = True
    """Counts calls, and serves the counts on `/metrics` of the HTTP port, or on `metrics_port` where that is set."""
    metrics_host: str = "127.0.0.1"
    """Address of the metrics' own port."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """A port of its own for `/metrics`, which is then not on the HTTP port; 0 means any."""
    buckets: tuple[float, ...] = BUCKETS
    """Upper bounds of the histogram of handling times, in seconds, ascending."""
    metrics_dir: Path | None = None
    """A folder that several worker processes share, so that each of them answers for all; the supervisor sets it."""
    worker: str = ""
    """The name of this process among several workers, in metrics and log lines; the supervisor sets it."""

    log_format: Literal["auto", "json", "console"] = "auto"
    """How `diptych serve` writes log lines: a JSON object each, or for people to read; auto is that on a terminal."""
    access_log: bool | None = None
    """Writes a line a call. None: `diptych serve` does, a gateway made in code does not."""
    request_ids: bool | None = None
    """Gives every call an id, the client's `x-request-id` where it sent one, and returns it. None: as `access_log`."""

    otlp_endpoint: str | None = None
    """Where traces are sent by OTLP, such as `http://localhost:4317`; None makes none. Needs the extra `telemetry`."""
    otlp_protocol: Literal["grpc", "http/protobuf"] = "grpc"
    """What is spoken to `otlp_endpoint`; the path `/v1/traces` is added for http/protobuf where there is no path."""
    trace_ratio: float = Field(default=1.0, ge=0.0, le=1.0)
    """The part of the traces beginning here that is kept; one that began elsewhere is kept if it is there."""
    service_name: str = "diptych"
    """What traces call this service."""

    @model_validator(mode="after")
    def _ascending(self) -> TelemetrySettings:
        if not self.buckets or list(self.buckets) != sorted(set(self.buckets)) or self.buckets[0] <= 0:
            raise ValueError("buckets are positive seconds, each greater than the one before")
        return self
