"""Metrics of a service's workers: how many are busy, and how many tasks are waiting.

Collected at each scrape; knows no document.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from .pool import WorkerPool


class PoolMetrics:
    """A collector for prometheus-client."""

    def __init__(self, pool: WorkerPool, service: str, tasks: str) -> None:
        """`tasks` is what waits for a worker, such as "Pages and images"."""
        self._pool, self._service, self._tasks = pool, service, tasks

    def collect(self) -> Iterator[Metric]:
        """Yields the current metric families."""
        pool = self._pool
        there, busy = len(pool.workers), min(pool.busy, len(pool.workers))
        workers = GaugeMetricFamily(
            f"artificer_{self._service}_workers",
            "Worker processes by state; missing ones are being started.",
            labels=["state"],
        )
        for state, count in (("busy", busy), ("idle", there - busy), ("missing", pool.missing)):
            workers.add_metric([state], count)
        yield workers
        yield GaugeMetricFamily(
            f"artificer_{self._service}_queue_depth", f"{self._tasks} waiting for a worker.", value=pool.waiting
        )
