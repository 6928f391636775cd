"""Runs named readiness checks concurrently, and keeps their results for a while.

It knows no face: `/readyz`, grpc.health.v1 and metrics read the same results.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .settings.errors import Fault, SettingError, expected
from .settings.readiness import ReadinessSettings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger("diptych.readiness")

Check = Callable[[], bool | Awaitable[bool | None] | None]
"""A check. It fails if it returns False, raises, or takes longer than the settings allow."""

# How long a worker that starts waits for checks that do not gate: they take this long to connect, and a store that is
# down must not hold up the start of one worker after the other.
_SETTLE_SECONDS = 2.0
_SETTLE_PAUSE = 0.05  # seconds between the runs of the checks while a worker starts

Results = Mapping[str, bool]
"""Whether each check passed, by name."""


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """A check that only some services depend on, by full name; other services stay ready if it fails.

    So does the gateway as a whole, unless the check is local or the setting `readiness.gating` names it.
    """

    check: Check
    services: tuple[str, ...]
    local: bool = False
    """Whether it is about this process alone, such as its child processes, so that other processes may still serve."""


class Readiness:
    """The checks of a gateway, and their latest results."""

    def __init__(self, checks: Mapping[str, Check | ServiceCheck], settings: ReadinessSettings) -> None:
        """Raises `SettingError` if `readiness.gating` names a check that does not exist."""
        self._settings = settings
        self._checks = {
            name: one if isinstance(one, ServiceCheck) else ServiceCheck(one, ()) for name, one in checks.items()
        }
        self._gating = self._gates()
        self._told: dict[str, bool] = {}  # the state of each check that the log has reported last
        self._passed: set[str] = set()  # the checks that have passed since the start
        self._checked: set[str] = set()  # those that have passed or failed
        self._begun: float | None = None
        self._ending = False
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._round: asyncio.Task[Results] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._results: Results = {}
        self._until = float("-inf")

    def _gates(self) -> frozenset[str]:
        named = self._settings.gating
        if named is None:
            return frozenset(name for name, one in self._checks.items() if one.local or not one.services)
        if "*" in named:
            return frozenset(self._checks)
        if strange := [name for name in named if name not in self._checks]:
            raise SettingError(
                *(Fault("readiness.gating", f"no check {name!r}{expected(name, self._checks)}") for name in strange)
            )
        return frozenset(named)

    def __bool__(self) -> bool:
        return bool(self._checks)

    @property
    def services(self) -> frozenset[str]:
        """Returns the services that checks name."""
        return frozenset(name for one in self._checks.values() for name in one.services)

    def fit(self, service: str, results: Results) -> bool:
        """Returns whether the checks of a service pass, or for "" those that gate the whole gateway."""
        if not service:
            return all(results[name] for name in self._gating)
        return all(results[name] for name, one in self._checks.items() if not one.services or service in one.services)

    def words(self, results: Results) -> Mapping[str, str]:
        """Returns what `/readyz` says of each check; one that has not ended since the start has not failed yet."""
        return {
            name: "ok" if passed else "failed" if name in self._checked else "not checked yet"
            for name, passed in results.items()
        }

    async def look(self) -> Results:
        """Returns recent results, or runs the checks; concurrent callers share one run."""
        if time.monotonic() < self._until:
            return self._results
        current = self._round
        if current is None or current.done() or current.get_loop() is not asyncio.get_running_loop():
            current = self._round = asyncio.get_running_loop().create_task(self._run_checks())
        return await asyncio.shield(current)  # a caller that is cancelled must not cancel the others' run

    async def _run_checks(self, seconds: float | None = None) -> Results:
        begun = [(name, self._begin(name, one.check)) for name, one in self._checks.items()]
        if begun:
            await asyncio.wait([task for _, task in begun], timeout=seconds or self._settings.timeout_seconds)
        over = {name for name, task in begun if task.done() and not task.cancelled()}
        results = {name: name in over and task.result() for name, task in begun}
        self._checked |= over if seconds is not None else results.keys()
        self._report(results)
        self._results, self._until = results, time.monotonic() + self._settings.keep_seconds
        return results

    def _report(self, results: Results) -> None:
        """Logs each change once. A check that has not passed since a start gets time before it is reported."""
        if self._ending:
            return
        now = time.monotonic()
        self._begun = now if self._begun is None else self._begun
        starting = now - self._begun < self._settings.start_seconds
        self._passed |= {name for name, passed in results.items() if passed}
        for name, passed in results.items():
            if passed is self._told.get(name, True) or (starting and not passed and name not in self._passed):
                continue
            self._told[name] = passed
            logger.log(logging.INFO if passed else logging.WARNING, "%s is %s", name, "ready" if passed else "down")

    async def settle(self) -> None:
        """Waits until all checks pass at once: at most `readiness.start_seconds` for those that gate, 2 for others."""
        begun = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.start_seconds):
                seconds: float | None = min(_SETTLE_SECONDS, self._settings.timeout_seconds)
                while not all((results := await self._run_checks(seconds)).values()):
                    left = _SETTLE_SECONDS - (time.monotonic() - begun)
                    if left <= 0 and self.fit("", results):
                        return
                    seconds = left if 0 < left < self._settings.timeout_seconds else None
                    await asyncio.sleep(_SETTLE_PAUSE)

    def _begin(self, name: str, check: Check) -> asyncio.Task[bool]:
        """Returns a check's task; one that still runs is reused, so a hung dependency does not pile up tasks."""
        running = self._running.get(name)
        if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
            running = self._running[name] = asyncio.get_running_loop().create_task(_passes(check))
        return running

    # Periodic checks, besides those on request.

    def start(self, tell: Callable[[Results], Awaitable[None]]) -> None:
        """Starts running the checks periodically, and passes each result to `tell`."""
        self._ending = False
        if self._checks:
            self._watcher = asyncio.get_running_loop().create_task(self._watch(tell))

    def end(self) -> None:
        """Logs no more changes: the services that the checks are about are being stopped."""
        self._ending = True

    async def _watch(self, tell: Callable[[Results], Awaitable[None]]) -> None:
        while True:
            await tell(await self.look())
            await asyncio.sleep(self._settings.watch_seconds)

    async def stop(self) -> None:
        """Stops the periodic checks and cancels the running ones."""
        tasks = [self._watcher, self._round, *self._running.values()]
        self._watcher = self._round = None
        self._running.clear()
        self._until = float("-inf")
        here = asyncio.get_running_loop()
        left = [task for task in tasks if task is not None and not task.done() and task.get_loop() is here]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # A collector of metrics.

    def collect(self) -> Iterator[Metric]:
        """Yields the latest results, for prometheus-client."""
        from prometheus_client.core import GaugeMetricFamily  # metrics are optional; when scraped, it is loaded

        family = GaugeMetricFamily("diptych_ready", "Whether a readiness check passes.", labels=["check"])
        for name, passed in self._results.items():
            family.add_metric([name], float(passed))
        yield family


async def _passes(check: Check) -> bool:
    try:
        found = check()
        if inspect.isawaitable(found):
            found = await found
    except Exception:
        logger.debug("a readiness check raised", exc_info=True)
        return False
    return found is not False
