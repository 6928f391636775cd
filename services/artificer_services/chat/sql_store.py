"""Stores messages in SQLite or PostgreSQL through SQLAlchemy Core.

Owns the statements; `kit.storage.database` owns the connections and the threads that run them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from ..kit.storage import clock
from ..kit.storage.database import Database
from ..kit.times import from_micros, to_micros
from . import schema
from .store import Appended, Draft, File, Message, User

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlStore:
    """The store in a migrated database. New messages are announced on the PostgreSQL channel `notify`, if it is set."""

    def __init__(self, database: Database, *, notify: str | None = None) -> None:
        self.database, self._notify = database, notify

    async def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Store drafts in one transaction; see `Store`."""
        return await self.database.write(lambda connection: self._append(connection, drafts))

    async def get(self, channel: str, sequence: int, *, files: bool) -> Message | None:
        """Returns one message, or None; see `Store`."""
        found = await self.read(channel, after=sequence - 1, limit=1, max_bytes=1, files=files)
        return found[0] if found and found[0].sequence == sequence else None

    async def read(
        self, channel: str, *, after: int, limit: int, max_bytes: int, files: bool, before: int | None = None
    ) -> list[Message]:
        """Returns consecutive messages; see `Store`."""
        table = schema.messages
        chosen = select(table).where(table.c.channel == channel).limit(limit)
        if before is None:
            chosen = chosen.where(table.c.sequence > after).order_by(table.c.sequence)
        else:
            chosen = chosen.where(table.c.sequence < before).order_by(table.c.sequence.desc())
        return await self.database.read(lambda connection: self._read(connection, chosen, max_bytes, files=files))

    async def last(self, channels: Sequence[str]) -> dict[str, int]:
        """Returns the last number of each channel; see `Store`."""
        table = schema.channels
        asked = select(table.c.name, table.c.last_sequence).where(table.c.name.in_(channels))

        def look(connection: Connection) -> dict[str, int]:
            found = {row.name: row.last_sequence for row in connection.execute(asked)}
            return {channel: found.get(channel, 0) for channel in channels}

        return await self.database.read(look)

    async def ping(self) -> None:
        """Check that the database answers; see `Store`."""
        await self.database.ping()

    # Reading.

    def _read(self, connection: Connection, chosen: Select[Any], max_bytes: int, *, files: bool) -> list[Message]:
        found: list[Message] = []
        total = 0
        for row in connection.execute(chosen):
            message = _message(row)
            total += message.size if files else len(message.content.encode())
            if found and total > max_bytes:
                break
            found.append(message)
        return self._with_files(connection, found) if files else found

    def _with_files(self, connection: Connection, found: list[Message]) -> list[Message]:
        wanted = [message.sequence for message in found if message.file_count]
        if not wanted:
            return found
        table = schema.files
        rows = connection.execute(
            select(table)
            .where(table.c.channel == found[0].channel, table.c.sequence.in_(wanted))
            .order_by(table.c.sequence, table.c.position)
        )
        by_message = {
            sequence: tuple(File(name=row.name, media_type=row.media_type, data=bytes(row.data)) for row in group)
            for sequence, group in groupby(rows, key=lambda row: row.sequence)
        }
        return [replace(message, files=by_message.get(message.sequence, ())) for message in found]

    # Appending.

    def _append(self, connection: Connection, drafts: Sequence[Draft]) -> list[Appended]:
        places: dict[str, list[int]] = {}
        for place, draft in enumerate(drafts):
            places.setdefault(draft.channel, []).append(place)
        done: dict[int, Appended] = {}
        # Always in the same order, so that two processes cannot deadlock on each other's rows.
        for channel in sorted(places):
            mine = [drafts[place] for place in places[channel]]
            done.update(zip(places[channel], self._append_to(connection, channel, mine), strict=True))
        return [done[place] for place in range(len(drafts))]

    def _append_to(self, connection: Connection, channel: str, drafts: list[Draft]) -> list[Appended]:
        last, created = self._lock(connection, channel)
        known = self._known(connection, channel, drafts)
        done: list[Appended] = []
        fresh: list[tuple[Message, Draft]] = []
        for draft in drafts:
            key = (draft.user.id, draft.request_id)
            before = known.get(key) if draft.request_id else None
            if before is not None:
                message, digest = before
                same = digest == draft.digest
                done.append(Appended(replace(message, files=draft.files if same else ()), fresh=False, same=same))
                continue
            last += 1
            message = _new_message(draft, last, created)
            known[key] = (message, draft.digest)
            fresh.append((message, draft))
            done.append(Appended(message))
        if fresh:
            self._insert(connection, fresh)
            self._unlock(connection, channel, last, created)
        return done

    def _lock(self, connection: Connection, channel: str) -> tuple[int, int]:
        """Lock the channel's row until the transaction ends, so that message numbers become visible in their order.

        Returns the last number and the current time, which is never before that of the last message: by the database's
        clock, since processes on other machines may have another time.
        """
        table = schema.channels
        make = _INSERT[connection.dialect.name](table).values(name=channel, last_sequence=0, last_time=0)
        held = make.on_conflict_do_update(index_elements=[table.c.name], set_={"last_time": table.c.last_time})
        now = clock.now(connection).label("now")
        row = connection.execute(held.returning(table.c.last_sequence, table.c.last_time, now)).one()
        return row.last_sequence, max(row.now, row.last_time)

    def _unlock(self, connection: Connection, channel: str, last: int, created: int) -> None:
        table = schema.channels
        now = update(table).where(table.c.name == channel).values(last_sequence=last, last_time=created)
        connection.execute(now)
        if self._notify:
            # PostgreSQL sends it with the commit, so that a crash cannot separate the two.
            connection.execute(select(func.pg_notify(self._notify, f"{last} {channel}")))

    def _known(
        self, connection: Connection, channel: str, drafts: Iterable[Draft]
    ) -> dict[tuple[str, str], tuple[Message, bytes]]:
        keys = {(draft.user.id, draft.request_id) for draft in drafts if draft.request_id}
        if not keys:
            return {}
        table = schema.messages
        # Repeats the partial index's condition, without which neither database uses the index.
        rows = connection.execute(
            select(table).where(
                table.c.channel == channel,
                tuple_(table.c.user_id, table.c.request_id).in_(sorted(keys)),
                schema.HAS_REQUEST_ID,
            )
        )
        return {(row.user_id, row.request_id): (_message(row), bytes(row.digest)) for row in rows}

    def _insert(self, connection: Connection, fresh: Sequence[tuple[Message, Draft]]) -> None:
        connection.execute(insert(schema.messages), [_row(message, draft.digest) for message, draft in fresh])
        files = [
            {
                "channel": message.channel,
                "sequence": message.sequence,
                "position": position,
                "name": file.name,
                "media_type": file.media_type,
                "data": file.data,
            }
            for message, _ in fresh
            for position, file in enumerate(message.files)
        ]
        if files:
            connection.execute(insert(schema.files), files)


def _new_message(draft: Draft, sequence: int, created: int) -> Message:
    return Message(
        channel=draft.channel,
        sequence=sequence,
        user=draft.user,
        content=draft.content,
        created=from_micros(created),
        request_id=draft.request_id,
        file_count=len(draft.files),
        files=draft.files,
        size=len(draft.content.encode()) + sum(len(file.data) for file in draft.files),
    )


def _row(message: Message, digest: bytes) -> dict[str, Any]:
    return {
        "channel": message.channel,
        "sequence": message.sequence,
        "created": to_micros(message.created),
        "user_id": message.user.id,
        "user_name": message.user.name,
        "content": message.content,
        "file_count": message.file_count,
        "size": message.size,
        "request_id": message.request_id,
        "digest": digest,
    }


def _message(row: Row[Any]) -> Message:
    return Message(
        channel=row.channel,
        sequence=row.sequence,
        user=User(id=row.user_id, name=row.user_name),
        content=row.content,
        created=from_micros(row.created),
        request_id=row.request_id,
        file_count=row.file_count,
        size=row.size,
    )
