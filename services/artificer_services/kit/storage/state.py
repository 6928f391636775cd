"""Metrics of a service's database: its size, its last backup, and the last run of retention.

Measured in the background, since a scrape must wait for no database. Knows no service and no table of one.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, inspect, text

from ..errors import ServiceError
from ..periodic import Periodic

BACKUPS = "artificer_backups"
"""The table in which a backup records that it has finished; the backup creates it."""

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class State:
    """Size in bytes, and when the last backup finished, in seconds since 1970; None if none is recorded."""

    size: int
    backup: float | None


def state_of(connection: Connection) -> State:
    """Returns the state of the connection's database."""
    if connection.dialect.name == "postgresql":
        size, latest = "SELECT pg_database_size(current_database())", "extract(epoch FROM max(finished))"
    else:
        size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        latest = "max(unixepoch(finished))"
    bytes_ = int(connection.execute(text(size)).scalar_one())
    if not inspect(connection).has_table(BACKUPS):
        return State(bytes_, None)
    finished = connection.execute(text(f"SELECT {latest} FROM {BACKUPS}")).scalar()  # noqa: S608, own names
    return State(bytes_, None if finished is None else float(finished))


class StoreMetrics:
    """A collector of prometheus-client that measures once a minute, from `start` to `stop`.

    `measure` returns the state of the database. Gateways of one database show the same numbers.
    """

    def __init__(self, service: str, measure: Callable[[], Awaitable[State]]) -> None:
        self._service, self._measure = service, measure
        self._state: State | None = None
        self._kept: float | None = None
        self._measuring = Periodic(f"{service}-store-metrics", self.look, _SECONDS)

    def start(self) -> None:
        """Start; the first measurement is immediate."""
        self._measuring.start()

    async def stop(self) -> None:
        """Stop measuring."""
        await self._measuring.stop()

    def retained(self) -> None:
        """Note that retention has removed everything that was due."""
        self._kept = time.time()

    async def look(self) -> None:
        """Measure now. After a failure nothing is reported, because old numbers would look current."""
        try:
            self._state = await self._measure()
        except ServiceError:  # readiness reports it
            self._state = None
        except BaseException:
            self._state = None
            raise

    def collect(self) -> Iterator[Metric]:
        """Yields what is known."""
        state = self._state
        if state is not None:
            yield self._gauge("artificer_store_bytes", "Size of a service's database in bytes.", state.size)
        if state is not None and state.backup is not None:
            text_ = "When the last backup of a service's database finished, in seconds since 1970."
            yield self._gauge("artificer_store_backup_timestamp_seconds", text_, state.backup)
        if self._kept is not None:
            text_ = "When retention last removed everything that was due, in seconds since 1970."
            yield self._gauge("artificer_retention_timestamp_seconds", text_, self._kept)

    def _gauge(self, name: str, documentation: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, documentation, labels=["service"])
        family.add_metric([self._service], value)
        return family
