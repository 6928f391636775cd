"""Transactions, as the store's parts use them: one that reads, one that writes, and what a lost database is.

Knows no table.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..jobs.errors import Unavailable
from .language import CLOCK, Statement, packed
from .write_lock import Turn

_log = logging.getLogger(__name__)

_TURN_SECONDS = 10.0  # how long a writer waits for the others before it gives up


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
        self.dialect = engine.dialect
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._turn = Turn(f"{engine.url.database}.lock") if self._sqlite else None
        # To fetch a connection from the engine and to return it costs a tenth of an item's time. PostgreSQL's are
        # returned all the same: the engine looks whether they are still alive.
        self._idle: list[Any] = []
        if self._sqlite:
            event.listen(engine, "connect", _prepare_sqlite)

    def read(self) -> AbstractContextManager[Tx]:
        """For reading; each statement sees what is committed when it begins. Raises `Unavailable`."""
        return _Session(self, writes=False)

    def write(self) -> AbstractContextManager[Tx]:
        """A transaction, committed where the block ends well, else undone. Raises `Unavailable`."""
        return _Session(self, writes=True)

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()
        self._engine.dispose()
        if self._turn is not None:
            self._turn.close()

    def begin(self, *, writes: bool) -> tuple[Any, Tx]:
        """A connection, and what runs statements on it."""
        if writes and self._turn is not None:
            self._wait(self._turn)
        connection = None
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._engine.raw_connection()
            cursor = connection.cursor()
            if not self._sqlite:
                driver: Any = connection.driver_connection
                driver.autocommit = not writes
            elif writes:
                cursor.execute("BEGIN IMMEDIATE")  # a reader that turns writer could not wait its turn
        except BaseException as error:
            self.undo(connection, error, writes=writes)
            raise
        return connection, Tx(cursor, self.dialect)

    def end(self, connection: Any, *, writes: bool) -> None:
        """Commit, and keep the connection for others."""
        try:
            if writes:
                connection.commit()
        except BaseException as error:
            self.undo(connection, error, writes=writes)
            raise
        self._leave(connection, writes=writes)

    def undo(self, connection: Any, error: BaseException, *, writes: bool) -> None:
        """Roll back after an error. Raises `Unavailable` where the error is the database's absence."""
        lost = self._is_outage(error)
        if connection is not None:
            try:
                connection.rollback()
            except self.dialect.loaded_dbapi.Error:
                lost = True
            if lost:
                connection.invalidate(error)
        self._leave(None if lost else connection, writes=writes)
        if lost:
            _log.warning("the job store: %s", error)
            raise Unavailable("the job store cannot be reached") from error

    def _leave(self, connection: Any, *, writes: bool) -> None:
        if connection is not None:
            if self._sqlite:
                self._idle.append(connection)
            else:
                connection.close()
        if writes and self._turn is not None:
            self._turn.leave()

    def _wait(self, turn: Turn) -> None:
        try:
            taken = turn.take(_TURN_SECONDS)
        except OSError as error:
            raise Unavailable("the job store cannot be reached") from error
        if not taken:
            raise Unavailable("the job store is busy")

    def _is_outage(self, error: BaseException) -> bool:
        if isinstance(error, (DBAPIError, PoolTimeout)):  # the engine's own, when it connects
            return True
        driver = self.dialect.loaded_dbapi
        if not isinstance(error, (driver.OperationalError, driver.InterfaceError)):
            return False
        # SQLite says the same of a statement that is wrong, which no time mends.
        return getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


class _Session:
    """A block with a connection. A class, not a generator: it is entered once an item."""

    __slots__ = ("_connection", "_database", "_writes")

    def __init__(self, database: Database, *, writes: bool) -> None:
        self._database, self._writes = database, writes

    def __enter__(self) -> Tx:
        self._connection, tx = self._database.begin(writes=self._writes)
        return tx

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._database.end(self._connection, writes=self._writes)
        else:
            self._database.undo(self._connection, error, writes=self._writes)


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.create_function(CLOCK, 0, lambda: time.time_ns() // 1000)
    # 16 MB, four times the default: what is written again and again, as slots are, reaches the file more rarely.
    connection.execute("PRAGMA wal_autocheckpoint=8000").close()
