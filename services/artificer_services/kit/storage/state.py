"""Metrics of a service's database: its size, its last backup, and the last run of retention.

Measured in the background, since a scrape must wait for no database. Knows no service and no table of one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from diptych.outages import one_line

from ..errors import ServiceError
from ..periodic import Periodic

BACKUPS = "artificer_backups"
"""The table in which a backup records that it has finished; the backup creates it."""

_SECONDS = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """Size in bytes, and when the last backup finished, in seconds since 1970; None if unknown or not recorded.

    `kind` is `sqlite` or `postgresql`.
    """

    size: int | None
    backup: float | None
    kind: str = "sqlite"


def state_of(connection: Connection) -> State:
    """Returns the state of the connection's database. What cannot be measured is logged, and does not hide the rest."""
    size, backup = _measured(connection, "the size", _size), _measured(connection, "the last backup", _backup)
    return State(None if size is None else round(size), backup, connection.dialect.name)


def _measured(connection: Connection, what: str, measure: Callable[[Connection], float | None]) -> float | None:
    try:
        return measure(connection)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        connection.rollback()  # PostgreSQL refuses further statements until then
        _log.warning("%s of the database cannot be measured: %s", what, one_line(error))
        return None


def _size(connection: Connection) -> float:
    query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
    return float(connection.execute(text(query)).scalar_one())


def _backup(connection: Connection) -> float | None:
    if not inspect(connection).has_table(BACKUPS):
        return None
    postgresql = connection.dialect.name == "postgresql"
    latest = "extract(epoch FROM max(finished))" if postgresql else "max(unixepoch(finished))"
    finished = connection.execute(text(f"SELECT {latest} FROM {BACKUPS}")).scalar()  # noqa: S608, own names
    return None if finished is None else float(finished)


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

    def retaining(self) -> None:
        """Note that retention is on, so that one that never finishes is seen too: its age counts from now."""
        self._kept = time.time()

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
        if state is not None and state.size is not None:
            text_ = "Size of a service's database in bytes."
            yield self._gauge("artificer_store_bytes", text_, state.size, kind=state.kind)
        if state is not None and state.backup is not None:
            text_ = "When the last backup of a service's database finished, in seconds since 1970."
            yield self._gauge("artificer_store_backup_timestamp_seconds", text_, state.backup)
        if self._kept is not None:
            text_ = "When retention last removed everything that was due, or the start, in seconds since 1970."
            yield self._gauge("artificer_retention_timestamp_seconds", text_, self._kept)

    def _gauge(self, name: str, documentation: str, value: float, **labels: str) -> Metric:
        family = GaugeMetricFamily(name, documentation, labels=["service", *labels])
        family.add_metric([self._service, *labels.values()], value)
        return family
