"""All of a gateway's telemetry, put together from its settings, started and stopped with it.

It is the only one in the room that knows all the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..settings.telemetry import TelemetrySettings
from .exposition import Collector, Exposition
from .page import MetricsPort
from .runtime import Runtime
from .watch import Watch


class Telemetry:
    """What is watched, and where it is shown. `exposition` is None where metrics are off."""

    def __init__(self, settings: TelemetrySettings, collectors: Iterable[Collector] = ()) -> None:
        self._settings = settings
        self.runtime = Runtime()
        self.watch = Watch(buckets=settings.buckets, on=settings.metrics)
        self.exposition: Exposition | None = None
        if settings.metrics:
            self.exposition = Exposition(self.watch, self.runtime, collectors, settings.metrics_dir, settings.worker)
        self._port: MetricsPort | None = None

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
        if exposition is None:
            return
        if exposition.shared is not None:
            exposition.shared.open()
            exposition.shared.start()
        if settings.metrics_port is not None:
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
