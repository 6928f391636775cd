"""Engines for the two databases. Nothing is opened before it is used.

Knows no table. A transaction that will write says so with `execution_options(write=True)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

_BUSY_MS = 10_000  # how long a writer waits for another process's transaction
_CONNECT_SECONDS = 10


def postgresql(url: str, connections: int, *, ping: bool = True, options: dict[str, str] | None = None) -> Engine:
    """Return an engine of at most `connections`. `options` are server settings for these connections alone.

    With `ping` a restarted server fails no call, for 0.1 ms a call. Raises ValueError for a malformed URL.
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
    """Return an engine over a file in WAL mode, whose folder may not exist yet.

    FULL: acknowledged means on disk. NORMAL: a power cut may undo the last moments; a crashed process never does.
    `page_size` is in bytes and takes effect when the file is created.
    """
    engine = create_engine(
        f"sqlite:///{file}", pool_size=connections, max_overflow=1, connect_args={"timeout": _BUSY_MS / 1000}
    )

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin below; the driver would guess them
        # The very first connection changes the journal mode; others that come at the same time wait for it.
        pragmas = (f"page_size={page_size}", "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON")
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # IMMEDIATE: SQLite refuses, without waiting, a reader that becomes a writer. Single reads need no transaction.
        if connection.get_execution_options().get("write"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
