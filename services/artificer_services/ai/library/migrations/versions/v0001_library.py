"""Collections, documents, their versions, texts, chunks, words and vectors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, _BIG, nullable=False, autoincrement=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, autoincrement=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "rag_numbers",
        _number("row"),
        _big("last"),
        sa.PrimaryKeyConstraint("row", name="pk_rag_numbers"),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO rag_numbers VALUES (1, 0)")
    op.create_table(
        "rag_collections",
        _big("number"),
        *(_text("id"), _text("display_name"), _text("model")),
        *(_number("dimension"), _number("chunk_tokens"), _number("chunk_overlap")),
        *(_big("document_count"), _big("chunk_count"), _big("changes"), _big("created")),
        *(_text("next_model"), _number("next_dimension"), _number("next_tokens"), _number("next_overlap")),
        _big("next_until"),
        sa.PrimaryKeyConstraint("number", name="pk_rag_collections"),
        sqlite_strict=True,
    )
    op.create_index("ix_rag_collections_id", "rag_collections", ["id"], unique=True)
    op.create_table(
        "rag_documents",
        *(_big("collection"), _text("id"), _big("version"), _big("next_version"), _big("changed")),
        *(_text("display_name"), _text("metadata"), _text("content_type")),
        *(_number("page_count"), _number("chunk_count"), _number("character_count"), _big("created")),
        sa.PrimaryKeyConstraint("collection", "id", name="pk_rag_documents"),
        sqlite_strict=True,
    )
    op.create_index("ix_rag_documents_version", "rag_documents", ["version"], unique=True)
    op.create_index("ix_rag_documents_changed", "rag_documents", ["collection", "changed", "version", "chunk_count"])
    op.create_table(
        "rag_versions",
        *(_big("number"), _big("collection"), _big("source"), _number("state"), _big("until")),
        *(_text("model"), _number("dimension"), _number("chunk_count")),
        sa.PrimaryKeyConstraint("number", name="pk_rag_versions"),
        sqlite_strict=True,
    )
    op.create_index("ix_rag_versions_state", "rag_versions", ["state", "until"])
    op.create_index("ix_rag_versions_collection", "rag_versions", ["collection"])
    op.create_table(
        "rag_texts",
        *(_big("version"), _text("text"), _text("pages")),
        sa.PrimaryKeyConstraint("version", name="pk_rag_texts"),
        sqlite_strict=True,
    )
    op.create_table(
        "rag_attributes",
        *(_big("version"), _text("name"), _text("value"), _big("collection")),
        sa.PrimaryKeyConstraint("version", "name", name="pk_rag_attributes"),
        sqlite_strict=True,
    )
    op.create_index("ix_rag_attributes_value", "rag_attributes", ["collection", "name", "value", "version"])
    op.create_table(
        "rag_chunks",
        *(_big("number"), _text("text"), _number("start_at"), _number("end_at"), _number("page"), _number("last_page")),
        *(_text("headings"), _number("tokens")),
        sa.PrimaryKeyConstraint("number", name="pk_rag_chunks"),
        sqlite_strict=True,
    )
    op.create_table(
        "rag_vectors",
        *(_big("number"), sa.Column("vector", sa.LargeBinary, nullable=False)),
        sa.PrimaryKeyConstraint("number", name="pk_rag_vectors"),
        sqlite_strict=True,
    )
    _create_words()


def _create_words() -> None:
    """Create the table of words, which `words` describes: each database has its own full-text search."""
    if op.get_bind().dialect.name == "sqlite":
        # unicode61 folds case; 2 strips accents of every form of Unicode (sqlite.org/fts5.html, section 4.3.1).
        tokenize = "unicode61 remove_diacritics 2 categories ''L* N* Co M*''"
        op.execute(f"CREATE VIRTUAL TABLE rag_words USING fts5(scope, body, tokenize = '{tokenize}')")
        return
    op.create_table(
        "rag_words",
        _big("number"),
        sa.Column("words", sa.dialects.postgresql.TSVECTOR, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_rag_words"),
    )
    op.create_index("ix_rag_words_words", "rag_words", ["words"], postgresql_using="gin")


def downgrade() -> None:
    """Drop the tables and their data."""
    for name in ("words", "vectors", "chunks", "attributes", "texts"):
        op.drop_table(f"rag_{name}")
    for name in ("versions", "documents", "collections", "numbers"):
        op.drop_table(f"rag_{name}")
