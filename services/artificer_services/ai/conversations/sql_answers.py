"""The statements of running answers: one a conversation, held by a lease that its process renews.

A statement locks the conversation's row before the answer's, and that before the message's, so that two transactions
cannot deadlock. Times are the database's, since the processes may be on several machines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, insert, select, update

from ...kit.storage import clock
from ...kit.storage.database import Database
from . import schema
from .errors import Answering, Full, NoConversation, NothingToAnswer
from .rows import citations_in, message_of
from .sql_conversations import locked
from .sql_messages import known_message
from .store import Begin, Begun, End, Known, Running, Written
from .values import Message, State

_MICROS = 1_000_000
_EXPIRED = 100  # answers of dead owners that are looked at in one go

_answers, _messages, _conversations = schema.answers, schema.messages, schema.conversations


class AnswerStatements:
    """The part of the store with running answers; see `Store`."""

    database: Database

    async def begin(self, begin: Begin) -> Begun | Known | None:
        """Store a message and a running answer; see `Store`."""
        return await self.database.write(lambda connection: _begin(connection, begin))

    async def announce(self, conversation: str, sequence: int) -> None:
        """Remove the answer that a begun one replaces; see `Store`."""

        def work(connection: Connection) -> None:
            locked(connection, conversation)
            mine = (_answers.c.conversation == conversation, _answers.c.sequence == sequence)
            row = connection.execute(select(_answers).where(*mine)).one_or_none()
            if row is not None and row.replaces:
                connection.execute(update(_answers).where(*mine).values(replaces=0))
                _remove(connection, conversation, row.replaces)

        await self.database.write(work)

    async def keep(self, owner: str, lease: float, written: Mapping[str, Written]) -> Running:
        """Store what running answers have, and renew their leases; see `Store`."""

        def work(connection: Connection) -> Running:
            renewed = (
                update(_answers)
                .where(_answers.c.owner == owner, _answers.c.conversation.in_(list(written)))
                .values(lease=_until(connection, lease))
                .returning(_answers.c.conversation, _answers.c.sequence, _answers.c.stop)
            )
            held = {row.conversation: (row.sequence, bool(row.stop)) for row in connection.execute(renewed)}
            for conversation, one in written.items():
                if one.content is not None and held.get(conversation, (0, False))[0] == one.sequence:
                    values = {"content": one.content, "citations": citations_in(one.citations)}
                    connection.execute(_of(conversation, one.sequence).values(values))
            return Running(held)

        return await self.database.write(work)

    async def finish(self, conversation: str, sequence: int, owner: str, end: End) -> Message | None:
        """Store the end of an answer; see `Store`."""

        def work(connection: Connection) -> Message | None:
            try:
                locked(connection, conversation)
            except NoConversation:
                return None
            held = _release(connection, conversation, sequence, owner)
            if held is None:
                return None
            if held.replaces:
                _remove(connection, conversation, held.replaces)
            return _end(connection, conversation, sequence, end)

        return await self.database.write(work)

    async def retract(self, begun: Begun, owner: str) -> None:
        """Remove an answer that could not begin; see `Store`."""
        answer = begun.answer

        def work(connection: Connection) -> None:
            try:
                locked(connection, answer.conversation)
            except NoConversation:
                return
            if _release(connection, answer.conversation, answer.sequence, owner) is None:
                return
            _remove(connection, answer.conversation, answer.sequence)
            if begun.user is not None:
                _remove(connection, answer.conversation, begun.user.sequence)
            if begun.titled:
                chosen = update(_conversations).where(_conversations.c.id == answer.conversation)
                connection.execute(chosen.values(display_name=""))

        await self.database.write(work)

    async def request_stop(self, conversation: str) -> int:
        """Ask the owner of the running answer to stop; see `Store`."""
        asked = update(_answers).where(_answers.c.conversation == conversation).values(stop=1)
        asked_one = asked.returning(_answers.c.sequence)
        return await self.database.write(
            lambda connection: connection.execute(asked_one).scalar_one_or_none() or 0,
        )

    async def expire(self, conversations: Sequence[str] | None = None) -> int:
        """Mark the answers whose owners are dead as failed; see `Store`."""

        def due(connection: Connection) -> list[str]:
            found = select(_answers.c.conversation).where(_answers.c.lease < clock.now(connection)).limit(_EXPIRED)
            if conversations is not None:
                found = found.where(_answers.c.conversation.in_(conversations))
            return list(connection.scalars(found))

        dead = await self.database.read(due)
        count = 0
        for one in dead:
            count += await self.database.write(lambda connection, one=one: _expire(connection, one))  # type: ignore[misc]
        return count


def _until(connection: Connection, lease: float) -> ColumnElement[int]:
    return clock.now(connection) + round(lease * _MICROS)


def _of(conversation: str, sequence: int) -> Any:
    return update(_messages).where(_messages.c.conversation == conversation, _messages.c.sequence == sequence)


def _begin(connection: Connection, begin: Begin) -> Begun | Known | None:
    row = locked(connection, begin.conversation)
    if known := known_message(connection, begin.conversation, begin.request):
        return known
    if connection.execute(select(_answers.c.sequence).where(_answers.c.conversation == row.id)).one_or_none():
        if not _expire_locked(connection, row.id):
            raise Answering(row.id)
        return None  # the answer of the dead owner has changed what this one was made of
    if row.last_sequence != begin.last:
        return None
    now = max(connection.execute(select(clock.now(connection))).scalar_one(), row.updated)
    replaces = 0 if begin.content is not None else _replaced(connection, row.id)
    added = 2 if begin.content is not None else 1
    if row.message_count + added - bool(replaces) > begin.most_messages:
        raise Full(row.id, begin.most_messages)
    user, sequence, titled = None, row.last_sequence + 1, False
    if begin.content is not None:
        values = {"role": "user", "content": begin.content, "state": State.COMPLETE.value, "model": ""}
        user = _insert(connection, row.id, sequence, now, **values, **_request(begin))
        sequence += 1
        titled = bool(begin.title) and not row.display_name
    answer = _insert(
        connection,
        row.id,
        sequence,
        now,
        role="assistant",
        content="",
        state=State.RUNNING.value,
        model=begin.model,
        dropped=begin.cut.dropped,
        summarized=int(begin.cut.summarized),
    )
    lease = _until(connection, begin.lease)
    running = {"conversation": row.id, "sequence": sequence, "owner": begin.owner, "lease": lease, "stop": 0}
    connection.execute(insert(_answers).values(**running, replaces=replaces))
    changed = {"message_count": row.message_count + added, "last_sequence": sequence, "updated": now}
    if titled:
        changed["display_name"] = begin.title
    connection.execute(update(_conversations).where(_conversations.c.id == row.id).values(changed))
    return Begun(user, answer, titled)


def _request(begin: Begin) -> dict[str, Any]:
    return {"request_id": begin.request.id, "digest": begin.request.digest}


def _replaced(connection: Connection, conversation: str) -> int:
    """Returns the number of the last message if it is an answer. Raises NothingToAnswer."""
    asked = select(_messages.c.sequence, _messages.c.role).where(_messages.c.conversation == conversation)
    last = connection.execute(asked.order_by(_messages.c.sequence.desc()).limit(1)).one_or_none()
    if last is None:
        raise NothingToAnswer(conversation)
    return int(last.sequence) if last.role == "assistant" else 0


def _insert(connection: Connection, conversation: str, sequence: int, now: int, **values: Any) -> Message:
    usual = {"citations": "[]", "dropped": 0, "summarized": 0, "request_id": "", "digest": b""}
    whole = {**usual, "conversation": conversation, "sequence": sequence, "created": now, **values}
    return message_of(connection.execute(insert(_messages).values(whole).returning(_messages)).one())


def _remove(connection: Connection, conversation: str, sequence: int) -> None:
    chosen = delete(_messages).where(_messages.c.conversation == conversation, _messages.c.sequence == sequence)
    removed = connection.execute(chosen).rowcount
    table = update(_conversations).where(_conversations.c.id == conversation)
    connection.execute(table.values(message_count=_conversations.c.message_count - removed))


def _release(connection: Connection, conversation: str, sequence: int, owner: str) -> Row[Any] | None:
    mine = (_answers.c.conversation == conversation, _answers.c.sequence == sequence, _answers.c.owner == owner)
    return connection.execute(delete(_answers).where(*mine).returning(_answers)).one_or_none()


def _end(connection: Connection, conversation: str, sequence: int, end: End) -> Message:
    usage = end.usage
    values = {
        "content": end.content,
        "state": end.state.value,
        "ending": end.ending.value if end.ending else None,
        "prompt_tokens": usage.prompt if usage else None,
        "completion_tokens": usage.completion if usage else None,
        "citations": citations_in(end.citations),
        "dropped": end.cut.dropped,
        "summarized": int(end.cut.summarized),
    }
    message = message_of(connection.execute(_of(conversation, sequence).values(values).returning(_messages)).one())
    _touch(connection, conversation)
    return message


def _touch(connection: Connection, conversation: str) -> None:
    now = clock.now(connection)
    later = case((_conversations.c.updated > now, _conversations.c.updated), else_=now)
    connection.execute(update(_conversations).where(_conversations.c.id == conversation).values(updated=later))


def _expire(connection: Connection, conversation: str) -> int:
    try:
        locked(connection, conversation)
    except NoConversation:
        return 0
    return _expire_locked(connection, conversation)


def _expire_locked(connection: Connection, conversation: str) -> int:
    """Fail the running answer of a locked conversation if its owner is dead; returns the number of such answers."""
    dead = (_answers.c.conversation == conversation, _answers.c.lease < clock.now(connection))
    row = connection.execute(delete(_answers).where(*dead).returning(_answers)).one_or_none()
    if row is None:
        return 0
    found = select(_messages.c.content).where(
        _messages.c.conversation == conversation, _messages.c.sequence == row.sequence
    )
    if row.replaces:  # the owner died before the new answer had any text: the old one stays
        _remove(connection, conversation, row.sequence if not connection.scalar(found) else row.replaces)
    connection.execute(_of(conversation, row.sequence).values(state=State.FAILED.value))
    _touch(connection, conversation)
    return 1
