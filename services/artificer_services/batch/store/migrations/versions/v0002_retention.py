"""Tables and indexes for retention: the jobs being removed, and the blobs that jobs reference."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NAMES = (("inputs", "input"), ("phase_results", "output"))


def upgrade() -> None:
    """Add a table, and two indexes over inputs and outputs that are blobs."""
    op.create_table(
        "batch_purges",
        sa.Column("job_key", _BIG, nullable=False, autoincrement=False),
        sa.Column("total", _BIG, nullable=False),
        sa.Column("done", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("job_key", name="pk_batch_purges"),
        sqlite_strict=True,
    )
    for table, column in _NAMES:
        where = sa.text(f"substr({column}, 1, 5) = 'blob:' AND length({column}) = 69")
        op.create_index(
            f"ix_batch_{table}_blob", f"batch_{table}", [column], sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    """Drop them; rows of half-removed jobs stay behind."""
    for table, _ in _NAMES:
        op.drop_index(f"ix_batch_{table}_blob", f"batch_{table}")
    op.drop_table("batch_purges")
