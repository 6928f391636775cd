"""PostgreSQL's own vectors, where the server has the extension pgvector and lets this role create it."""

from __future__ import annotations

import numpy
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BATCH = 1000

_VECTORS = sa.text("""
    SELECT x.number, v.collection, v.dimension, x.vector FROM rag_vectors x
    JOIN rag_versions v ON v.number = x.number >> 20 WHERE x.number > :after ORDER BY x.number LIMIT :batch
""")
_INSERT = sa.text("INSERT INTO rag_pgvectors VALUES (:number, :collection, :dimension, CAST(:vector AS halfvec))")
# Searches set hnsw.iterative_scan, which 0.8 has, and 0.7 refuses as an unknown name with its prefix.
_RECENT = sa.text(
    "SELECT (split_part(extversion, '.', 1)::int, split_part(extversion, '.', 2)::int) >= (0, 8) "
    "FROM pg_extension WHERE extname = 'vector'"
)


def upgrade() -> None:
    """Create the table, and copy the vectors there are."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql" or not _extended(connection):
        return
    # No index of the vectors yet: each large collection gets its own.
    op.execute(
        "CREATE TABLE rag_pgvectors (number BIGINT CONSTRAINT pk_rag_pgvectors PRIMARY KEY, "
        "collection BIGINT NOT NULL, dimension INTEGER NOT NULL, vector halfvec NOT NULL)"
    )
    op.execute("CREATE INDEX ix_rag_pgvectors_collection ON rag_pgvectors (collection, dimension)")
    after = -1
    while rows := connection.execute(_VECTORS, {"after": after, "batch": _BATCH}).all():
        made = [dict(row._mapping) | {"vector": _text(row.vector)} for row in rows]
        connection.execute(_INSERT, made)
        after = rows[-1].number


def _text(vector: bytes) -> str:
    return f"[{','.join(map(str, numpy.frombuffer(vector, '<f4').tolist()))}]"


def _extended(connection: sa.Connection) -> bool:
    """Create the extension if it can be; returns whether it is there, of a version that the searches need."""
    known = sa.text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
    if connection.execute(known).first() is None:
        return False
    attempt = connection.begin_nested()
    try:
        connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS vector"))
        connection.execute(sa.text("SELECT CAST('[1]' AS halfvec)"))  # pgvector 0.7
        recent = bool(connection.scalar(_RECENT))
    except sa.exc.DBAPIError:
        attempt.rollback()
        return False
    attempt.commit()
    return recent


def downgrade() -> None:
    """Drop the table; the vectors stay in rag_vectors, and the extension may be used by others."""
    op.execute("DROP TABLE IF EXISTS rag_pgvectors")
