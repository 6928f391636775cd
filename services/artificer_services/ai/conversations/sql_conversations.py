"""The statements of conversations: to make, find, change, fork and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, select, tuple_, update

from ...kit.storage import clock
from ...kit.storage.database import Database
from ...kit.times import to_micros
from . import schema
from .errors import NoConversation, NoProject, Outdated
from .rows import conversation_of, names_in, request_in
from .sql_projects import columns_of, lock_request
from .store import Made, Place
from .values import Conversation, Draft, Field, RequestId, etag_of

_DELETED = 100  # conversations per transaction, so that no other write waits long
_DEPENDENT = (schema.answers, schema.summaries, schema.messages)


def selected() -> Select[Any]:
    """Returns a selection of conversations with `answering`."""
    table, running = schema.conversations, schema.answers
    answering = select(func.count()).select_from(running).where(running.c.conversation == table.c.id)
    return select(table, answering.scalar_subquery().label("answering"))


def locked(connection: Connection, id_: str) -> Row[Any]:
    """Returns the row of a conversation, locked until the transaction ends. Raises NoConversation."""
    table = schema.conversations
    row = connection.execute(select(table).where(table.c.id == id_).with_for_update()).one_or_none()
    if row is None:
        raise NoConversation(id_)
    return row


def known_conversation(connection: Connection, request: RequestId) -> Made[Conversation] | None:
    """Returns the conversation that a request with this id has made."""
    if not request.id:
        return None
    table = schema.conversations
    lock_request(connection, request)
    asked = selected().where(table.c.caller == request.caller, table.c.request_id == request.id, schema.HAS_REQUEST_ID)
    row = connection.execute(asked).one_or_none()
    return Made(conversation_of(row), fresh=False, same=bytes(row.digest) == request.digest) if row else None


def new_conversation(connection: Connection, request: RequestId, **values: Any) -> Made[Conversation]:
    """Insert a conversation."""
    now = connection.execute(select(clock.now(connection))).scalar_one()
    id_ = uuid4().hex
    fixed = {"id": id_, "created": now, "updated": now, "revision": 1, **request_in(request)}
    connection.execute(insert(schema.conversations).values(**fixed, **values))
    return Made(conversation_of(connection.execute(selected().where(schema.conversations.c.id == id_)).one()))


class ConversationStatements:
    """The part of the store with conversations; see `Store`."""

    database: Database

    async def create_conversation(self, draft: Draft, request: RequestId) -> Made[Conversation]:
        """Store a conversation; see `Store`."""

        def make(connection: Connection) -> Made[Conversation]:
            if made := known_conversation(connection, request):
                return made
            if draft.project:
                table = schema.projects
                # The lock lets other conversations be made, and no deletion of the project.
                exists = select(table.c.id).where(table.c.id == draft.project).with_for_update(read=True)
                if connection.execute(exists).one_or_none() is None:
                    raise NoProject(draft.project)
            return new_conversation(
                connection,
                request,
                project=draft.project or None,
                model=draft.model,
                policy=draft.policy.value,
                message_count=0,
                last_sequence=0,
                forked_from="",
                **names_in(draft),
            )

        return await self.database.write(make)

    async def conversation(self, id_: str) -> Conversation:
        """Returns a conversation; see `Store`."""
        asked = selected().where(schema.conversations.c.id == id_)
        row = await self.database.read(lambda connection: connection.execute(asked).one_or_none())
        if row is None:
            raise NoConversation(id_)
        return conversation_of(row)

    async def conversations(self, *, project: str, limit: int, before: Place | None) -> list[Conversation]:
        """Returns conversations; see `Store`."""
        table = schema.conversations
        asked = selected().order_by(table.c.updated.desc(), table.c.id.desc()).limit(limit)
        if project:
            asked = asked.where(table.c.project == project)
        if before:
            asked = asked.where(tuple_(table.c.updated, table.c.id) < (to_micros(before[0]), before[1]))
        rows = await self.database.read(lambda connection: connection.execute(asked).all())
        return [conversation_of(row) for row in rows]

    async def update_conversation(self, id_: str, etag: str, changes: Mapping[Field, Any]) -> Conversation:
        """Change fields; see `Store`."""
        table = schema.conversations

        def change(connection: Connection) -> Conversation:
            row = locked(connection, id_)
            if etag and etag != (current := etag_of(id_, row.revision)):
                raise Outdated(f"conversation {id_!r}", current)
            values = {**columns_of(changes), "updated": clock.now(connection), "revision": row.revision + 1}
            connection.execute(update(table).where(table.c.id == id_).values(values))
            return conversation_of(connection.execute(selected().where(table.c.id == id_)).one())

        return await self.database.write(change)

    async def delete_conversation(self, id_: str) -> None:
        """Delete a conversation; see `Store`."""

        def remove(connection: Connection) -> None:
            locked(connection, id_)
            _delete(connection, [id_])

        await self.database.write(remove)

    async def delete_conversations(self, project: str) -> list[str]:
        """Delete some conversations of a project; see `Store`."""
        table = schema.conversations
        chosen = select(table.c.id).where(table.c.project == project).order_by(table.c.id).limit(_DELETED)

        def remove(connection: Connection) -> list[str]:
            ids = list(connection.scalars(chosen.with_for_update()))
            _delete(connection, ids)
            return ids

        return await self.database.write(remove)

    async def purge(self, keep_seconds: float) -> int:
        """Delete some old conversations; see `Store`."""
        table, running = schema.conversations, schema.answers
        micros = round(keep_seconds * 1_000_000)

        def remove(connection: Connection) -> int:
            busy = select(literal(1)).where(running.c.conversation == table.c.id).exists()
            due = select(table.c.id).where(table.c.updated < clock.now(connection) - micros, ~busy)
            ids = list(connection.scalars(due.order_by(table.c.updated).limit(_DELETED).with_for_update()))
            _delete(connection, ids)
            return len(ids)

        return await self.database.write(remove)


def _delete(connection: Connection, ids: Sequence[str]) -> None:
    if ids:
        for table in _DEPENDENT:
            connection.execute(delete(table).where(table.c.conversation.in_(ids)))
        connection.execute(delete(schema.conversations).where(schema.conversations.c.id.in_(ids)))
