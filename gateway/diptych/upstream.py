"""Calls that leave the process, for servicers: a circuit breaker and a bulkhead around what may not answer.

It knows no protocol and starts no task. One `Upstream` stands for one thing that can be down, such as a database.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .status import Code, Status, StatusError, pack

logger = logging.getLogger("diptych.upstream")

T = TypeVar("T")
_LABELS = ("upstream",)


class UpstreamRefused(StatusError):
    """A call that was not made. Left to itself it becomes UNAVAILABLE with RetryInfo, on every face."""

    def __init__(self, message: str, retry_seconds: float) -> None:
        self.retry_seconds = retry_seconds
        """When it is worth to come again."""
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(max(1, round(retry_seconds * 1000)))
        retry = error_details_pb2.RetryInfo(retry_delay=delay)
        super().__init__(Status(code=Code.UNAVAILABLE, message=message, details=(pack(retry),)))


class Upstream:
    """Something outside of the process, by name.

    After `failures` in a row it is left alone for `rest_seconds`, then asked by one call while all others are still
    refused; each time that fails the rest doubles, up to `longest_seconds`. `most` calls at once are let through, None
    sets no limit. `failed` tells failures from answers that are no fault of the upstream's; by default every exception
    is one. A call that is cancelled says nothing either way. For one event loop; a collector of metrics, too.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        rest_seconds: float = 2.0,
        longest_seconds: float = 30.0,
        most: int | None = None,
        failed: Callable[[Exception], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._allowed, self._first, self._longest = failures, rest_seconds, max(rest_seconds, longest_seconds)
        self._most, self._failed, self._clock = most, failed, clock
        self._in_row = 0
        self._rest = rest_seconds
        self._until: float | None = None
        self._probing = False
        self._running = 0
        self._failures = 0
        self._refused = {"open": 0, "full": 0}

    @property
    def open(self) -> bool:
        """Whether it is left alone, but for a call that tries."""
        return self._until is not None

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` gives. Raises `UpstreamRefused` where it is not even begun, else what it raises."""
        tries = self._admit()
        self._running += 1
        try:
            found = await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._settle(self._failed(error), tries=tries)
            raise
        else:
            self._settle(False, tries=tries)
            return found
        finally:
            self._running -= 1
            if tries:
                self._probing = False

    def _admit(self) -> bool:
        """Let a call through or refuse it; whether it is the one that tries."""
        if self._until is not None:
            left = self._until - self._clock()
            if left > 0 or self._probing:
                raise self._refusal("open", f"{self.name} does not answer just now", max(left, self._first / 2))
        if self._most is not None and self._running >= self._most:
            raise self._refusal("full", f"too many calls wait for {self.name}", self._first / 2)
        self._probing = self._until is not None
        return self._probing

    def _refusal(self, reason: str, message: str, seconds: float) -> UpstreamRefused:
        self._refused[reason] += 1
        return UpstreamRefused(message, seconds)

    def _settle(self, failed: bool, *, tries: bool) -> None:
        if not failed:
            # A call that was under way before it was left alone proves no recovery: the one that tries does.
            if self._until is None or tries:
                if self._until is not None:
                    logger.info("%s answers again", self.name)
                self._in_row, self._rest, self._until = 0, self._first, None
            return
        self._failures += 1
        self._in_row += 1
        if tries:
            self._rest = min(self._rest * 2, self._longest)
        elif self._until is not None or self._in_row < self._allowed:
            return
        else:
            logger.warning("%s failed %d times in a row: it is left alone", self.name, self._in_row)
        # Not to the second, so that processes do not come back all at once.
        self._until = self._clock() + self._rest * random.uniform(0.8, 1.2)  # noqa: S311, no secret

    def collect(self) -> Iterator[Metric]:
        """Its state and its counts."""
        for gauge, text, value in (
            ("diptych_upstream_open", "Whether an upstream is left alone, since it does not answer.", self.open),
            ("diptych_upstream_in_flight", "Calls that wait for an upstream.", self._running),
        ):
            family = GaugeMetricFamily(gauge, text, labels=_LABELS)
            family.add_metric([self.name], float(value))
            yield family
        failures = CounterMetricFamily("diptych_upstream_failures", "Calls to an upstream that failed.", labels=_LABELS)
        failures.add_metric([self.name], self._failures)
        yield failures
        refused = CounterMetricFamily(
            "diptych_upstream_refused", "Calls that an upstream was spared.", labels=("upstream", "reason")
        )
        for reason, count in self._refused.items():
            refused.add_metric([self.name, reason], count)
        yield refused
