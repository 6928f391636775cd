"""The OCR workers as metrics: how many are at work, and how much waits for them.

It is read at a scrape, and knows no document.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from .pool import WorkerPool


class PoolMetrics:
    """A collector as prometheus-client takes it."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        """The families as they are now."""
        pool = self._pool
        there, busy = len(pool.workers), min(pool.busy, len(pool.workers))
        workers = GaugeMetricFamily(
            "artificer_ocr_workers",
            "OCR worker processes, by what they do; those missing are on their way.",
            labels=["state"],
        )
        for state, count in (("busy", busy), ("idle", there - busy), ("missing", pool.size - there)):
            workers.add_metric([state], count)
        yield workers
        yield GaugeMetricFamily(
            "artificer_ocr_queue_depth", "Pages and images that wait for an OCR worker.", value=pool.waiting
        )
