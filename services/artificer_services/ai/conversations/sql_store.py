"""The store in a migrated database, SQLite or PostgreSQL, through SQLAlchemy Core.

The statements are in the modules beside it; `kit.storage.database` owns the connections and the threads.
"""

from __future__ import annotations

from ...kit.storage.database import Database
from .sql_answers import AnswerStatements
from .sql_conversations import ConversationStatements
from .sql_messages import MessageStatements
from .sql_projects import ProjectStatements


class SqlStore(ProjectStatements, ConversationStatements, MessageStatements, AnswerStatements):
    """Implements `Store`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def ping(self) -> None:
        """Check that the database answers; see `Store`."""
        await self.database.ping()
