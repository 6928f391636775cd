"""Settings of metrics, logs and traces. It reads no environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from .table import Need, SettingsTable

# From the duration of a call in this process up to a client's patience. Prometheus' default buckets begin at 5 ms.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _dsn(value: SecretStr) -> SecretStr:
    """Raises ValueError for a text that is no DSN."""
    parts = urlsplit(value.get_secret_value())
    right = parts.scheme in ("http", "https") and parts.username and parts.hostname
    if not right or not parts.path.rpartition("/")[2].isdigit():
        raise ValueError("expected https://KEY@HOST/PROJECT, as the project's settings in Sentry show it")
    return value


class TelemetrySettings(SettingsTable):
    """Metrics, logs and traces."""

    # Not those of traces: OpenTelemetry's variables may set the endpoint later.
    NEEDS: ClassVar[tuple[Need, ...]] = (Need("metrics_host", "metrics_port", "telemetry.metrics_port"),)

    metrics: bool = True
    """Counts calls, and serves `/metrics` on the HTTP port, or on `metrics_port` if that is set."""
    metrics_host: str = "127.0.0.1"
    """Address that `metrics_port` binds."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """A separate port for `/metrics`, which the HTTP port then does not serve; 0 means any."""
    buckets: tuple[float, ...] = BUCKETS
    """Upper bounds of the histogram of handling times, in seconds, ascending."""
    metrics_dir: Path | None = None
    """A folder through which workers share their metrics, so that each serves those of all; set by the supervisor."""
    worker: str = ""
    """The name of this worker in metrics and log lines; set by the supervisor."""

    log_format: Literal["auto", "json", "console"] = "auto"
    """Format of `diptych serve`'s log lines: JSON objects or readable text. `auto`: text on a terminal, else JSON."""
    access_log: bool | None = None
    """Logs a line per call. None: on under `diptych serve`, off for a gateway built in code."""
    request_ids: bool | None = None
    """Gives every call an id, the client's `x-request-id` if it sent one, and returns it. None: as `access_log`."""

    otlp_endpoint: str | None = None
    """OTLP endpoint for traces, such as `http://localhost:4317`; needs the extra `telemetry`. None: no traces."""
    otlp_protocol: Literal["grpc", "http/protobuf"] = "grpc"
    """The protocol of `otlp_endpoint`. For http/protobuf, an endpoint without a path gets the path `/v1/traces`."""
    trace_ratio: float = Field(default=1.0, ge=0.0, le=1.0)
    """Fraction of new traces that is sampled; a trace that a caller began follows the caller's decision."""
    sentry_dsn: Annotated[SecretStr, AfterValidator(_dsn)] | None = None
    """Where unexpected errors are sent: the DSN of a project in Sentry; needs the extra `sentry`. None: nowhere."""
    sentry_environment: str = "production"
    """The environment in which Sentry files them."""
    sentry_release: str = ""
    """The release of your application, as Sentry knows it."""
    service_name: str = "diptych"
    """The name of this service in traces."""

    @model_validator(mode="after")
    def _ascending(self) -> TelemetrySettings:
        if not self.buckets or list(self.buckets) != sorted(set(self.buckets)) or self.buckets[0] <= 0:
            raise ValueError("invalid buckets; expected positive seconds in ascending order")
        return self
