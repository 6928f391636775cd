"""The statements that read messages, copy them into forks, and keep summaries of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, select

from ...kit.storage.database import Database
from . import schema
from .errors import Answering, NoConversation, NoMessage
from .rows import conversation_of, message_of, project_of
from .sql_conversations import known_conversation, locked, new_conversation, selected
from .store import Background, Known, Made, Summary
from .values import Conversation, Message, RequestId, State, message_id

_BATCH = 64  # messages read at once: drivers hold all rows of a statement in memory


class MessageStatements:
    """The part of the store with messages; see `Store`."""

    database: Database

    async def message(self, conversation: str, sequence: int) -> Message:
        """Returns a message; see `Store`."""
        table = schema.messages
        asked = select(table).where(table.c.conversation == conversation, table.c.sequence == sequence)
        row = await self.database.read(lambda connection: connection.execute(asked).one_or_none())
        if row is None:
            await self._expect(conversation)
            raise NoMessage(conversation, message_id(sequence))
        return message_of(row)

    async def messages(self, conversation: str, *, after: int, limit: int, max_bytes: int) -> list[Message]:
        """Returns messages; see `Store`."""
        table = schema.messages

        def read(connection: Connection) -> list[Message]:
            chosen = select(table).where(table.c.conversation == conversation).order_by(table.c.sequence)
            found: list[Message] = []
            total = 0
            for row in _batches(connection, chosen, after=after):
                total += len(row.content.encode()) + len(row.citations)
                if found and total > max_bytes:
                    break
                found.append(message_of(row))
                if len(found) == limit:
                    break
            return found

        found = await self.database.read(read)
        if not found:
            await self._expect(conversation)
        return found

    async def sent(self, conversation: str, request: RequestId) -> Known | None:
        """Returns the message with a request id; see `Store`."""
        return await self.database.read(lambda connection: known_message(connection, conversation, request))

    async def answer_after(self, conversation: str, sequence: int) -> Message | None:
        """Returns the answer that follows a message; see `Store`."""
        table = schema.messages
        asked = select(table).where(table.c.conversation == conversation, table.c.sequence > sequence)
        asked = asked.order_by(table.c.sequence).limit(1)
        row = await self.database.read(lambda connection: connection.execute(asked).one_or_none())
        return message_of(row) if row is not None and row.role == "assistant" else None

    async def background(self, conversation: str, *, max_bytes: int) -> Background:
        """Returns what an answer is made of; see `Store`."""
        return await self.database.read(lambda connection: _background(connection, conversation, max_bytes))

    async def keep_summary(self, conversation: str, summary: Summary) -> None:
        """Store a summary; see `Store`."""

        def write(connection: Connection) -> None:
            locked(connection, conversation)
            _put_summary(connection, conversation, summary)

        await self.database.write(write)

    async def fork(self, id_: str, upto: int | None, display_name: str, request: RequestId) -> Made[Conversation]:
        """Copy a conversation; see `Store`."""
        return await self.database.write(lambda connection: _fork(connection, id_, upto, display_name, request))

    async def _expect(self, conversation: str) -> None:
        asked = select(schema.conversations.c.id).where(schema.conversations.c.id == conversation)
        if await self.database.read(lambda connection: connection.execute(asked).one_or_none()) is None:
            raise NoConversation(conversation)


def known_message(connection: Connection, conversation: str, request: RequestId) -> Known | None:
    """Returns the message with a request id."""
    table = schema.messages
    if not request.id:
        return None
    row = connection.execute(
        select(table).where(
            table.c.conversation == conversation, table.c.request_id == request.id, schema.HAS_REQUEST_ID
        )
    ).one_or_none()
    return Known(message_of(row), bytes(row.digest) == request.digest) if row else None


def _batches(connection: Connection, chosen: Select[Any], *, after: int = 0, before: int = 0) -> Iterator[Row[Any]]:
    """Yields the rows of a selection of messages: up from `after`, or if `before` is given, down from it."""
    column = schema.messages.c.sequence
    edge = before or after
    while True:
        beyond = column < edge if before else column > edge
        rows = connection.execute(chosen.where(beyond).limit(_BATCH)).all()
        yield from rows
        if len(rows) < _BATCH:
            return
        edge = rows[-1].sequence


def _background(connection: Connection, id_: str, max_bytes: int) -> Background:
    row = connection.execute(selected().where(schema.conversations.c.id == id_)).one_or_none()
    if row is None:
        raise NoConversation(id_)
    project = None
    if row.project:
        found = connection.execute(select(schema.projects).where(schema.projects.c.id == row.project)).one_or_none()
        project = project_of(found) if found is not None else None
    table = schema.messages
    chosen = select(table).where(table.c.conversation == id_).order_by(table.c.sequence.desc())
    newest: list[Message] = []
    total = 0
    for one in _batches(connection, chosen, before=row.last_sequence + 1):
        total += len(one.content.encode())
        if newest and total > max_bytes:
            break
        newest.append(message_of(one))
    kept = connection.execute(select(schema.summaries).where(schema.summaries.c.conversation == id_)).one_or_none()
    return Background(
        conversation=conversation_of(row),
        project=project,
        last=row.last_sequence,
        messages=tuple(reversed(newest)),
        summary=Summary(kept.upto, kept.content) if kept else None,
    )


def _put_summary(connection: Connection, conversation: str, summary: Summary) -> None:
    table = schema.summaries
    connection.execute(delete(table).where(table.c.conversation == conversation))
    connection.execute(insert(table).values(conversation=conversation, upto=summary.upto, content=summary.content))


def _fork(
    connection: Connection, id_: str, upto: int | None, display_name: str, request: RequestId
) -> Made[Conversation]:
    if made := known_conversation(connection, request):
        return made
    row, table = locked(connection, id_), schema.messages
    if upto is not None:
        state = connection.execute(
            select(table.c.state).where(table.c.conversation == id_, table.c.sequence == upto)
        ).scalar_one_or_none()
        if state is None:
            raise NoMessage(id_, message_id(upto))
        if state == State.RUNNING.value:
            raise Answering(id_)
    kept = [table.c.conversation == id_, table.c.state != State.RUNNING.value]
    kept += [table.c.sequence <= upto] if upto is not None else []
    counted = select(func.count(), func.coalesce(func.max(table.c.sequence), 0)).where(*kept)
    count, last = connection.execute(counted).one()
    same = {name: getattr(row, name) for name in ("project", "model", "instructions", "collections", "policy")}
    made = new_conversation(
        connection,
        request,
        display_name=display_name or row.display_name,
        message_count=count,
        last_sequence=last,
        forked_from=id_,
        **same,
    )
    replaced: dict[str, Any] = {
        "conversation": literal(made.resource.id),
        "request_id": literal(""),
        "digest": literal(b""),
    }
    columns: list[Any] = [replaced.get(column.name, column) for column in table.c]
    connection.execute(insert(table).from_select([column.name for column in table.c], select(*columns).where(*kept)))
    summary = connection.execute(select(schema.summaries).where(schema.summaries.c.conversation == id_)).one_or_none()
    if summary is not None and summary.upto <= last:
        _put_summary(connection, made.resource.id, Summary(summary.upto, summary.content))
    return made
