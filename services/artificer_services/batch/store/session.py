"""Transactions for the parts of the store: read, write, and the detection of outages.

Knows no table.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from diptych.outages import OutageLog

from ..jobs.errors import Unavailable
from .clock import Clock
from .language import CLOCK, Statement, packed
from .write_lock import WriteLock

_log = logging.getLogger(__name__)

_LOCK_SECONDS = 10.0  # how long a writer waits for other writers


class Tx:
    """A transaction, or a read without one. Rows are tuples."""

    __slots__ = ("_cursor", "_dialect", "name")

    def __init__(self, cursor: Any, dialect: Any) -> None:
        self._cursor, self._dialect, self.name = cursor, dialect, dialect.name

    def run(self, statement: Statement, params: Mapping[str, Any]) -> list[Any]:
        """Run a statement and return its rows."""
        cursor = self._cursor
        cursor.execute(statement.of(self._dialect), params)
        return cursor.fetchall() if cursor.description else []

    def one(self, statement: Statement, params: Mapping[str, Any]) -> Any:
        """Run a statement and return its first row, or None."""
        rows = self.run(statement, params)
        return rows[0] if rows else None

    def many(self, statement: Statement, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement that returns no rows once per row of parameters."""
        self._cursor.executemany(statement.of(self._dialect), rows)

    def load(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert any number of rows, in the order of `columns`, without collecting them."""
        names = ", ".join(columns)
        if self.name == "postgresql":
            with self._cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * len(columns))
            self._cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - own names

    def lock(self, space: int, key: int, *, shared: bool = False) -> None:
        """Hold an advisory lock until the transaction ends; SQLite has one writer at a time and needs none.

        Advisory, because PostgreSQL queues exclusive requests for it fairly, which it does not for shared row locks.
        """
        if self.name == "postgresql":
            name = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            self._cursor.execute(f"SELECT {name}(%s::int, %s::int)", (space, key % 2**31))

    def packed(self, values: Iterable[Any]) -> Any:
        """Returns values as the single parameter of an `InValues`."""
        return packed(values, self.name)


class Database:
    """The transactions over an engine. Opens no connection before the first one. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.dialect = engine.dialect
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._outages = OutageLog(_log, "the job store")
        self._write_lock = WriteLock(f"{engine.url.database}.lock") if self._sqlite else None
        # Fetching a connection from the engine's pool and returning it costs a tenth of an item's time, so SQLite's are
        # kept here. PostgreSQL's go back to the pool, which checks that they are alive.
        self._idle: list[Any] = []
        self._clock = Clock(f"{engine.url.database}.clock") if self._sqlite else None
        if self._sqlite:
            event.listen(engine, "connect", self._prepare_sqlite)

    def read(self) -> AbstractContextManager[Tx]:
        """A read; each statement sees what is committed when it starts. Raises `Unavailable`."""
        return _Session(self, writes=False)

    def write(self) -> AbstractContextManager[Tx]:
        """A transaction, committed if the block succeeds, else rolled back. Raises `Unavailable`."""
        return _Session(self, writes=True)

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()
        self._engine.dispose()
        if self._write_lock is not None:
            self._write_lock.close()
        if self._clock is not None:
            self._clock.close()

    def _prepare_sqlite(self, connection: Any, _: object) -> None:
        if self._clock is not None:
            connection.create_function(CLOCK, 0, self._clock.now)
        # Eight times the default of 1,000 pages: those written repeatedly, such as of slots, reach the file less often.
        connection.execute("PRAGMA wal_autocheckpoint=8000").close()

    def begin(self, *, writes: bool) -> tuple[Any, Tx]:
        """Returns a connection, and a `Tx` that runs statements on it."""
        if writes and self._write_lock is not None:
            self._wait(self._write_lock)
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
                cursor.execute("BEGIN IMMEDIATE")  # a read transaction that starts to write cannot wait for the lock
        except BaseException as error:
            self.undo(connection, error, writes=writes)
            raise
        return connection, Tx(cursor, self.dialect)

    def end(self, connection: Any, *, writes: bool) -> None:
        """Commit, and return the connection."""
        try:
            if writes:
                connection.commit()
        except BaseException as error:
            self.undo(connection, error, writes=writes)
            raise
        self._leave(connection, writes=writes)
        if self._outages.lasting:
            self._outages.recovered()

    def undo(self, connection: Any, error: BaseException, *, writes: bool) -> None:
        """Roll back after an error. Raises `Unavailable` if the error is an outage of the database."""
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
            self._outages.failed(error)
            raise Unavailable("the job store cannot be reached") from error

    def _leave(self, connection: Any, *, writes: bool) -> None:
        if connection is not None:
            if self._sqlite:
                self._idle.append(connection)
            else:
                connection.close()
        if writes and self._write_lock is not None:
            self._write_lock.release()

    def _wait(self, lock: WriteLock) -> None:
        try:
            locked = lock.acquire(_LOCK_SECONDS)
        except OSError as error:
            raise Unavailable("the job store cannot be reached") from error
        if not locked:
            raise Unavailable("the job store is busy; try again")

    def _is_outage(self, error: BaseException) -> bool:
        if isinstance(error, (DBAPIError, PoolTimeout)):  # the engine's own, when it connects
            return True
        driver = self.dialect.loaded_dbapi
        if not isinstance(error, (driver.OperationalError, driver.InterfaceError)):
            return False
        # SQLite raises the same class for a wrong statement, which no retry mends.
        return getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


class _Session:
    """A block with a connection. A class, not a generator, because it is entered for every item."""

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
