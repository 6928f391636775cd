"""Whether what a gateway depends on is there: named checks, asked side by side, and not more often than need be.

It knows no face: `/readyz`, grpc.health.v1 and metrics read the same answers.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .settings.readiness import ReadinessSettings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger("diptych.readiness")

Check = Callable[[], bool | Awaitable[bool | None] | None]
"""A check: not ready where it gives False, raises, or takes longer than the settings allow."""

Results = Mapping[str, bool]
"""Whether each check passed, by its name."""


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """A check that some services need, by full name; others go on without what it looks at."""

    check: Check
    services: tuple[str, ...]


class Readiness:
    """The checks of one gateway, and what they said last."""

    def __init__(self, checks: Mapping[str, Check | ServiceCheck], settings: ReadinessSettings) -> None:
        self._settings = settings
        self._checks = {
            name: one if isinstance(one, ServiceCheck) else ServiceCheck(one, ()) for name, one in checks.items()
        }
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._looking: asyncio.Task[Results] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._results: Results = {}
        self._until = float("-inf")

    def __bool__(self) -> bool:
        return bool(self._checks)

    @property
    def services(self) -> frozenset[str]:
        """The services that checks name."""
        return frozenset(name for one in self._checks.values() for name in one.services)

    def fit(self, service: str, results: Results) -> bool:
        """Whether a service has what it needs; "" stands for all of them."""
        return all(
            results[name]
            for name, one in self._checks.items()
            if not service or not one.services or service in one.services
        )

    async def look(self) -> Results:
        """What the checks say: now, or a moment ago. However many ask at once, each check is asked once."""
        if time.monotonic() < self._until:
            return self._results
        looking = self._looking
        if looking is None or looking.done() or looking.get_loop() is not asyncio.get_running_loop():
            looking = self._looking = asyncio.get_running_loop().create_task(self._look())
        return await asyncio.shield(looking)  # a prober that leaves takes nobody else's answer away

    async def _look(self) -> Results:
        begun = [(name, self._begin(name, one.check)) for name, one in self._checks.items()]
        if begun:
            await asyncio.wait([task for _, task in begun], timeout=self._settings.timeout_seconds)
        results = {name: task.done() and not task.cancelled() and task.result() for name, task in begun}
        for name, passed in results.items():
            if passed is not self._results.get(name, True):
                logger.log(logging.INFO if passed else logging.WARNING, "%s is %s", name, "ready" if passed else "down")
        self._results, self._until = results, time.monotonic() + self._settings.keep_seconds
        return results

    def _begin(self, name: str, check: Check) -> asyncio.Task[bool]:
        """A check's task: the one that still runs where there is one, since a hung store needs no second question."""
        running = self._running.get(name)
        if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
            running = self._running[name] = asyncio.get_running_loop().create_task(_passes(check))
        return running

    # On its own, beside those who ask.

    def start(self, tell: Callable[[Results], Awaitable[None]]) -> None:
        """Look again and again from now on, and `tell` each time."""
        if self._checks:
            self._watching = asyncio.get_running_loop().create_task(self._watch(tell))

    async def _watch(self, tell: Callable[[Results], Awaitable[None]]) -> None:
        while True:
            await tell(await self.look())
            await asyncio.sleep(self._settings.watch_seconds)

    async def stop(self) -> None:
        """Look no more, and leave no check running."""
        tasks = [self._watching, self._looking, *self._running.values()]
        self._watching = self._looking = None
        self._running.clear()
        self._until = float("-inf")
        here = asyncio.get_running_loop()
        left = [task for task in tasks if task is not None and not task.done() and task.get_loop() is here]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # For metrics, as a collector.

    def collect(self) -> Iterator[Metric]:
        """What the checks said last, once they have said something."""
        from prometheus_client.core import GaugeMetricFamily  # where it is scraped, it is imported already

        family = GaugeMetricFamily("diptych_ready", "Whether a check of readiness passes.", labels=["check"])
        for name, passed in self._results.items():
            family.add_metric([name], float(passed))
        yield family


async def _passes(check: Check) -> bool:
    try:
        found = check()
        if inspect.isawaitable(found):
            found = await found
    except Exception:
        logger.debug("a check of readiness raised", exc_info=True)
        return False  # whatever a check raises, the answer is the same
    return found is not False
