"""Projects, conversations, their messages, running answers and summaries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_HAS_REQUEST_ID = sa.text("request_id <> ''")


def _request_index(table: str, *columns: str) -> None:
    op.create_index(
        f"ix_{table}_request",
        table,
        [*columns, "request_id"],
        unique=True,
        sqlite_where=_HAS_REQUEST_ID,
        postgresql_where=_HAS_REQUEST_ID,
    )


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "conversation_projects",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text, nullable=False),
        sa.Column("collections", sa.Text, nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.Column("updated", _BIG, nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversation_projects"),
        sqlite_strict=True,
    )
    op.create_index("ix_conversation_projects_created", "conversation_projects", ["created", "id"])
    op.create_table(
        "conversations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("project", sa.Text),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("instructions", sa.Text, nullable=False),
        sa.Column("collections", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("message_count", sa.Integer, nullable=False),
        sa.Column("last_sequence", _BIG, nullable=False),
        sa.Column("forked_from", sa.Text, nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.Column("updated", _BIG, nullable=False),
        sa.Column("revision", _BIG, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["project"], ["conversation_projects.id"], name="fk_conversations"),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        sqlite_strict=True,
    )
    op.create_index("ix_conversations_updated", "conversations", ["updated", "id"])
    op.create_index("ix_conversations_project", "conversations", ["project", "updated", "id"])
    _request_index("conversation_projects", "caller")
    _request_index("conversations", "caller")
    op.create_table(
        "conversation_messages",
        sa.Column("conversation", sa.Text, nullable=False),
        sa.Column("sequence", _BIG, nullable=False, autoincrement=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ending", sa.Text),
        sa.Column("prompt_tokens", _BIG),
        sa.Column("completion_tokens", _BIG),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("citations", sa.Text, nullable=False),
        sa.Column("dropped", sa.Integer, nullable=False),
        sa.Column("summarized", sa.Integer, nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name="fk_conversation_messages"),
        sa.PrimaryKeyConstraint("conversation", "sequence", name="pk_conversation_messages"),
        sqlite_strict=True,
    )
    _request_index("conversation_messages", "conversation")
    op.create_table(
        "conversation_answers",
        sa.Column("conversation", sa.Text, nullable=False),
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease", _BIG, nullable=False),
        sa.Column("stop", sa.Integer, nullable=False),
        sa.Column("replaces", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name="fk_conversation_answers"),
        sa.PrimaryKeyConstraint("conversation", name="pk_conversation_answers"),
        sqlite_strict=True,
    )
    op.create_index("ix_conversation_answers_lease", "conversation_answers", ["lease"])
    op.create_table(
        "conversation_summaries",
        sa.Column("conversation", sa.Text, nullable=False),
        sa.Column("upto", _BIG, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"], name="fk_conversation_summaries"),
        sa.PrimaryKeyConstraint("conversation", name="pk_conversation_summaries"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Drop the tables and their data."""
    for table in ("summaries", "answers", "messages"):
        op.drop_table(f"conversation_{table}")
    op.drop_table("conversations")
    op.drop_table("conversation_projects")
