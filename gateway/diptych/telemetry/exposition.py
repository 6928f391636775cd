"""The answer to a scrape: the metric families of the gateway, of the process, and of services.

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

from .children import ChildrenCollector
from .multiprocess import SharedMetrics
from .prometheus import Families
from .recorder import Recorder
from .runtime import Runtime

logger = logging.getLogger("diptych.telemetry")


class Collector(Protocol):
    """A collector of prometheus-client; its metrics made with `registry=None` are collectors too."""

    def collect(self) -> Iterable[Metric]:
        """Returns the current metric families."""


class Exposition:
    """Everything on `/metrics`. `folder` is shared by several workers, of which this is `worker`."""

    def __init__(
        self, recorder: Recorder, runtime: Runtime, collectors: Iterable[Collector], folder: Path | None, worker: str
    ) -> None:
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(ChildrenCollector())
        registry.register(Families(recorder, runtime))
        for collector in collectors:
            registry.register(_Guarded(collector))
        self.shared = None if folder is None else SharedMetrics(registry.collect, folder, worker)
        self.source: CollectorRegistry | SharedMetrics = self.shared or registry

    def render(self, accept: str) -> tuple[bytes, str]:
        """Returns body and content type: OpenMetrics if the client accepts it, else Prometheus' text format."""
        encode, media = choose_encoder(accept)
        return encode(self.source), media


class _Guarded:
    """A service's collector. If it fails, all other metrics are still served."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            yield from list(self._collector.collect())
        except Exception:
            logger.exception("a collector of metrics failed; its families are left out")
