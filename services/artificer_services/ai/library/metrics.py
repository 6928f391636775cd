"""The metrics of collections: their sizes, and how long searches take."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from ...kit.errors import ServiceError
from ...kit.periodic import Periodic
from .store import Totals

_SECONDS = 60.0  # between measurements of the sizes
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LibraryMetrics:
    """A collector of prometheus-client. Gateways of one database show the same sizes."""

    def __init__(self, totals: Callable[[], Awaitable[Totals]]) -> None:
        self._look = totals
        self._totals: Totals | None = None
        self._measuring = Periodic("rag-metrics", self.look, _SECONDS)
        self._seconds = Histogram(
            "artificer_rag_search_seconds",
            "Time of searches, without the time to embed the query.",
            labelnames=("kind",),
            buckets=_BUCKETS,
            registry=CollectorRegistry(auto_describe=False),
        )

    def start(self) -> None:
        """Start measuring the sizes; at once for the first time."""
        self._measuring.start()

    async def stop(self) -> None:
        """Stop measuring."""
        await self._measuring.stop()

    async def look(self) -> None:
        """Measure the sizes now. After a failure nothing is reported, because old numbers would look current."""
        try:
            self._totals = await self._look()
        except ServiceError:
            self._totals = None

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Measure a search: `words` or `vectors`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds.labels(kind).observe(time.perf_counter() - began)

    def collect(self) -> Iterator[Metric]:
        """Yields what is known."""
        yield from self._seconds.collect()
        if self._totals is not None:
            for name, value in (
                ("collections", self._totals.collections),
                ("documents", self._totals.documents),
                ("chunks", self._totals.chunks),
            ):
                yield GaugeMetricFamily(f"artificer_rag_{name}", f"Number of {name}.", value=value)
