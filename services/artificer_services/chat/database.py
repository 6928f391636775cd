"""Where messages are kept: connections to SQLite or PostgreSQL, and the tables' history.

Knows no statement of the store's; `storage` knows how databases are spoken to.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from ..kit import storage
from .settings import ChatSettings

FILE = "chat.sqlite3"
MIGRATIONS = storage.Migrations(
    folder=Path(__file__).with_name("migrations"), table="chat_alembic_version", head="0001", lock=4_277_320_661
)

_SQLITE_THREADS = 4  # readers go beside the one writer


def connect(settings: ChatSettings) -> tuple[Engine, int]:
    """The engine for what the settings name, and how many threads may use it at once. Nothing is opened yet.

    Raises ValueError for a URL that is none.
    """
    if settings.database_url:
        connections = settings.database_connections
        return storage.postgresql(settings.database_url, connections), connections
    # FULL: acknowledged means on disk; sends share transactions, so that it costs little.
    return storage.sqlite(Path(settings.data_dir, FILE), _SQLITE_THREADS, synchronous="FULL"), _SQLITE_THREADS


def prepare(engine: Engine, settings: ChatSettings) -> None:
    """Make the folder and bring the tables up to date; several processes may do so at once."""
    storage.prepare(engine, MIGRATIONS, folder=None if settings.database_url else Path(settings.data_dir))
