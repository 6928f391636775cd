"""Where jobs are kept: a store over SQLite or PostgreSQL, as the settings say, with its tables up to date.

Knows no statement of the store's; `storage` knows how databases are spoken to.
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

_SQLITE_CONNECTIONS = 8  # readers go beside the one writer
_SQLITE_PAGE = 2048  # an item's transaction writes a few bytes to each of eight pages: small ones are an eighth faster
_WORKER_CONNECTIONS = 2  # one that works, one that beats

# A worker that was stopped in the middle of a transaction holds what it has locked: its job could not be paused, nor
# its lease be ended. So the server ends such transactions, and whoever waits for a lock is told after a while.
_SERVER = {"idle_in_transaction_session_timeout": "5s", "lock_timeout": "10s"}


def connect(settings: BatchSettings, *, durable: bool) -> Engine:
    """The engine for what the settings name; nothing is opened yet. Raises ValueError for a URL that is none."""
    if settings.database_url:
        connections = settings.database_connections if durable else _WORKER_CONNECTIONS
        # A worker asks again by itself, and would pay for a ping with every item.
        return storage.postgresql(settings.database_url, connections, ping=durable, options=_SERVER)
    # What a worker stores and a power cut undoes is only run again; what people were answered is not.
    file = Path(settings.data_dir, FILE)
    synchronous: Literal["FULL", "NORMAL"] = "FULL" if durable else "NORMAL"
    return storage.sqlite(file, _SQLITE_CONNECTIONS, synchronous=synchronous, page_size=_SQLITE_PAGE)


def open_store(settings: BatchSettings, *, durable: bool) -> SqlStore:
    """A store whose tables are up to date. `durable`: what is stored outlives a power cut, not only a crash.

    Raises ValueError for a URL that is none, `Unavailable` where the database cannot be reached.
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
