"""The statements for versions that are written or swept, which no reader sees."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from ....kit.storage import clock
from ...models.values import Vectors
from .. import words
from ..chunking import Manuscript
from ..errors import Lost, no_document
from ..schema import State, attributes, chunks, first_chunk, texts, vectors, versions
from ..store import Draft, Form, Held, HeldDocument
from ..values import Chunk
from . import pgvectors
from .collections import new_number

_SWEPT = 500  # chunks in one transaction, so that no writer waits long


def begin(connection: Connection, held: Held, form: Form, draft: Draft, source: Manuscript, lease: int) -> int:
    """Returns the number of a new version whose lease is `lease` microseconds; see `Store`."""
    version = new_number(connection)
    _insert(connection, held, form, version, version, lease)
    pages = json.dumps(source.pages)
    connection.execute(insert(texts).values(version=version, text=source.text, pages=pages))
    rows = [
        {"version": version, "name": name, "value": value, "collection": held.number}
        for name, value in draft.metadata.items()
    ]
    if rows:
        connection.execute(insert(attributes), rows)
    return version


def begin_again(connection: Connection, held: Held, form: Form, old: HeldDocument, lease: int) -> int:
    """Returns the number of a new version with the text of another one; see `Store`."""
    source = connection.scalar(select(versions.c.source).where(versions.c.number == old.version))
    if source is None:
        raise no_document(held.collection.id, old.document.id)
    version = new_number(connection)
    _insert(connection, held, form, version, source, lease)
    return version


def _insert(connection: Connection, held: Held, form: Form, version: int, source: int, lease: int) -> None:
    connection.execute(
        insert(versions).values(
            number=version,
            collection=held.number,
            source=source,
            state=State.STAGED,
            until=clock.now(connection) + lease,
            model=form.model,
            dimension=form.dimension,
            chunk_count=0,
        )
    )


def renew(connection: Connection, version: int, lease: int, added: int = 0) -> None:
    """Give a version another lease and count chunks that are added. Raises Lost."""
    held = connection.execute(
        update(versions)
        .where(versions.c.number == version, versions.c.state == State.STAGED)
        .values(until=clock.now(connection) + lease, chunk_count=versions.c.chunk_count + added)
    )
    if held.rowcount != 1:
        raise Lost("the document was not written in time, or its collection was deleted; try again")


def stage(connection: Connection, held: Held, version: int, added: Sequence[Chunk], made: Vectors, lease: int) -> None:
    """Store chunks of a version; see `Store`."""
    renew(connection, version, lease, len(added))
    first = first_chunk(version)
    connection.execute(insert(chunks), [_row(first + chunk.index, chunk) for chunk in added])
    little = made.astype("<f4", copy=False)
    rows = [
        {"number": first + chunk.index, "vector": vector.tobytes()} for chunk, vector in zip(added, little, strict=True)
    ]
    connection.execute(insert(vectors), rows)
    pgvectors.insert(connection, held.number, [first + chunk.index for chunk in added], made)
    words.insert_words(connection, held.number, [(first + chunk.index, chunk.text) for chunk in added])


def _row(number: int, chunk: Chunk) -> dict[str, object]:
    return {
        "number": number,
        "text": chunk.text,
        "start_at": chunk.span.start,
        "end_at": chunk.span.end,
        "page": chunk.span.page,
        "last_page": chunk.span.last_page,
        "headings": json.dumps(chunk.headings, ensure_ascii=False),
        "tokens": chunk.token_count,
    }


def discard(connection: Connection, version: int) -> None:
    """Give up a version that is not visible; see `Store`."""
    unseen = versions.c.state.in_([State.STAGED, State.PREPARED])
    connection.execute(update(versions).where(versions.c.number == version, unseen).values(state=State.DEAD))


def expire(connection: Connection) -> None:
    """Give up the versions that nobody renews any more, by the database's clock."""
    late = (versions.c.state == State.STAGED, versions.c.until < clock.now(connection))
    connection.execute(update(versions).where(*late).values(state=State.DEAD))


def next_dead(connection: Connection) -> int | None:
    """Returns a version to be swept, or None."""
    due = versions.c.state.in_([State.DEAD, State.BARE])
    found: int | None = connection.scalar(select(versions.c.number).where(due).limit(1))
    return found


def sweep(connection: Connection, version: int) -> bool:
    """Remove some chunks of a dead version, and then the version; returns whether that is done."""
    first, end = first_chunk(version), first_chunk(version + 1)
    mine = select(chunks.c.number).where(chunks.c.number >= first, chunks.c.number < end)
    some = connection.scalars(mine.order_by(chunks.c.number).limit(_SWEPT)).all()
    if some:
        last = some[-1] + 1
        words.delete_words(connection, first, last)
        pgvectors.delete(connection, first, last)
        for table in (vectors, chunks):
            connection.execute(delete(table).where(table.c.number >= first, table.c.number < last))
    if len(some) == _SWEPT:
        return False
    this = versions.c.number == version
    # The state is looked at again by each statement: the document may be deleted at this moment.
    connection.execute(update(versions).where(this, versions.c.state == State.BARE).values(state=State.KEPT))
    gone = connection.execute(delete(versions).where(this, versions.c.state == State.DEAD))
    if gone.rowcount:
        for table in (texts, attributes):
            connection.execute(delete(table).where(table.c.version == version))
    return True
