"""The store of notes: its values and its Protocol. Knows no database; `sql_store` has the real store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A stored note."""

    id: int
    text: str
    created: datetime


class Store(Protocol):
    """Notes by number. Every method raises `Unavailable` where the database cannot be reached."""

    async def add(self, text: str) -> Note:
        """Store a note; it is on disk when this returns."""

    async def get(self, id_: int) -> Note | None:
        """Return one note, or None."""

    async def list(self, *, after: int, limit: int) -> list[Note]:
        """Return at most `limit` notes with a number above `after`, the oldest first."""

    async def ping(self) -> None:
        """Return where the database answers."""
