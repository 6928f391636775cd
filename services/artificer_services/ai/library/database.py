"""The library's database, SQLite or PostgreSQL, and its migrations.

Knows none of the store's statements.
"""

from __future__ import annotations

from pathlib import Path

from ...kit.storage import Migrations
from ...kit.storage.database import Database
from .settings import LibrarySettings

FILE = "rag.sqlite3"
MIGRATIONS = Migrations(
    folder=Path(__file__).with_name("migrations"), table="rag_alembic_version", head="0002", lock=4_277_320_663
)


def connect(data_dir: str, database_url: str = "", settings: LibrarySettings | None = None) -> Database:
    """Returns the database: SQLite in `data_dir` if `database_url` is empty, else behind a circuit breaker.

    Raises ValueError for a malformed URL.
    """
    settings = settings or LibrarySettings()
    database = Database(
        "the document store",
        MIGRATIONS,
        file=Path(data_dir, FILE),
        url=database_url,
        connections=settings.database_connections,
    )
    database.protect(
        failures=settings.breaker_failures,
        rest_seconds=settings.breaker_seconds,
        most=settings.max_store_calls,
        label="rag",
    )
    return database
