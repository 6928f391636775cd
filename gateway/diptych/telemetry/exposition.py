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
        registry.register(_Services(collectors))
        self.shared = None if folder is None else SharedMetrics(registry.collect, folder, worker)
        self.source: CollectorRegistry | SharedMetrics = self.shared or registry

    def render(self, accept: str) -> tuple[bytes, str]:
        """Returns body and content type: OpenMetrics if the client accepts it, else Prometheus' text format."""
        encode, media = choose_encoder(accept)
        return encode(self.source), media


class _Services:
    """The services' collectors as one: OpenMetrics allows a family once, and several collectors may have the same.

    If one fails, all other metrics are still served.
    """

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = tuple(collectors)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        families: dict[tuple[str, str], Metric] = {}
        for collector in self._collectors:
            try:
                found = list(collector.collect())
            except Exception:
                logger.exception("a collector of metrics failed; its families are left out")
                continue
            for one in found:
                family = families.setdefault(
                    (one.name, one.type), Metric(one.name, one.documentation, one.type, one.unit)
                )
                family.samples.extend(one.samples)
        yield from families.values()
