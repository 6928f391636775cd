"""Connections to SQLite or PostgreSQL, and bringing a database's tables up to date at start-up.

Knows no statement of the store's.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from .settings import ChatSettings

MIGRATIONS = Path(__file__).with_name("migrations")
FILE = "chat.sqlite3"

_SQLITE_THREADS = 4  # readers go beside the one writer
_BUSY_MS = 10_000  # how long a writer waits for another process's transaction
_CONNECT_SECONDS = 10
# Any number, the same in every process: who holds it migrates, the others wait and find nothing left to do.
_MIGRATION_LOCK = 4_277_320_661


def connect(settings: ChatSettings) -> tuple[Engine, int]:
    """The engine for what the settings name, and how many threads may use it at once. Nothing is opened yet.

    Raises ValueError for a URL that is none.
    """
    if settings.database_url:
        return _postgresql(settings.database_url, settings.database_connections), settings.database_connections
    return _sqlite(Path(settings.data_dir)), _SQLITE_THREADS


def _postgresql(url: str, connections: int) -> Engine:
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except Exception as error:
        raise ValueError("database_url is no URL of a database") from error
    return create_engine(
        parsed,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_CONNECT_SECONDS,
        pool_pre_ping=True,  # a restarted server costs no call; 0.1 ms on a local one
        connect_args={"connect_timeout": _CONNECT_SECONDS},
    )


def _sqlite(folder: Path) -> Engine:
    engine = create_engine(f"sqlite:///{folder / FILE}", pool_size=_SQLITE_THREADS, max_overflow=1)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        for pragma in (
            f"busy_timeout={_BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",  # acknowledged means on disk; sends share transactions, so that it costs little
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        # IMMEDIATE, since a reader that turns writer cannot wait its turn. Single reads need no transaction.
        if connection.get_execution_options().get("write"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def prepare(engine: Engine, settings: ChatSettings) -> None:
    """Make the folder and bring the tables up to date; several processes may do so at once."""
    if not settings.database_url:
        Path(settings.data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        migrate(connection)


def migrate(connection: Connection, to: str = "head") -> None:
    """Upgrade within the connection's transaction; SQLite's own lock is the transaction itself."""
    # Alembic tells of its plugins when it is imported, and of itself whenever it runs.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
