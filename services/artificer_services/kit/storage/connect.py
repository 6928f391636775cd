"""Makes SQLAlchemy engines for SQLite and PostgreSQL. Opens no connection before the first use.

Knows no table. A transaction that writes must set `execution_options(write=True)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

_BUSY_MS = 10_000  # how long a writer waits for another process's transaction
_CONNECT_SECONDS = 10


def postgresql(url: str, connections: int, *, ping: bool = True, options: dict[str, str] | None = None) -> Engine:
    """Returns an engine with at most `connections`. `options` are server settings of these connections only.

    With `ping`, a restart of the server fails no call, at a cost of 0.1 ms per call. Raises ValueError for a malformed
    URL.
    """
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except Exception as error:  # its text repeats the URL, password included
        raise ValueError("database_url must be a URL such as postgresql://user:password@host/name") from error
    arguments: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS}
    if options:
        arguments["options"] = " ".join(f"-c {name}={value}" for name, value in options.items())
    return create_engine(
        parsed,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_CONNECT_SECONDS,
        pool_pre_ping=ping,
        connect_args=arguments,
    )


def sqlite(
    file: Path, connections: int, *, synchronous: Literal["FULL", "NORMAL"] = "FULL", page_size: int = 4096
) -> Engine:
    """Returns an engine for a file in WAL mode, whose folder need not exist yet.

    With FULL, a committed transaction is on disk. With NORMAL, a power failure may undo the latest transactions, but a
    crashed process cannot. `page_size` is in bytes and takes effect when the file is created.
    """
    engine = create_engine(
        f"sqlite:///{file}", pool_size=connections, max_overflow=1, connect_args={"timeout": _BUSY_MS / 1000}
    )

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None  # stops the driver from opening transactions by itself; they begin below
        # The very first connection changes the journal mode; concurrent ones wait for it.
        pragmas = (f"page_size={page_size}", "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON")
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # IMMEDIATE, since SQLite refuses, without waiting, a reader that becomes a writer. A single read needs none.
        if connection.get_execution_options().get("write"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
