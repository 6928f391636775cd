"""Logging and traces of a served gateway: the defaults of `serve`, and OpenTelemetry's environment variables.

Settings of the gateway take precedence over OpenTelemetry's variables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..settings import Settings
from ..telemetry.logs import configure


def observed(settings: Settings) -> Settings:
    """Configures the process's logging, and returns the settings with the defaults of `serve`."""
    telemetry = settings.telemetry
    found = {
        name: value for name, value in _from_environment(os.environ).items() if name not in telemetry.model_fields_set
    }
    if telemetry.access_log is None:
        found["access_log"] = True
    completed = type(telemetry).model_validate({**telemetry.model_dump(), **found})
    configure(completed, settings.log_level)
    return settings.model_copy(update={"telemetry": completed})


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Reads OpenTelemetry's general variables; the exporter reads its own (headers, certificates) itself."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return {}
    found: dict[str, Any] = {}
    for name, variables in _VARIABLES.items():
        value = next((environ[one] for one in variables if environ.get(one)), None)
        if value is not None:
            found[name] = value
    if environ.get("OTEL_TRACES_SAMPLER", "").endswith("traceidratio"):
        found["trace_ratio"] = environ.get("OTEL_TRACES_SAMPLER_ARG", "1")
    return found


_VARIABLES = {
    "otlp_endpoint": ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    "otlp_protocol": ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    "service_name": ("OTEL_SERVICE_NAME",),
}
