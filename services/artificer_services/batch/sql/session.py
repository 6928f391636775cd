"""Transactions, as the store's parts use them: one that reads, one that writes, and what a lost database is.

Knows no table.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import Unavailable
from .language import CLOCK, Statement, packed

_log = logging.getLogger(__name__)

_TURN_SECONDS = 10.0  # how long a thread waits for the others of its process before it gives up


class Tx:
    """A transaction, or one read. Rows are tuples."""

    __slots__ = ("_cursor", "_dialect", "name")

    def __init__(self, cursor: Any, dialect: Any) -> None:
        self._cursor, self._dialect, self.name = cursor, dialect, dialect.name

    def run(self, statement: Statement, params: Mapping[str, Any]) -> list[Any]:
        """Run a statement; the rows that it gives."""
        cursor = self._cursor
        cursor.execute(statement.of(self._dialect), params)
        return cursor.fetchall() if cursor.description else []

    def one(self, statement: Statement, params: Mapping[str, Any]) -> Any:
        """The first row of what a statement gives, or None."""
        rows = self.run(statement, params)
        return rows[0] if rows else None

    def many(self, statement: Statement, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement that gives nothing, with each of several rows of parameters."""
        self._cursor.executemany(statement.of(self._dialect), rows)

    def load(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert a great many rows, in the order of `columns`, without holding them."""
        names = ", ".join(columns)
        if self.name == "postgresql":
            with self._cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * len(columns))
            self._cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - own names

    def lock(self, space: int, key: int, *, shared: bool = False) -> None:
        """Hold a lock that is no row's until the transaction ends; SQLite has one writer at a time and needs none.

        PostgreSQL lets those that want it alone have their turn, which it does not with shared locks of rows.
        """
        if self.name == "postgresql":
            name = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            self._cursor.execute(f"SELECT {name}(%s::int, %s::int)", (space, key % 2**31))

    def packed(self, values: Iterable[Any]) -> Any:
        """Values as the one parameter of a `Member`."""
        return packed(values, self.name)


class Database:
    """An engine that has no connection yet, and the transactions over it. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._dialect = engine, engine.dialect
        self._sqlite = engine.dialect.name == "sqlite"
        # Threads of one process hand the turn to each other; what SQLite does where it is busy is to sleep.
        self._turn = threading.Lock()
        if self._sqlite:
            event.listen(engine, "connect", _give_clock)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """For reading; each statement sees what is committed when it begins. Raises `Unavailable`."""
        with self._connection() as connection:
            if self._sqlite:
                yield Tx(connection.cursor(), self._dialect)
                return
            connection.driver_connection.autocommit = True
            yield Tx(connection.cursor(), self._dialect)
            connection.driver_connection.autocommit = False

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction, committed where the block ends well, else undone. Raises `Unavailable`."""
        with self._my_turn(), self._connection() as connection:
            cursor = connection.cursor()
            if self._sqlite:
                cursor.execute("BEGIN IMMEDIATE")  # a reader that turns writer could not wait its turn
            yield Tx(cursor, self._dialect)
            connection.commit()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if not self._sqlite:
            yield
            return
        if not self._turn.acquire(timeout=_TURN_SECONDS):
            raise Unavailable("the job store is busy")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        try:
            connection = self._engine.raw_connection()
        except (DBAPIError, PoolTimeout, self._dialect.loaded_dbapi.Error) as error:  # the driver's own comes unwrapped
            raise _unavailable(error) from error
        try:
            yield connection
        except BaseException as error:
            lost = self._undo(connection)
            if lost or self._is_outage(error):
                raise _unavailable(error) from error
            raise
        finally:
            connection.close()

    def _is_outage(self, error: BaseException) -> bool:
        driver = self._dialect.loaded_dbapi
        if not isinstance(error, (driver.OperationalError, driver.InterfaceError)):
            return False
        # SQLite says the same of a statement that is wrong, which no time mends.
        return getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR

    def _undo(self, connection: Any) -> bool:
        """Roll back; true where the connection is gone."""
        driver = self._dialect.loaded_dbapi
        try:
            connection.rollback()
            if not self._sqlite:
                connection.driver_connection.autocommit = False
                return False
        except driver.Error as error:
            connection.invalidate(error)
            return True
        return False


def _unavailable(error: BaseException) -> Unavailable:
    _log.warning("the job store: %s", error)
    return Unavailable("the job store cannot be reached")


def _give_clock(connection: Any, _: object) -> None:
    connection.create_function(CLOCK, 0, lambda: time.time_ns() // 1000)
