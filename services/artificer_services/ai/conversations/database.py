"""The database of conversations, SQLite or PostgreSQL, and its migrations.

Knows none of the store's statements.
"""

from __future__ import annotations

from pathlib import Path

from ...kit.storage import Migrations
from ...kit.storage.database import Database

FILE = "conversations.sqlite3"
MIGRATIONS = Migrations(
    folder=Path(__file__).with_name("migrations"),
    table="conversation_alembic_version",
    head="0001",
    lock=2_917_440_583,
)
_FAILURES, _REST_SECONDS, _MOST_CALLS = 5, 2.0, 256  # of the circuit breaker, as chat's defaults


def connect(*, data_dir: str, database_url: str = "", connections: int = 8) -> Database:
    """Returns the database, behind a circuit breaker if it is a server. Raises ValueError for a malformed URL."""
    database = Database(
        "the conversation store",
        MIGRATIONS,
        file=Path(data_dir, FILE),
        url=database_url,
        connections=connections,
    )
    database.protect(failures=_FAILURES, rest_seconds=_REST_SECONDS, most=_MOST_CALLS, label="conversations")
    return database
