"""The telemetry of one gateway, built from its settings, started and stopped with it.

It is the only module of the package that knows all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..extras import need
from ..settings.telemetry import TelemetrySettings
from .access import AccessLog
from .error_reports import error_reports
from .recorder import Recorder
from .runtime import Runtime

# structlog and prometheus-client are imported only if the settings need them: they made up half of what importing the
# gateway cost beyond grpc, FastAPI and uvicorn.
if TYPE_CHECKING:
    from .detailed_record import Details
    from .exposition import Collector, Exposition
    from .metrics_endpoint import MetricsPort
    from .sentry import Sentry
    from .traces import Tracer


class Telemetry:
    """Recorder, metrics, access log and traces. `exposition` is None if metrics are off."""

    def __init__(self, settings: TelemetrySettings, collectors: Iterable[Collector] = ()) -> None:
        self._settings = settings
        self.runtime = Runtime()
        access = bool(settings.access_log)
        ids = access if settings.request_ids is None else settings.request_ids
        self._access = AccessLog() if access else None
        self._tracer: Tracer | None = None
        more = access or ids or settings.otlp_endpoint is not None
        self.recorder = Recorder(buckets=settings.buckets, on=settings.metrics or more)
        if more:
            self._ids = ids
            self.recorder.make = self._details().make
        self.recorder.line = None if self._access is None else self._access.line
        self.exposition: Exposition | None = None
        if settings.metrics:
            from .exposition import Exposition

            self.exposition = Exposition(self.recorder, self.runtime, collectors, settings.metrics_dir, settings.worker)
        self._port: MetricsPort | None = None
        self._sentry: Sentry | None = None

    def _details(self) -> Details:
        line = None if self._access is None else self._access.line
        from .detailed_record import Details

        return Details(ids=self._ids, line=line, span=None if self._tracer is None else self._tracer.begin)

    @property
    def on_http(self) -> Exposition | None:
        """The metrics that the HTTP port serves; None if they are off or have their own port."""
        return self.exposition if self._settings.metrics_port is None else None

    @property
    def port(self) -> int | None:
        """The bound port of the separate metrics listener, while it runs."""
        return None if self._port is None else self._port.port

    def start(self) -> None:
        """Starts on the event loop. Raises OSError if the port is in use or the shared folder cannot be written."""
        settings, exposition = self._settings, self.exposition
        if settings.otlp_endpoint is not None and self._tracer is None:
            self._tracer = _tracer(settings)
            self.recorder.make = self._details().make
        if self._sentry is None:
            self._sentry = error_reports(settings)
            self.recorder.report = None if self._sentry is None else self._sentry.report
        if exposition is None:
            return
        if exposition.shared is not None:
            exposition.shared.open()
            exposition.shared.start()
        if settings.metrics_port is not None:
            from .metrics_endpoint import MetricsPort

            several = settings.metrics_dir is not None
            self._port = MetricsPort(exposition, settings.metrics_host, settings.metrics_port, several=several)
        self.runtime.start()

    async def stop(self) -> None:
        """Stops, and writes what is buffered."""
        self.runtime.stop()
        if self._port is not None:
            await self._port.stop()
            self._port = None
        if self.exposition is not None and self.exposition.shared is not None:
            self.exposition.shared.close()
        if self._access is not None:
            self._access.flush()
        if self._tracer is not None:
            tracer, self._tracer = self._tracer, None
            self.recorder.make = self._details().make
            await asyncio.to_thread(tracer.stop)

        if self._sentry is not None:
            sentry, self._sentry, self.recorder.report = self._sentry, None, None
            await asyncio.to_thread(sentry.stop)

    def listening(self, *, http: tuple[str, int], rpc: tuple[str, int] | None) -> None:
        """Sets the addresses of the listeners, for span attributes."""
        if self._tracer is not None:
            self._tracer.servers[False] = http
            if rpc is not None:
                self._tracer.servers[True] = rpc


def _tracer(settings: TelemetrySettings) -> Tracer:
    exporter = {"grpc": "grpc", "http/protobuf": "http"}[settings.otlp_protocol]
    modules = ("opentelemetry.sdk.trace", f"opentelemetry.exporter.otlp.proto.{exporter}.trace_exporter")
    need("telemetry.otlp_endpoint", "OpenTelemetry", "telemetry", *modules)
    from .traces import Tracer

    return Tracer(settings)
