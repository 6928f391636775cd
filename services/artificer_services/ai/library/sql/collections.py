"""The statements for collections. Knows no documents, except that deleting a collection deletes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ....kit.storage import clock
from ....kit.times import from_micros
from ..errors import Full, NotEmpty, Reindexing, Taken, no_collection
from ..requests import may_be_id
from ..schema import State, collections, documents, numbers, versions
from ..store import Form, Held, Totals
from ..values import Collection

# The state of a version that another one with the same text replaces.
OUTDATED = case((versions.c.source == versions.c.number, State.BARE), else_=State.DEAD)
PREPARED_MICROS = 86_400 * 1_000_000  # for which an abandoned re-index may be resumed


def new_number(connection: Connection) -> int:
    """Returns a number that nothing has had: the milliseconds since 1970, or one more than the last number."""
    last = numbers.c.last
    time = clock.now(connection) // 1000
    greater = func.max if connection.dialect.name == "sqlite" else func.greatest
    number: int = connection.execute(
        update(numbers).where(numbers.c.row == 1).values(last=greater(last + 1, time)).returning(last)
    ).scalar_one()
    return number


def create(connection: Connection, id_: str, display_name: str, form: Form, most: int) -> Held:
    """Create a collection; see `Store`."""
    if connection.execute(select(func.count()).select_from(collections)).scalar_one() >= most:
        raise Full(f"the server has {most:,} collections, which is the most that its settings allow")
    row = {
        "number": new_number(connection),
        "id": id_,
        "display_name": display_name,
        **_form(form),
        **dict.fromkeys(("document_count", "chunk_count", "changes"), 0),
        **_NO_NEXT,
        "created": clock.now(connection),
    }
    try:
        connection.execute(insert(collections).values(row))
    except IntegrityError:
        raise Taken(f"there is a collection {id_!r} already") from None
    return get(connection, id_)


def get(connection: Connection, id_: str) -> Held:
    """Returns a collection; see `Store`."""
    if not may_be_id(id_):
        raise no_collection(id_)
    row = connection.execute(select(collections).where(collections.c.id == id_)).one_or_none()
    if row is None:
        raise no_collection(id_)
    return _held(row)


def after(connection: Connection, id_: str, limit: int) -> list[Collection]:
    """Returns a page of collections; see `Store`."""
    rows = connection.execute(select(collections).where(collections.c.id > id_).order_by(collections.c.id).limit(limit))
    return [_held(row).collection for row in rows]


def remove(connection: Connection, held: Held, *, force: bool) -> None:
    """Delete a collection; see `Store`. The rows of its versions and their chunks are swept."""
    gone = connection.execute(
        delete(collections).where(collections.c.number == held.number).returning(collections.c.document_count)
    ).scalar_one_or_none()
    if gone is None:
        raise no_collection(held.collection.id)
    if gone and not force:
        text = f"the collection {held.collection.id!r} has {gone:,} documents; set `force` to delete them too"
        raise NotEmpty(text)
    connection.execute(delete(documents).where(documents.c.collection == held.number))
    connection.execute(update(versions).where(versions.c.collection == held.number).values(state=State.DEAD))


def lock(connection: Connection, held: Held) -> Held:
    """Lock a collection until the transaction ends, count a change, and return it as it is now. Raises NotFound.

    Changes thus become visible in their order, and an index that has seen number n misses none before it.
    """
    row = connection.execute(
        update(collections)
        .where(collections.c.number == held.number)
        .values(changes=collections.c.changes + 1)
        .returning(collections)
    ).one_or_none()
    if row is None:
        raise no_collection(held.collection.id)
    return _held(row)


def count(connection: Connection, held: Held, *, added_documents: int, added_chunks: int) -> None:
    """Add to the counts of a collection."""
    connection.execute(
        update(collections)
        .where(collections.c.number == held.number)
        .values(
            document_count=collections.c.document_count + added_documents,
            chunk_count=collections.c.chunk_count + added_chunks,
        )
    )


def reshape(connection: Connection, held: Held, form: Form) -> Held:
    """Set how documents are divided, or the next model; see `Store`."""
    current = lock(connection, held)
    of_this = update(collections).where(collections.c.number == held.number)
    if current.next_form is not None and current.next_form != form:
        text = f"the collection {held.collection.id!r} is being indexed again with {current.next_form.model!r}"
        raise Reindexing(f"{text}; repeat that request, or try again when it is done or was given up for a day")
    if form.model == current.form.model:
        connection.execute(of_this.values(_form(form)))
    else:
        until = clock.now(connection) + PREPARED_MICROS
        named = {"next_model": form.model, "next_dimension": form.dimension, "next_until": until}
        sizes = {"next_tokens": form.chunk_tokens, "next_overlap": form.chunk_overlap}
        connection.execute(of_this.values({**named, **sizes}))
    return get(connection, held.collection.id)


def switch(connection: Connection, held: Held) -> bool:
    """Make the next model the model, with the versions that were prepared; see `Store`."""
    current = lock(connection, held)
    if current.next_form is None:
        if held.next_form is not None and held.next_form.model != current.form.model:
            text = f"the re-index of the collection {held.collection.id!r} with {held.next_form.model!r} was given up"
            raise Reindexing(f"{text} meanwhile; begin it again")
        return True
    of_this = documents.c.collection == held.number
    if connection.scalar(select(documents.c.id).where(of_this, documents.c.next_version == 0).limit(1)) is not None:
        return False
    mine = versions.c.collection == held.number
    connection.execute(update(versions).where(mine, versions.c.state == State.VISIBLE).values(state=OUTDATED))
    connection.execute(update(versions).where(mine, versions.c.state == State.PREPARED).values(state=State.VISIBLE))
    number = documents.c.next_version
    counted = select(versions.c.chunk_count).where(versions.c.number == number).scalar_subquery()
    connection.execute(
        update(documents)
        .where(of_this)
        .values(version=number, next_version=0, changed=current.changes, chunk_count=counted)
    )
    total = select(func.coalesce(func.sum(documents.c.chunk_count), 0)).where(of_this).scalar_subquery()
    connection.execute(
        update(collections)
        .where(collections.c.number == held.number)
        .values({**_form(current.next_form), **_NO_NEXT, "chunk_count": total})
    )
    return True


def keep_preparing(connection: Connection, held: Held) -> None:
    """Keep what a re-index has prepared for another day."""
    until = clock.now(connection) + PREPARED_MICROS
    connection.execute(update(collections).where(collections.c.number == held.number).values(next_until=until))


def give_up(connection: Connection) -> None:
    """Drop what re-indexes prepared that nobody has continued for a day."""
    due = (collections.c.next_until > 0) & (collections.c.next_until < clock.now(connection))
    # By the update itself, since another process may go on with a re-index at this moment.
    given_up = update(collections).where(due).values(_NO_NEXT).returning(collections.c.number)
    for number in connection.scalars(given_up).all():
        _drop_prepared(connection, number)


def abandon(connection: Connection, held: Held, form: Form) -> None:
    """Drop what was prepared in a form; see `Store`."""
    if lock(connection, held).next_form == form:
        connection.execute(update(collections).where(collections.c.number == held.number).values(_NO_NEXT))
        _drop_prepared(connection, held.number)


def _drop_prepared(connection: Connection, number: int) -> None:
    mine = versions.c.collection == number
    connection.execute(update(versions).where(mine, versions.c.state == State.PREPARED).values(state=State.DEAD))
    connection.execute(update(documents).where(documents.c.collection == number).values(next_version=0))


def existing(connection: Connection, some: Iterable[int]) -> set[int]:
    """Returns those of some numbers that are collections; see `Store`."""
    return set(connection.scalars(select(collections.c.number).where(collections.c.number.in_(some))))


def totals(connection: Connection) -> Totals:
    """Returns the sizes for metrics; see `Store`."""
    of = collections.c
    sums = (func.coalesce(func.sum(column), 0) for column in (of.document_count, of.chunk_count))
    made, documents_, chunks = connection.execute(select(func.count(), *sums).select_from(collections)).one()
    return Totals(made, int(documents_), int(chunks))


_NO_NEXT: dict[str, Any] = {
    "next_model": "",
    "next_dimension": 0,
    "next_tokens": 0,
    "next_overlap": 0,
    "next_until": 0,
}


def _form(form: Form) -> dict[str, Any]:
    return {
        "model": form.model,
        "dimension": form.dimension,
        "chunk_tokens": form.chunk_tokens,
        "chunk_overlap": form.chunk_overlap,
    }


def _held(row: Row[Any]) -> Held:
    collection = Collection(
        id=row.id,
        display_name=row.display_name,
        embedding_model=row.model,
        dimension=row.dimension,
        chunk_tokens=row.chunk_tokens,
        chunk_overlap=row.chunk_overlap,
        document_count=row.document_count,
        chunk_count=row.chunk_count,
        created=from_micros(row.created),
    )
    next_form = Form(
        model=row.next_model,
        dimension=row.next_dimension,
        chunk_tokens=row.next_tokens,
        chunk_overlap=row.next_overlap,
    )
    return Held(
        number=row.number,
        changes=row.changes,
        collection=collection,
        next_form=next_form if row.next_model else None,
    )
