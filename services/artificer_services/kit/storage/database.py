"""A service's database: an engine for SQLite or PostgreSQL, its threads, and the error for an unreachable one.

Runs synchronous drivers in threads, which was measured several times as fast as SQLite through an asynchronous driver
and needs one implementation for both databases. Knows no table and no statement.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from diptych.outages import OutageLog
from diptych.upstream import Upstream, UpstreamRefused

from ..errors import Unavailable
from ..opening import Opening
from .connect import postgresql, sqlite
from .migrate import Migrations, prepare

_log = logging.getLogger(__name__)

T = TypeVar("T")

_SQLITE_THREADS = 4  # in WAL mode readers run in parallel with the single writer


class Database:
    """A database with a name for messages, such as "the message store". Opens nothing before the first use.

    `url` is a postgresql:// URL; if it is empty, SQLite stores the data in `file`. `connections` is the number of
    connections to PostgreSQL, each with its own thread.
    """

    def __init__(self, name: str, migrations: Migrations, *, file: Path, url: str = "", connections: int = 8) -> None:
        """Raises ValueError for a malformed URL."""
        self.name = name
        self.upstream: Upstream | None = None
        """The circuit breaker in front of the database, if any; it is also a metrics collector."""
        self._migrations = migrations
        self._outages = OutageLog(_log, name)
        self._opening = Opening(name, self._prepare_in_thread)
        self._folder = None if url else file.parent
        # FULL, so that acknowledged data is on disk.
        self.engine = postgresql(url, connections) if url else sqlite(file, _SQLITE_THREADS, synchronous="FULL")
        self._threads = ThreadPoolExecutor(connections if url else _SQLITE_THREADS, thread_name_prefix=name)

    def protect(self, *, failures: int, rest_seconds: float, most: int, label: str = "") -> None:
        """Put a circuit breaker in front of a database server; SQLite needs none.

        `label` names the database in metrics, such as "chat"; the default is its name for messages.
        While the server is unreachable, calls fail at once instead of occupying the threads. Other errors do not count.
        """
        if self._folder is None:
            self.upstream = Upstream(
                self.name,
                failures=failures,
                rest_seconds=rest_seconds,
                most=most,
                failed=lambda error: isinstance(error, Unavailable),
                label=label,
            )

    def prepare(self) -> None:
        """Create the file's folder and migrate the tables. Blocks; safe for concurrent processes."""
        prepare(self.engine, self._migrations, folder=self._folder)

    async def open(self) -> None:
        """Prepare the database, or if its server is down, keep trying in the background until it answers.

        Until then every call raises Unavailable. Raises other errors, and for SQLite every error.
        """
        await self._opening.start()

    async def _prepare_in_thread(self) -> None:
        try:
            await asyncio.to_thread(self.prepare)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            if self._folder is not None:  # a file that cannot be opened is an error of the settings
                raise
            raise Unavailable(f"{self.name} cannot be reached") from error

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread, without a transaction. Raises Unavailable."""
        return await self._guarded(lambda: self._read(work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread as one durable transaction. Raises Unavailable."""
        return await self._guarded(lambda: self._write(work))

    async def ping(self) -> None:
        """Check that the database answers. Raises Unavailable. For an open breaker this call is the probe."""
        await self.read(lambda connection: connection.execute(select(1)).all())

    async def close(self) -> None:
        """Wait for running work, then close every connection."""
        await self._opening.stop()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self.engine.dispose)

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self.engine.connect() as connection:
            return work(connection)

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self.engine.connect().execution_options(write=True) as connection, connection.begin():
            return work(connection)

    async def _guarded(self, work: Callable[[], T]) -> T:
        if not self._opening.open:
            self._opening.check()
        if self.upstream is None:
            return await self._run(work)
        try:
            return await self.upstream.call(lambda: self._run(work))
        except UpstreamRefused as refused:
            raise Unavailable(refused.status.message, refused.retry_seconds) from None

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            done = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except DBAPIError as error:
            if not (isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated):
                raise
            raise self._unavailable(error) from error
        except PoolTimeout as error:
            raise self._unavailable(error) from error
        if self._outages.lasting:
            self._outages.recovered()
        return done

    def _unavailable(self, error: Exception) -> Unavailable:
        self._outages.failed(error)
        return Unavailable(f"{self.name} cannot be reached")
