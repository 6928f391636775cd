"""Opens the database that the settings name, SQLite or PostgreSQL, and brings its tables up to date.

Knows no statement of the store; `kit.storage` has what databases of all services share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from ...kit import storage
from ..jobs.errors import Unavailable
from ..settings import BatchSettings
from .sql_store import SqlStore

FILE = "batch.sqlite3"
MIGRATIONS = storage.Migrations(
    folder=Path(__file__).with_name("migrations"), table="batch_alembic_version", head="0002", lock=4_277_320_662
)

_SQLITE_CONNECTIONS = 8  # readers run in parallel with the single writer
_SQLITE_PAGE = 2048  # an item's transaction changes a few bytes in each of eight pages: 2 KiB measured an eighth faster
_WORKER_CONNECTIONS = 2  # one for work, one for the heartbeat

# A worker suspended in the middle of a transaction keeps its locks: its job could not be paused, nor its lease ended.
# So the server ends such transactions, and a wait for a lock fails after a while.
_SERVER = {"idle_in_transaction_session_timeout": "5s", "lock_timeout": "10s"}


def connect(settings: BatchSettings, *, durable: bool) -> Engine:
    """Returns the engine for the settings; opens nothing. Raises ValueError for an invalid URL."""
    if settings.database_url:
        connections = settings.database_connections if durable else _WORKER_CONNECTIONS
        # Workers retry by themselves, and a ping would cost them time with every item.
        return storage.postgresql(settings.database_url, connections, ping=durable, options=_SERVER)
    # An outcome lost in a power cut is run again; what clients were told must not be lost.
    file = Path(settings.data_dir, FILE)
    synchronous: Literal["FULL", "NORMAL"] = "FULL" if durable else "NORMAL"
    return storage.sqlite(file, _SQLITE_CONNECTIONS, synchronous=synchronous, page_size=_SQLITE_PAGE)


def open_store(settings: BatchSettings, *, durable: bool) -> SqlStore:
    """Returns a store whose tables are up to date. `durable`: commits survive a power cut, not only a crash.

    Raises ValueError for an invalid URL, `Unavailable` if the database is unreachable.
    """
    engine = connect(settings, durable=durable)
    store = SqlStore(engine, settings.policy)
    try:
        storage.prepare(engine, MIGRATIONS, folder=None if settings.database_url else Path(settings.data_dir))
    except BaseException as error:
        store.close()
        if isinstance(error, OperationalError):
            raise Unavailable("the job store cannot be reached") from error
        raise
    return store


__all__ = ["FILE", "MIGRATIONS", "connect", "open_store"]
