"""Bringing a database's tables up to date at start-up, by Alembic.

Knows no table: each service has a folder of its own migrations, and a version table of its own.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, column, inspect, select, table, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """A service's history of tables. `lock` is any number, the same in every process and another in every service:
    who holds it migrates, the others wait and find nothing left to do. `table` says where a database stands, `head` is
    where it has to be."""

    folder: Path
    table: str
    head: str
    lock: int


def prepare(engine: Engine, migrations: Migrations, *, folder: Path | None = None) -> None:
    """Make `folder`, where SQLite's file will be, and bring the tables up to date; many processes may at once."""
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _is_current(engine, migrations):  # then Alembic, which takes its time, need not even be imported
        return
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": migrations.lock})
        migrate(connection, migrations)


def _is_current(engine: Engine, migrations: Migrations) -> bool:
    with engine.connect() as connection:
        if not inspect(connection).has_table(migrations.table):
            return False
        versions = table(migrations.table, column("version_num"))
        return connection.scalars(select(versions.c.version_num)).all() == [migrations.head]


def migrate(connection: Connection, migrations: Migrations, to: str = "head") -> None:
    """Upgrade within the connection's transaction; SQLite's own lock is the transaction itself."""
    # Alembic tells of its plugins when it is imported, and of itself whenever it runs.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations.folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
