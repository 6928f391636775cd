"""Channels, messages and their files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "chat_channels",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("last_sequence", _BIG, nullable=False),
        sa.Column("last_time", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chat_channels"),
        sqlite_strict=True,
    )
    op.create_table(
        "chat_messages",
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("sequence", _BIG, nullable=False, autoincrement=False),
        sa.Column("created", _BIG, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("file_count", sa.Integer, nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["channel"], ["chat_channels.name"], name="fk_chat_messages"),
        sa.PrimaryKeyConstraint("channel", "sequence", name="pk_chat_messages"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_chat_messages_request",
        "chat_messages",
        ["channel", "user_id", "request_id"],
        unique=True,
        sqlite_where=sa.text("request_id <> ''"),
        postgresql_where=sa.text("request_id <> ''"),
    )
    op.create_table(
        "chat_files",
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("sequence", _BIG, nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["channel", "sequence"], ["chat_messages.channel", "chat_messages.sequence"], name="fk_chat_files"
        ),
        sa.PrimaryKeyConstraint("channel", "sequence", "position", name="pk_chat_files"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Drop the tables and their data."""
    op.drop_table("chat_files")
    op.drop_table("chat_messages")
    op.drop_table("chat_channels")
