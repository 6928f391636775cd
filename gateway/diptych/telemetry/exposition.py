"""What a scrape is answered: the gateway's families, the process's, and those that services add.

It knows no server.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from .multiprocess import Shared
from .prometheus import Families
from .recorder import Watch
from .runtime import Runtime

logger = logging.getLogger("diptych.telemetry")


class Collector(Protocol):
    """What prometheus-client calls one: its own metrics, made with `registry=None`, are collectors too."""

    def collect(self) -> Iterable[Metric]:
        """Its families as they are now."""


class Exposition:
    """Everything that `/metrics` shows. `folder` is shared by several workers, of which this is `worker`."""

    def __init__(
        self, watch: Watch, runtime: Runtime, collectors: Iterable[Collector], folder: Path | None, worker: str
    ) -> None:
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(Families(watch, runtime))
        for collector in collectors:
            registry.register(_Guarded(collector))
        self.shared = None if folder is None else Shared(registry.collect, folder, worker)
        self.source: CollectorRegistry | Shared = self.shared or registry

    def render(self, accept: str) -> tuple[bytes, str]:
        """The body and its content type: OpenMetrics where the client takes it, else Prometheus' own text."""
        encode, media = choose_encoder(accept)
        return encode(self.source), media


class _Guarded:
    """Somebody's collector: where it breaks, the rest is still shown."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            yield from list(self._collector.collect())
        except Exception:
            logger.exception("a collector of metrics failed; its families are left out")
