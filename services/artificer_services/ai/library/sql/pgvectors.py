"""The statements for PostgreSQL's own vectors: a copy of `rag_vectors`, in a table that is there if pgvector is.

Whether it is there was decided when the tables were made, so that all processes agree. Large collections have an index
of their own, since its dimension is fixed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from ...models.values import Vectors
from ..schema import POSITION_BITS, State
from ..store import Held, Numbers
from ..words import Ranked

_EF_SEARCH = 512  # candidates of a search, as in the graphs in memory
_COMPARED = 2000  # versions whose vectors are compared one by one, rather than by the index


def present(connection: Connection) -> bool:
    """Whether the database has the table."""
    if connection.dialect.name != "postgresql":
        return False
    return bool(connection.scalar(text("SELECT to_regclass('rag_pgvectors') IS NOT NULL")))


def insert(connection: Connection, collection: int, numbers: Sequence[int], vectors: Vectors) -> None:
    """Add vectors, if the database has the table."""
    if not present(connection):
        return
    given = {"collection": collection, "dimension": vectors.shape[1]}
    statement = text("INSERT INTO rag_pgvectors VALUES (:number, :collection, :dimension, CAST(:vector AS halfvec))")
    rows = zip(numbers, vectors, strict=True)
    connection.execute(statement, [{**given, "number": number, "vector": literal(vector)} for number, vector in rows])


def delete(connection: Connection, first: int, last: int) -> None:
    """Delete the vectors of chunks from number `first` to before `last`, if the database has the table."""
    if present(connection):
        statement = text("DELETE FROM rag_pgvectors WHERE number >= :first AND number < :last")
        connection.execute(statement, {"first": first, "last": last})


def nearest(connection: Connection, held: Held, vector: Vectors, limit: int, among: Numbers | None) -> list[Ranked]:
    """Returns the visible chunks closest to a vector: by the collection's index, if it has one."""
    dimension = held.form.dimension
    distance = f"p.vector::halfvec({dimension}) <#> CAST(:vector AS halfvec({dimension}))"
    source = f"rag_pgvectors p JOIN rag_versions v ON v.number = p.number >> {POSITION_BITS}"
    where = f"{_mine(held)} AND v.state = {int(State.VISIBLE)} AND v.model = :model"
    given: dict[str, object] = {"vector": literal(vector), "limit": limit, "model": held.form.model}
    if among is not None:
        given["versions"] = among.tolist()
        if len(among) <= _COMPARED:
            width = 1 << POSITION_BITS
            inside = f"number >= u.version * {width} AND number < u.version * {width} + {width}"
            source = "unnest(CAST(:versions AS bigint[])) u(version) "
            source += f"CROSS JOIN LATERAL (SELECT * FROM rag_pgvectors WHERE {inside} OFFSET 0) p "  # noqa: S608
            source += "JOIN rag_versions v ON v.number = u.version"
        else:
            where += " AND v.number = ANY(CAST(:versions AS bigint[]))"
    asked = text(
        f"SELECT p.number, -({distance}) AS score FROM {source} WHERE {where} ORDER BY {distance} LIMIT :limit"  # noqa: S608
    )
    with connection.begin():
        # An index returns further candidates when a filter leaves too few (pgvector 0.8).
        connection.execute(text(f"SET LOCAL hnsw.ef_search = {max(_EF_SEARCH, min(limit, 1000))}"))
        connection.execute(text("SET LOCAL hnsw.iterative_scan = strict_order"))
        rows = connection.execute(asked, given).all()
    return [Ranked(row.number, min(float(row.score), 1.0)) for row in rows]


def indexed(connection: Connection, held: Held) -> bool:
    """Whether a collection has a valid index of its own."""
    asked = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(connection.scalar(asked, {"name": _name(held)}))


def build(connection: Connection, held: Held) -> None:
    """Build the index of a collection while it is read and written, and drop one of another dimension.

    Runs outside of a transaction; the advisory lock keeps two processes from building it at once.
    """
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": held.number}):
        return
    try:
        if not indexed(connection, held):
            connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {_name(held)}"))
            expression = f"((vector::halfvec({held.form.dimension})) halfvec_ip_ops)"
            table = f"rag_pgvectors USING hnsw {expression} WHERE {_mine(held, '')}"
            connection.execute(text(f"CREATE INDEX CONCURRENTLY {_name(held)} ON {table}"))
        names = text("SELECT indexname FROM pg_indexes WHERE tablename = 'rag_pgvectors' AND indexname LIKE :start")
        for name in connection.scalars(names, {"start": f"{_start(held.number)}%"}).all():
            if name != _name(held):
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": held.number})


def drop(connection: Connection, number: int) -> None:
    """Drop the indexes of a collection that was deleted."""
    names = text("SELECT indexname FROM pg_indexes WHERE tablename = 'rag_pgvectors' AND indexname LIKE :start")
    for name in connection.scalars(names, {"start": f"{_start(number)}%"}).all():
        connection.execute(text(f"DROP INDEX IF EXISTS {name}"))


def literal(vector: Vectors) -> str:
    """Returns a vector as pgvector reads it."""
    return f"[{','.join(map(str, vector.tolist()))}]"


def _start(number: int) -> str:
    return f"ix_rag_pgvectors_c{number}_"


def _name(held: Held) -> str:
    return f"{_start(held.number)}{held.form.dimension}"


def _mine(held: Held, table: str = "p.") -> str:
    # Numbers as they are, not parameters: PostgreSQL compares the condition with that of the partial index.
    return f"{table}collection = {int(held.number)} AND {table}dimension = {int(held.form.dimension)}"
