"""The message store's database, SQLite or PostgreSQL, and its migrations.

Knows none of the store's statements.
"""

from __future__ import annotations

from pathlib import Path

from ..kit.storage import Migrations
from ..kit.storage.database import Database
from .settings import ChatSettings

FILE = "chat.sqlite3"
MIGRATIONS = Migrations(
    folder=Path(__file__).with_name("migrations"), table="chat_alembic_version", head="0001", lock=4_277_320_661
)


def connect(settings: ChatSettings) -> Database:
    """Returns the configured database, behind a circuit breaker if it is a server.

    Raises ValueError for a malformed URL.
    """
    database = Database(
        "the message store",
        MIGRATIONS,
        file=Path(settings.data_dir, FILE),
        url=settings.database_url,
        connections=settings.database_connections,
    )
    database.protect(
        failures=settings.breaker_failures,
        rest_seconds=settings.breaker_seconds,
        most=settings.max_store_calls,
        label="chat",
    )
    return database
