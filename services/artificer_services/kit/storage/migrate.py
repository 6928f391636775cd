"""Migrates a database's tables at start-up with Alembic.

Knows no table: each service has its own folder of migrations and its own version table.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, column, inspect, select, table, text

from ..settings import InvalidSetting

if TYPE_CHECKING:
    from alembic.config import Config

_log = logging.getLogger(__name__)

_ENVIRONMENT = Path(__file__).with_name("environment")

# Migrating large tables takes time. So does importing Alembic within the transaction: with a tenth of a CPU it takes
# longer than services otherwise allow an idle transaction or a wait for a lock.
_TIMEOUT_SECONDS = 120

# Alembic's context is global, and services migrate in threads when a database that they share comes back.
_ALEMBIC = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """A service's migrations: the files in `folder`/versions, up to revision `head`.

    `table` is the version table. `lock` is the service's advisory lock: of several processes that start at once, its
    holder migrates, and the others wait and then find nothing left to do.
    """

    folder: Path
    table: str
    head: str
    lock: int


def prepare(engine: Engine, migrations: Migrations, *, folder: Path | None = None) -> None:
    """Create `folder`, for SQLite's file, and migrate the tables; safe for concurrent processes.

    Raises `InvalidSetting` if the folder cannot be created or written.
    """
    if folder is not None:
        _make(folder)
    if _is_current(engine, migrations):  # avoids importing Alembic, the slowest step
        return
    with engine.connect().execution_options(write=True) as connection:
        if connection.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": migrations.lock})
                connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{_TIMEOUT_SECONDS}s'"))
                migrate(connection, migrations)
        else:
            with _long_busy_timeout(connection), connection.begin():
                migrate(connection, migrations)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        text = f"cannot create the folder '{folder}': {error.strerror or error}"
        raise InvalidSetting("data_dir", text) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidSetting("data_dir", f"cannot write to the folder '{folder}'")


@contextmanager
def _long_busy_timeout(connection: Connection) -> Iterator[None]:
    """Let an SQLite connection wait for another process's migration."""
    driver: Any = connection.connection.driver_connection
    ((usual,),) = driver.execute("PRAGMA busy_timeout")
    driver.execute(f"PRAGMA busy_timeout = {_TIMEOUT_SECONDS * 1000}").close()
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {usual}").close()


def _is_current(engine: Engine, migrations: Migrations) -> bool:
    with engine.connect() as connection:
        return _revisions(connection, migrations) == [migrations.head]


def _revisions(connection: Connection, migrations: Migrations) -> list[str]:
    if not inspect(connection).has_table(migrations.table):
        return []
    versions = table(migrations.table, column("version_num"))
    return list(connection.scalars(select(versions.c.version_num)))


def alembic_config(connection: Connection, migrations: Migrations) -> Config:
    """Returns the configuration with which Alembic runs within the connection's transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _escaped(_ENVIRONMENT))
    config.set_main_option("version_locations", _escaped(migrations.folder / "versions"))
    config.set_main_option("path_separator", "newline")  # paths may contain colons and spaces
    config.attributes |= {"connection": connection, "version_table": migrations.table}
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")  # configparser interpolates %


def migrate(connection: Connection, migrations: Migrations) -> None:
    """Upgrade within the connection's transaction, which on SQLite is also the lock.

    Leaves tables of a newer program version unchanged: every migration keeps the previous version working, so that a
    rolled-back program starts.
    """
    # Alembic logs its plugins on import and its context on every run.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with _ALEMBIC:
        _upgrade(connection, migrations)


def _upgrade(connection: Connection, migrations: Migrations) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection, migrations)
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if newer := set(_revisions(connection, migrations)) - known:
        _log.warning("%s is at revision %s, which is newer than this program", migrations.table, ", ".join(newer))
        return
    command.upgrade(config, "head")
