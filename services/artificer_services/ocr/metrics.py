"""Metrics of the OCR workers: how many are busy, and how many tasks are waiting.

Collected at each scrape; knows no document.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from .pool import WorkerPool


class PoolMetrics:
    """A collector for prometheus-client."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        """Yields the current metric families."""
        pool = self._pool
        there, busy = len(pool.workers), min(pool.busy, len(pool.workers))
        workers = GaugeMetricFamily(
            "artificer_ocr_workers",
            "OCR worker processes by state; missing ones are being started.",
            labels=["state"],
        )
        for state, count in (("busy", busy), ("idle", there - busy), ("missing", pool.size - there)):
            workers.add_metric([state], count)
        yield workers
        yield GaugeMetricFamily(
            "artificer_ocr_queue_depth", "Pages and images waiting for an OCR worker.", value=pool.waiting
        )
