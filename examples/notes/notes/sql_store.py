"""Notes in SQLite or PostgreSQL. Owns the statements; the kit's `Database` runs them in its threads."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from artificer_services.kit.storage.database import Database
from artificer_services.kit.times import from_micros

from . import schema
from .store import Note


class SqlStore:
    """The `Store` in a database that has its table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, text: str) -> Note:
        """See `Store`."""
        added = insert(schema.notes).values(text=text, created=time.time_ns() // 1000).returning(schema.notes)
        return _note(await self._database.write(lambda connection: connection.execute(added).one()))

    async def get(self, id_: int) -> Note | None:
        """See `Store`."""
        found = await self._find(select(schema.notes).where(schema.notes.c.id == id_))
        return found[0] if found else None

    async def list(self, *, after: int, limit: int) -> list[Note]:
        """See `Store`."""
        table = schema.notes
        return await self._find(select(table).where(table.c.id > after).order_by(table.c.id).limit(limit))

    async def ping(self) -> None:
        """See `Store`."""
        await self._database.ping()

    async def _find(self, chosen: Select[Any]) -> list[Note]:
        def run(connection: Connection) -> list[Note]:
            return [_note(row) for row in connection.execute(chosen)]

        return await self._database.read(run)


def _note(row: Row[Any]) -> Note:
    return Note(id=row.id, text=row.text, created=from_micros(row.created))
