"""The statements for documents that are visible: what is read of them, and how one becomes visible or goes."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ....kit.storage import clock
from ....kit.times import from_micros
from ..chunking import Manuscript
from ..errors import Full, Lost, ModelChanged, Taken, no_document
from ..requests import may_be_id
from ..schema import State, chunks, documents, first_chunk, texts, versions
from ..store import Draft, Held, HeldDocument
from ..values import Chunk, Document, Span
from . import collections


def get(connection: Connection, held: Held, id_: str) -> HeldDocument:
    """Returns a document; see `Store`."""
    found = _row(connection, held, id_)
    if found is None:
        raise no_document(held.collection.id, id_)
    return _held(held, found)


def after(connection: Connection, held: Held, id_: str, limit: int) -> list[HeldDocument]:
    """Returns a page of documents; see `Store`."""
    mine = (documents.c.collection == held.number, documents.c.id > id_)
    rows = connection.execute(select(documents).where(*mine).order_by(documents.c.id).limit(limit))
    return [_held(held, row) for row in rows]


def unprepared(connection: Connection, held: Held, limit: int) -> list[HeldDocument]:
    """Returns documents without a version of the next model; see `Store`."""
    mine = (documents.c.collection == held.number, documents.c.next_version == 0)
    return [_held(held, row) for row in connection.execute(select(documents).where(*mine).limit(limit))]


def chunks_of(connection: Connection, version: int, position: int, limit: int) -> list[Chunk]:
    """Returns chunks of a version; see `Store`."""
    first, last = first_chunk(version), first_chunk(version + 1)
    asked = select(chunks).where(chunks.c.number >= first + position, chunks.c.number < last)
    rows = connection.execute(asked.order_by(chunks.c.number).limit(limit))
    return [chunk_of(row, row.number - first) for row in rows]


def chunk_of(row: Row[Any], index: int) -> Chunk:
    """Returns the chunk in a row of its table."""
    return Chunk(
        index=index,
        text=row.text,
        span=Span(row.start_at, row.end_at, row.page, row.last_page),
        headings=tuple(json.loads(row.headings)),
        token_count=row.tokens,
    )


def manuscript(connection: Connection, version: int) -> Manuscript | None:
    """Returns the text of a version; see `Store`."""
    own = select(texts).join(versions, versions.c.source == texts.c.version)
    row = connection.execute(own.where(versions.c.number == version)).one_or_none()
    if row is None:
        return None
    return Manuscript(row.text, tuple((number, start) for number, start in json.loads(row.pages)))


def publish(connection: Connection, held: Held, version: int, draft: Draft, *, replace: bool, most: int) -> Document:
    """Make a version visible as a document; see `Store`."""
    current = collections.lock(connection, held)
    old = _row(connection, held, draft.id)
    if old is not None and not replace:
        raise Taken(f"there is a document {draft.id!r} in the collection already; set `replace` to replace it")
    if old is None and current.collection.document_count >= most:
        raise Full(f"the collection has {most:,} documents, which is the most that the server's settings allow")
    count = _show(connection, version, current.form.model)
    if old is not None:
        _bury(connection, old)
    row = {
        "collection": held.number,
        "id": draft.id,
        "version": version,
        "next_version": 0,
        "changed": current.changes,
        "display_name": draft.display_name,
        "metadata": json.dumps(dict(draft.metadata), ensure_ascii=False),
        "content_type": draft.content_type,
        "page_count": draft.page_count,
        "chunk_count": count,
        "character_count": draft.character_count,
        "created": clock.now(connection),
    }
    connection.execute(insert(documents).values(row))
    added = count - (old.chunk_count if old is not None else 0)
    collections.count(connection, held, added_documents=int(old is None), added_chunks=added)
    return get(connection, held, draft.id).document


def exchange(connection: Connection, held: Held, old: HeldDocument, version: int) -> Document:
    """Make a version visible in place of another one, with its text; see `Store`."""
    current = collections.lock(connection, held)
    row = _row(connection, held, old.document.id)
    if row is None or row.version != old.version:
        raise no_document(held.collection.id, old.document.id)
    count = _show(connection, version, current.form.model)
    connection.execute(update(versions).where(versions.c.number == old.version).values(state=collections.OUTDATED))
    connection.execute(
        _this(update(documents), held, old.document.id).values(
            version=version, chunk_count=count, changed=current.changes
        )
    )
    collections.count(connection, held, added_documents=0, added_chunks=count - row.chunk_count)
    return get(connection, held, old.document.id).document


def prepare(connection: Connection, held: Held, old: HeldDocument, version: int) -> bool:
    """Keep a version until the collection's next model takes effect; see `Store`."""
    current = collections.lock(connection, held)
    row = _row(connection, held, old.document.id)
    if current.next_form is None or row is None or row.version != old.version or row.next_version:
        return False
    known = (
        versions.c.number == version,
        versions.c.state == State.STAGED,
        versions.c.model == current.next_form.model,
    )
    if connection.execute(update(versions).where(*known).values(state=State.PREPARED)).rowcount != 1:
        return False
    connection.execute(_this(update(documents), held, old.document.id).values(next_version=version))
    collections.keep_preparing(connection, held)
    return True


def remove(connection: Connection, held: Held, id_: str) -> None:
    """Delete a document; see `Store`."""
    collections.lock(connection, held)
    row = _row(connection, held, id_)
    if row is None:
        raise no_document(held.collection.id, id_)
    _bury(connection, row)
    collections.count(connection, held, added_documents=-1, added_chunks=-row.chunk_count)


def _show(connection: Connection, version: int, model: str) -> int:
    """Make a version visible and return the number of its chunks. Raises Lost and ModelChanged."""
    known = versions.c.number == version
    shown = connection.execute(
        update(versions)
        .where(known, versions.c.state == State.STAGED)
        .values(state=State.VISIBLE)
        .returning(versions.c.chunk_count, versions.c.model)
    ).one_or_none()
    if shown is None:
        raise Lost("the document was not written in time; try again")
    if shown.model != model:
        raise ModelChanged
    count: int = shown.chunk_count
    return count


def _bury(connection: Connection, row: Row[Any]) -> None:
    """Delete the row of a document and leave its versions to the sweep."""
    connection.execute(delete(documents).where(documents.c.collection == row.collection, documents.c.id == row.id))
    source = select(versions.c.source).where(versions.c.number == row.version).scalar_subquery()
    own = versions.c.number.in_([row.version, row.next_version]) | (versions.c.number == source)
    connection.execute(update(versions).where(own).values(state=State.DEAD))


def _this(statement: Any, held: Held, id_: str) -> Any:
    return statement.where(documents.c.collection == held.number, documents.c.id == id_)


def _row(connection: Connection, held: Held, id_: str) -> Row[Any] | None:
    if not may_be_id(id_):
        return None
    row: Row[Any] | None = connection.execute(_this(select(documents), held, id_)).one_or_none()
    return row


def _held(held: Held, row: Row[Any]) -> HeldDocument:
    document = Document(
        id=row.id,
        collection=held.collection.id,
        display_name=row.display_name,
        metadata=json.loads(row.metadata),
        content_type=row.content_type,
        page_count=row.page_count,
        chunk_count=row.chunk_count,
        character_count=row.character_count,
        created=from_micros(row.created),
    )
    return HeldDocument(document=document, version=row.version)
