"""Removes messages that are older than a setting allows, with their files.

Every gateway of a database runs it; they do not disturb each other. A channel keeps its last number, so that the
numbers of new messages continue.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection, delete, select

from ..kit.periodic import Periodic
from ..kit.storage import clock
from ..kit.storage.database import Database
from . import schema

_PERIOD = 600.0  # seconds; what is kept for days may stay minutes longer
_DAY_MICROS = 86_400 * 1_000_000
_CHANNELS, _MESSAGES = 200, 500  # per transaction, so that no send waits long


class Retention(Periodic):
    """Removes messages older than `days`; 0 disables it. `finished` is called after each complete run."""

    def __init__(self, database: Database, days: float, finished: Callable[[], None]) -> None:
        super().__init__("chat-retention", self.once, _PERIOD)
        self._database, self._keep, self._finished = database, round(days * _DAY_MICROS), finished

    def start(self) -> None:
        """Start, unless disabled; the first run is immediate."""
        if self._keep:
            super().start()

    async def once(self) -> None:
        """Remove everything that is due, in small pieces. Raises Unavailable."""
        after = ""
        while channels := await self._database.read(partial(_channels, after=after)):
            for channel in channels:
                while await self._database.write(partial(_remove, channel=channel, keep=self._keep)):
                    pass
            after = channels[-1]
        self._finished()


def _channels(connection: Connection, after: str) -> list[str]:
    names = schema.channels.c.name
    return list(connection.scalars(select(names).where(names > after).order_by(names).limit(_CHANNELS)))


def _remove(connection: Connection, channel: str, keep: int) -> bool:
    """Remove the oldest messages of a channel; returns whether there may be more that are due."""
    table = schema.messages
    # By the clock that has given the messages their times: with that of a machine that is ahead, new ones would be due.
    is_due = (table.c.created < clock.now(connection) - keep).label("is_due")
    # In a channel times never fall as numbers rise, so the primary key finds the oldest without an index on times.
    oldest = connection.execute(
        select(table.c.sequence, is_due).where(table.c.channel == channel).order_by(table.c.sequence).limit(_MESSAGES)
    ).all()
    due = [row.sequence for row in oldest if row.is_due]
    if not due:
        return False
    for kind in (schema.files, table):
        connection.execute(delete(kind).where(kind.c.channel == channel, kind.c.sequence <= due[-1]))
    return len(due) == _MESSAGES
