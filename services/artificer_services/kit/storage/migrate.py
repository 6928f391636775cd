"""Bringing a database's tables up to date at start-up, by Alembic.

Knows no table: each service has a folder of its own migrations, and a version table of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, column, inspect, select, table, text

_log = logging.getLogger(__name__)

# Large tables take their time, and so does Alembic, imported within the transaction, with a tenth of a CPU: longer than
# a service lets others hold its locks for nothing, or waits for theirs.
_PATIENCE_SECONDS = 120


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
    with engine.connect().execution_options(write=True) as connection:
        if connection.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": migrations.lock})
                connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{_PATIENCE_SECONDS}s'"))
                migrate(connection, migrations)
        else:
            with _patient(connection), connection.begin():
                migrate(connection, migrations)


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """Let an SQLite connection wait for whoever migrates just now."""
    driver: Any = connection.connection.driver_connection
    ((usual,),) = driver.execute("PRAGMA busy_timeout")
    driver.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000}").close()
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {usual}").close()


def _is_current(engine: Engine, migrations: Migrations) -> bool:
    with engine.connect() as connection:
        return _stands(connection, migrations) == [migrations.head]


def _stands(connection: Connection, migrations: Migrations) -> list[str]:
    if not inspect(connection).has_table(migrations.table):
        return []
    versions = table(migrations.table, column("version_num"))
    return list(connection.scalars(select(versions.c.version_num)))


def migrate(connection: Connection, migrations: Migrations, to: str = "head") -> None:
    """Upgrade within the connection's transaction; SQLite's own lock is the transaction itself.

    Tables that a later version of the program has made are left as they are: they are made so that this one works too,
    and who rolls back would otherwise have nothing that starts.
    """
    # Alembic tells of its plugins when it is imported, and of itself whenever it runs.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations.folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if newer := set(_stands(connection, migrations)) - known:
        _log.warning("%s is at %s, which is newer than this program", migrations.table, ", ".join(newer))
        return
    command.upgrade(config, to)
