"""The tables as SQLAlchemy describes them; `migrations` creates them.

A document's text, chunks and vectors belong to a *version* of it, which is written unseen and becomes visible when the
document's row names it. A chunk's number is its version's number and its position, so that the chunks of a version are
a range of the primary key.
"""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from ...kit.storage.columns import BIG, table_metadata
from .settings import MOST_CHUNKS

POSITION_BITS = MOST_CHUNKS.bit_length() - 1  # 43 bits stay for the version's number, which is a time in milliseconds

metadata = table_metadata()

# One row. Collections and versions draw their numbers from it: never the same one again, also not after a backup was
# restored, since snapshots of indexes outside the database know versions by their numbers. Hence they are times.
numbers = Table(
    "rag_numbers",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("last", BIG, nullable=False),
    sqlite_strict=True,
)

collections = Table(
    "rag_collections",
    metadata,
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("chunk_tokens", Integer, nullable=False),
    Column("chunk_overlap", Integer, nullable=False),
    Column("document_count", BIG, nullable=False),
    Column("chunk_count", BIG, nullable=False),
    Column("changes", BIG, nullable=False),  # grows with every commit that changes what a search finds
    Column("created", BIG, nullable=False),  # microseconds since 1970, as all times
    # The model that a re-index is preparing vectors of; empty if none is.
    Column("next_model", Text, nullable=False),
    Column("next_dimension", Integer, nullable=False),
    Column("next_tokens", Integer, nullable=False),
    Column("next_overlap", Integer, nullable=False),
    Column("next_until", BIG, nullable=False),  # when what was prepared is given up, unless someone goes on
    Index("ix_rag_collections_id", "id", unique=True),
    sqlite_strict=True,
)

documents = Table(
    "rag_documents",
    metadata,
    Column("collection", BIG, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("version", BIG, nullable=False),
    Column("next_version", BIG, nullable=False),  # of the collection's next model; 0 if there is none
    Column("changed", BIG, nullable=False),  # the collection's `changes` when the version became visible
    Column("display_name", Text, nullable=False),
    Column("metadata", Text, nullable=False),  # JSON
    Column("content_type", Text, nullable=False),
    Column("page_count", Integer, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("character_count", Integer, nullable=False),
    Column("created", BIG, nullable=False),
    Index("ix_rag_documents_version", "version", unique=True),
    Index("ix_rag_documents_changed", "collection", "changed", "version", "chunk_count"),
    sqlite_strict=True,
)


class State(IntEnum):
    """What a version is."""

    STAGED = 0  # being written; swept when nobody renews its lease
    PREPARED = 1  # complete, and visible when the collection's next model takes effect
    VISIBLE = 2
    DEAD = 3  # replaced or deleted, to be swept
    BARE = 4  # indexed anew: its chunks are to be swept, while its text and metadata are in use
    KEPT = 5  # the same, swept


versions = Table(
    "rag_versions",
    metadata,
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("collection", BIG, nullable=False),
    Column("source", BIG, nullable=False),  # the version that has its text and metadata: itself, unless indexed anew
    Column("state", Integer, nullable=False),
    Column("until", BIG, nullable=False),  # the end of the lease
    Column("model", Text, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Index("ix_rag_versions_state", "state", "until"),
    Index("ix_rag_versions_collection", "collection"),
    sqlite_strict=True,
)

texts = Table(
    "rag_texts",
    metadata,
    Column("version", BIG, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("pages", Text, nullable=False),  # JSON: the number and the first character of each page
    sqlite_strict=True,
)

# A document's metadata once more, as filters look them up.
attributes = Table(
    "rag_attributes",
    metadata,
    Column("version", BIG, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("collection", BIG, nullable=False),
    Index("ix_rag_attributes_value", "collection", "name", "value", "version"),
    sqlite_strict=True,
)

chunks = Table(
    "rag_chunks",
    metadata,
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("start_at", Integer, nullable=False),
    Column("end_at", Integer, nullable=False),
    Column("page", Integer, nullable=False),
    Column("last_page", Integer, nullable=False),
    Column("headings", Text, nullable=False),  # JSON
    Column("tokens", Integer, nullable=False),
    sqlite_strict=True,
)

# Apart from the texts, since an index reads all of them.
vectors = Table(
    "rag_vectors",
    metadata,
    Column("number", BIG, primary_key=True, autoincrement=False),
    Column("vector", LargeBinary, nullable=False),  # float32, little endian, of length 1
    sqlite_strict=True,
)


def first_chunk(version: int) -> int:
    """Returns the number of a version's first chunk; the version after it begins at `first_chunk(version + 1)`."""
    return version << POSITION_BITS


def version_of(chunk: int) -> int:
    """Returns the version of a chunk."""
    return chunk >> POSITION_BITS
