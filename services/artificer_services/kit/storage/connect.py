"""Engines for the two databases. Nothing is opened before it is asked for.

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
    """An engine of at most `connections`. `options` are settings of the server, for these connections alone.

    With `ping` a restarted server costs no call, but 0.1 ms each. Raises ValueError for a URL that is none.
    """
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except Exception as error:
        raise ValueError("database_url is no URL of a database") from error
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
    """An engine over a file in WAL mode, whose folder need not be there yet.

    FULL: acknowledged means on disk. NORMAL: a power cut may undo the last moments; a crashed process never does.
    `page_size` is in bytes, and of the file from its making on.
    """
    engine = create_engine(
        f"sqlite:///{file}", pool_size=connections, max_overflow=1, connect_args={"timeout": _BUSY_MS / 1000}
    )

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        # The mode is changed by the first connection of all; those that come at once wait for it.
        pragmas = (f"page_size={page_size}", "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON")
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # IMMEDIATE, since a reader that turns writer cannot wait its turn. Single reads need no transaction.
        if connection.get_execution_options().get("write"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
