"""All of a gateway's telemetry, put together from its settings, started and stopped with it.

It is the only one in the room that knows all the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..extras import need
from ..settings.telemetry import TelemetrySettings
from .access import AccessLog
from .recorder import Watch
from .runtime import Runtime

# structlog and prometheus-client are half of what importing a gateway costs beside grpc, FastAPI and uvicorn: they are
# imported where a gateway is made that logs calls or counts them.
if TYPE_CHECKING:
    from .detailed_record import Keeping
    from .exposition import Collector, Exposition
    from .metrics_endpoint import MetricsPort
    from .traces import Tracer


class Telemetry:
    """What is watched, and where it is shown. `exposition` is None where metrics are off."""

    def __init__(self, settings: TelemetrySettings, collectors: Iterable[Collector] = ()) -> None:
        self._settings = settings
        self.runtime = Runtime()
        access = bool(settings.access_log)
        ids = access if settings.request_ids is None else settings.request_ids
        self._access = AccessLog() if access else None
        self._tracer: Tracer | None = None
        more = access or ids or settings.otlp_endpoint is not None
        self.watch = Watch(buckets=settings.buckets, on=settings.metrics or more)
        if more:
            self._ids = ids
            self.watch.make = self._keeping().make
        self.watch.line = None if self._access is None else self._access.line
        self.exposition: Exposition | None = None
        if settings.metrics:
            from .exposition import Exposition

            self.exposition = Exposition(self.watch, self.runtime, collectors, settings.metrics_dir, settings.worker)
        self._port: MetricsPort | None = None

    def _keeping(self) -> Keeping:
        line = None if self._access is None else self._access.line
        from .detailed_record import Keeping

        return Keeping(ids=self._ids, line=line, span=None if self._tracer is None else self._tracer.begin)

    @property
    def on_http(self) -> Exposition | None:
        """What the HTTP port shows."""
        return self.exposition if self._settings.metrics_port is None else None

    @property
    def port(self) -> int | None:
        """The bound port of the metrics' own listener, while there is one."""
        return None if self._port is None else self._port.port

    def start(self) -> None:
        """Begin, on the event loop. Raises OSError where the port is taken, or the shared folder is no good."""
        settings, exposition = self._settings, self.exposition
        if settings.otlp_endpoint is not None and self._tracer is None:
            self._tracer = _tracer(settings)
            self.watch.make = self._keeping().make
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
        """End: what is still to be written is written."""
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
            self.watch.make = self._keeping().make
            await asyncio.to_thread(tracer.stop)

    def listening(self, *, http: tuple[str, int], rpc: tuple[str, int] | None) -> None:
        """Where the gateway is reached, for the traces."""
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
