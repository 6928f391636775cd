"""The metrics of batch jobs: jobs by state, waiting items, workers.

A scrape returns the last count and reads no database. Counts are rarer the longer they take, so that they use at most a
fiftieth of the database's time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from ...kit.periodic import Periodic
from ..jobs.errors import ServiceError
from ..jobs.job import Overview
from ..jobs.jobs import Jobs
from ..jobs.states import JobState

_log = logging.getLogger(__name__)

_REST = 50  # pause, as a multiple of the last count's duration


class BatchMetrics:
    """A prometheus-client collector that counts every `seconds`, from `start` to `stop`.

    Gateways of one database show the same numbers, except for `local`, their own workers by state.
    """

    def __init__(self, jobs: Jobs, seconds: float, local: Callable[[], Mapping[str, int]]) -> None:
        self._jobs, self._local = jobs, local
        self._seen: Overview | None = None
        self._counting = Periodic("batch-metrics", self.look, seconds, rest=_REST)
        self._looking = asyncio.Lock()  # keeps an older count from replacing a newer one

    def start(self) -> None:
        """Start; the first count is immediate."""
        self._counting.start()

    async def stop(self) -> None:
        """Stop, cancelling a count in progress."""
        await self._counting.stop()
        self._seen = None

    async def look(self) -> None:
        """Count now. After a failure no numbers are exported, because old ones would look current."""
        async with self._looking:
            seen = None
            try:
                seen = await self._jobs.run(self._jobs.store.overview)
            except ServiceError as error:  # readiness reports it
                _log.debug("cannot count jobs: %s", error.message)
            except Exception:
                _log.exception("cannot count jobs for metrics")
            self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """Yields the metric families of the last count."""
        seen = self._seen
        if seen is not None:
            yield _by_state(
                "artificer_batch_jobs",
                "Jobs of the database, by state.",
                {state.lower(): seen.jobs.get(state, 0) for state in JobState},
            )
            yield _by_state(
                "artificer_batch_items",
                "Items: waiting in running jobs, held by workers, completed and failed in all stored jobs.",
                {"waiting": seen.waiting, "held": seen.held, "completed": seen.completed, "failed": seen.failed},
            )
            yield GaugeMetricFamily(
                "artificer_batch_workers", "Workers on any machine that hold a slot.", value=seen.workers
            )
            yield GaugeMetricFamily(
                "artificer_batch_idle_seconds",
                "Longest time that a job with ready work has had no worker, in seconds.",
                value=seen.idle_seconds,
            )
        if local := self._local():
            yield _by_state(
                "artificer_batch_local_workers",
                "Worker processes of this gateway: ready and missing.",
                local,
            )


def _by_state(name: str, documentation: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["state"])
    for state, value in values.items():
        family.add_metric([state], value)
    return family
