"""The table of notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "notes",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("notes")
