"""The statements that searches need: vectors for an index, the versions that a filter lets through, passages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from sqlalchemy import Connection, Join, Select, select

from ..schema import (
    POSITION_BITS,
    attributes,
    chunks,
    collections,
    documents,
    first_chunk,
    vectors,
    version_of,
    versions,
)
from ..store import Held, Numbers, Stacked
from ..values import Passage
from .documents import chunk_of

_ROWS = 4096  # vectors that are fetched at once
_LISTED = 500  # versions in one statement


def vectors_since(connection: Connection, held: Held, changes: int) -> Stacked:
    """Returns the vectors of documents that became visible since; see `Store`."""
    width = 1 << POSITION_BITS
    inside = (
        vectors.c.number >= documents.c.version * width,
        vectors.c.number < documents.c.version * width + width,
    )
    asked = (
        select(vectors)
        .select_from(_of_model(held))
        .join(vectors, inside[0] & inside[1])
        .where(documents.c.collection == held.number, documents.c.changed > changes)
    )
    return _stack(connection, held, [asked])


def vectors_of(connection: Connection, held: Held, wanted: Sequence[int]) -> Stacked:
    """Returns the vectors of versions; see `Store`."""
    asked = (
        select(vectors).where(vectors.c.number >= first_chunk(version), vectors.c.number < first_chunk(version + 1))
        for version in wanted
    )
    return _stack(connection, held, asked)


def _stack(connection: Connection, held: Held, asked: Any) -> Stacked:
    dimension = held.collection.dimension
    numbers: list[Any] = [numpy.empty(0, numpy.int64)]
    parts: list[Any] = [numpy.empty((0, dimension), numpy.float32)]
    size = dimension * 4
    for statement in asked:
        rows = connection.execution_options(yield_per=_ROWS).execute(statement)
        for some in rows.partitions():
            # A collection that has got another model meanwhile has vectors of another size; the next search sees that.
            fit = [(number, bytes(vector)) for number, vector in some if len(vector) == size]
            if not fit:
                continue
            numbers.append(numpy.fromiter((number for number, _ in fit), numpy.int64, len(fit)))
            joined = b"".join(vector for _, vector in fit)
            parts.append(numpy.frombuffer(joined, "<f4").reshape(-1, dimension))
    return Stacked(numpy.concatenate(numbers), numpy.concatenate(parts))


def versions_of(connection: Connection, held: Held, filter_: Mapping[str, str] | None) -> Numbers:
    """Returns the visible versions that a filter lets through; see `Store`."""
    mine = documents.c.collection == held.number
    asked: Select[Any] = select(documents.c.version).select_from(_of_model(held)).where(mine)
    for name, value in (filter_ or {}).items():
        has = attributes.alias()
        asked = asked.join(has, has.c.version == versions.c.source).where(
            has.c.collection == held.number, has.c.name == name, has.c.value == value
        )
    found = connection.scalars(asked).all()
    return numpy.sort(numpy.fromiter(found, numpy.int64, len(found)))


def _of_model(held: Held) -> Join:
    """Returns the documents whose vectors are of a model: none, if the collection has got another one meanwhile."""
    same = (versions.c.number == documents.c.version) & (versions.c.model == held.form.model)
    return documents.join(versions, same)


def passages(connection: Connection, wanted: Sequence[int]) -> dict[int, Passage]:
    """Returns the chunks that are visible now by their numbers; see `Store`."""
    found: dict[int, Passage] = {}
    for at in range(0, len(wanted), _LISTED):
        found |= _passages(connection, wanted[at : at + _LISTED])
    return found


def _passages(connection: Connection, wanted: Sequence[int]) -> dict[int, Passage]:
    # The documents are looked up by themselves: by an expression, PostgreSQL would read all of them.
    known = connection.execute(
        select(documents, collections.c.id.label("collection_id"))
        .join(collections, collections.c.number == documents.c.collection)
        .where(documents.c.version.in_({version_of(chunk) for chunk in wanted}))
    )
    owners = {row.version: row for row in known}
    found: dict[int, Passage] = {}
    for row in connection.execute(select(chunks).where(chunks.c.number.in_(wanted))):
        version = version_of(row.number)
        owner = owners.get(version)
        if owner is not None:
            found[row.number] = Passage(
                collection=owner.collection_id,
                document=owner.id,
                document_name=owner.display_name,
                metadata=json.loads(owner.metadata),
                chunk=chunk_of(row, row.number - first_chunk(version)),
                score=0.0,
            )
    return found
