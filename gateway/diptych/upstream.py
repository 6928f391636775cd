"""A circuit breaker and a bulkhead, for servicers that call other processes.

It knows no protocol and starts no task. One `Upstream` guards one dependency that can be down, such as a database.
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
    """A call that was not attempted. If the servicer does not catch it, the client gets UNAVAILABLE with RetryInfo."""

    def __init__(self, message: str, retry_seconds: float) -> None:
        self.retry_seconds = retry_seconds
        """Seconds after which a retry makes sense."""
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(max(1, round(retry_seconds * 1000)))
        retry = error_details_pb2.RetryInfo(retry_delay=delay)
        super().__init__(Status(code=Code.UNAVAILABLE, message=message, details=(pack(retry),)))


class Upstream:
    """A dependency outside the process.

    After `failures` consecutive failures the circuit opens: calls are refused for `rest_seconds`, then one call probes
    the upstream while all others are still refused; each failed probe doubles the rest, up to `longest_seconds`. At
    most `most` calls run at once; None sets no limit. `failed` returns whether an exception counts as a failure; by
    default every one does. A cancelled call counts neither way. An instance belongs to one event loop. It is a
    collector of metrics too, whose label `upstream` is `label`, or the name if there is none.
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
        label: str = "",
    ) -> None:
        self.name = name
        self._label = label or name
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
        """Returns whether the circuit is open: all calls but a probe are refused."""
        return self._until is not None

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs `work` and returns its result. Raises `UpstreamRefused` if `work` was not started, or what it raises."""
        probes = self._admit()
        self._running += 1
        try:
            found = await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._settle(self._failed(error), probes=probes)
            raise
        else:
            self._settle(False, probes=probes)
            return found
        finally:
            self._running -= 1
            if probes:
                self._probing = False

    def _admit(self) -> bool:
        """Admits a call or raises `UpstreamRefused`; returns whether the call is the probe."""
        if self._until is not None:
            left = self._until - self._clock()
            if left > 0 or self._probing:
                raise self._refusal("open", f"{self.name} is unavailable; retry later", max(left, self._first / 2))
        if self._most is not None and self._running >= self._most:
            raise self._refusal("full", f"too many calls are waiting for {self.name}; retry later", self._first / 2)
        self._probing = self._until is not None
        return self._probing

    def _refusal(self, reason: str, message: str, seconds: float) -> UpstreamRefused:
        self._refused[reason] += 1
        return UpstreamRefused(message, seconds)

    def _settle(self, failed: bool, *, probes: bool) -> None:
        if not failed:
            # A call that began before the circuit opened proves no recovery; only the probe does.
            if self._until is None or probes:
                if self._until is not None:
                    logger.info("%s is available again", self.name)
                self._in_row, self._rest, self._until = 0, self._first, None
            return
        self._failures += 1
        self._in_row += 1
        if probes:
            self._rest = min(self._rest * 2, self._longest)
        elif self._until is not None or self._in_row < self._allowed:
            return
        else:
            logger.warning("%s failed %d times in a row; refusing calls to it", self.name, self._in_row)
        # Jitter, so that the processes do not all probe at once.
        self._until = self._clock() + self._rest * random.uniform(0.8, 1.2)  # noqa: S311, no secret

    def collect(self) -> Iterator[Metric]:
        """Yields the state and the counters, for prometheus-client."""
        for gauge, text, value in (
            ("diptych_upstream_open", "Whether the circuit to an upstream is open.", self.open),
            ("diptych_upstream_in_flight", "Calls to an upstream in flight.", self._running),
        ):
            family = GaugeMetricFamily(gauge, text, labels=_LABELS)
            family.add_metric([self._label], float(value))
            yield family
        failures = CounterMetricFamily("diptych_upstream_failures", "Calls to an upstream that failed.", labels=_LABELS)
        failures.add_metric([self._label], self._failures)
        yield failures
        refused = CounterMetricFamily(
            "diptych_upstream_refused", "Calls refused without calling the upstream.", labels=("upstream", "reason")
        )
        for reason, count in self._refused.items():
            refused.add_metric([self._label, reason], count)
        yield refused
