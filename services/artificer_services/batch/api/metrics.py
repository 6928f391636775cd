"""Batch jobs as metrics: how many in each state, what waits, who works.

A scrape reads what was counted last and asks no database. The counting is rarer the longer it takes, so that it is
never more than a fiftieth of the database's time, however many jobs there are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from ..jobs.errors import BatchError
from ..jobs.job import Overview
from ..jobs.jobs import Jobs
from ..jobs.states import JobState

_log = logging.getLogger(__name__)

_REST = 50  # times as long as the last count took


class BatchMetrics:
    """A collector as prometheus-client takes it, which counts each `seconds` from `start` to `stop`.

    All that several gateways show of one database is the same, but for `local`, the workers of each: by state.
    """

    def __init__(self, jobs: Jobs, seconds: float, local: Callable[[], Mapping[str, int]]) -> None:
        self._jobs, self._seconds, self._local = jobs, seconds, local
        self._seen: Overview | None = None
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()  # an older count must not come after a newer one

    def start(self) -> None:
        """Begin, with a first count at once."""
        self._task = asyncio.create_task(self._go_on(), name="batch-metrics")

    async def stop(self) -> None:
        """End; a count that has begun is not waited for."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._seen = None

    async def _go_on(self) -> None:
        while True:
            began = time.monotonic()
            await self.look()
            await asyncio.sleep(max(self._seconds, _REST * (time.monotonic() - began)))

    async def look(self) -> None:
        """Count now. Where that cannot be done nothing is shown: old numbers would look like good ones."""
        async with self._looking:
            seen = None
            try:
                seen = await self._jobs.run(self._jobs.store.overview)
            except BatchError as error:  # readiness tells of it
                _log.debug("jobs could not be counted: %s", error.message)
            except Exception:
                _log.exception("jobs could not be counted for metrics")
            self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """The families as they were counted last."""
        seen = self._seen
        if seen is not None:
            yield _by_state(
                "artificer_batch_jobs",
                "Jobs of the database, by state.",
                {state.lower(): seen.jobs.get(state, 0) for state in JobState},
            )
            yield _by_state(
                "artificer_batch_items",
                "Items: waiting in running jobs, held by workers, completed and failed in all jobs that are kept.",
                {"waiting": seen.waiting, "held": seen.held, "completed": seen.completed, "failed": seen.failed},
            )
            yield GaugeMetricFamily(
                "artificer_batch_workers", "Workers on any machine that hold work just now.", value=seen.workers
            )
            yield GaugeMetricFamily(
                "artificer_batch_idle_seconds",
                "How long the job that has waited longest has had work and no worker.",
                value=seen.idle_seconds,
            )
        if local := self._local():
            yield _by_state(
                "artificer_batch_local_workers",
                "Worker processes of this gateway: those that are there, and those that are on their way.",
                local,
            )


def _by_state(name: str, documentation: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["state"])
    for state, value in values.items():
        family.add_metric([state], value)
    return family
