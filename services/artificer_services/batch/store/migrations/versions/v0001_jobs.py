"""Jobs, their items, results and logs, the slots of workers, and blobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_REAL: sa.types.TypeEngine[float] = sa.Double().with_variant(sa.REAL, "sqlite")
_FREE = "slot IS NULL AND ended IS NULL"


def _counts() -> list[sa.Column[int]]:
    return [
        sa.Column(name, _BIG, nullable=False, server_default=sa.text("0"))
        for name in ("completed", "failed", "steps", "tokens", "cost_micros")
    ]


def _index(name: str, table: str, columns: list[str], where: str | None = None, *, unique: bool = False) -> None:
    condition = sa.text(where) if where else None
    # Text stands for a column with its direction.
    parts = [sa.text(column) if " " in column else column for column in columns]
    op.create_index(name, table, parts, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    """Make the tables."""
    _jobs()
    _items()
    _logs()
    _blobs()


def _jobs() -> None:
    op.create_table(
        "batch_jobs",
        sa.Column("key", _BIG, nullable=False, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("phases", sa.Text, nullable=False),
        sa.Column("concurrency", sa.Integer, nullable=False),
        sa.Column("checkpoint_frequency", sa.Integer, nullable=False),
        sa.Column("auto_start", sa.Integer, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("total", _BIG, nullable=False),
        *_counts(),
        sa.Column("created", _BIG, nullable=False),
        sa.Column("started", _BIG),
        sa.Column("ended", _BIG),
        sa.PrimaryKeyConstraint("key", name="pk_batch_jobs"),
        sa.UniqueConstraint("id", name="uq_batch_jobs_id"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    _index("ix_batch_jobs_request", "batch_jobs", ["project_id", "request_id"], "request_id <> ''", unique=True)
    _index("ix_batch_jobs_project", "batch_jobs", ["project_id", "key"])
    _index("ix_batch_jobs_running", "batch_jobs", ["key"], "state = 'RUNNING'")
    op.create_table(
        "batch_slots",
        sa.Column("id", _BIG, nullable=False, primary_key=True),
        sa.Column("job_key", _BIG, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("expires", _BIG, nullable=False),
        *_counts(),
        sa.ForeignKeyConstraint(["job_key"], ["batch_jobs.key"], name="fk_batch_slots"),
        sa.PrimaryKeyConstraint("id", name="pk_batch_slots"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    _index("ix_batch_slots_job", "batch_slots", ["job_key"])


def _items() -> None:
    op.create_table(
        "batch_items",
        sa.Column("job_key", _BIG, nullable=False, autoincrement=False),
        sa.Column("item_index", _BIG, nullable=False, autoincrement=False),
        sa.Column("phase", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("attempt", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("not_before", _BIG, nullable=False, server_default=sa.text("0")),
        sa.Column("alone", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("slot", _BIG),
        sa.Column("ended", _BIG),
        sa.Column("failed", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("error", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("job_key", "item_index", name="pk_batch_items"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    for name, columns, where in (
        ("ready", ["job_key", "phase DESC", "item_index"], f"{_FREE} AND not_before = 0 AND alone = 0"),
        ("waiting", ["job_key", "not_before"], f"{_FREE} AND not_before > 0"),
        ("alone", ["job_key", "item_index"], f"{_FREE} AND alone = 1"),
        ("held", ["slot", "item_index"], "slot IS NOT NULL"),
        ("open", ["job_key", "phase"], "ended IS NULL"),
        ("ended", ["job_key", "ended", "item_index"], "ended IS NOT NULL"),
        ("failed", ["job_key", "item_index"], "failed = 1"),
    ):
        _index(f"ix_batch_items_{name}", "batch_items", columns, where)
    op.create_table(
        "batch_inputs",
        sa.Column("job_key", _BIG, nullable=False, autoincrement=False),
        sa.Column("item_index", _BIG, nullable=False, autoincrement=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("job_key", "item_index", name="pk_batch_inputs"),
        sqlite_strict=True,
    )
    op.create_table(
        "batch_phase_results",
        sa.Column("job_key", _BIG, nullable=False, autoincrement=False),
        sa.Column("item_index", _BIG, nullable=False, autoincrement=False),
        sa.Column("phase", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("score", _REAL),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("job_key", "item_index", "phase", name="pk_batch_phase_results"),
        sqlite_strict=True,
    )


def _logs() -> None:
    op.create_table(
        "batch_logs",
        sa.Column("id", _BIG, nullable=False, primary_key=True),
        sa.Column("job_key", _BIG, nullable=False),
        sa.Column("item_index", _BIG),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch_logs"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    _index("ix_batch_logs_job", "batch_logs", ["job_key", "id"])
    _index("ix_batch_logs_item", "batch_logs", ["job_key", "item_index", "id"], "item_index IS NOT NULL")


def _blobs() -> None:
    op.create_table(
        "batch_blobs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("created", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch_blobs"),
        sqlite_strict=True,
    )
    op.create_table(
        "batch_blob_pieces",
        sa.Column("blob_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("blob_id", "position", name="pk_batch_blob_pieces"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Drop them, jobs and all."""
    for table in ("blob_pieces", "blobs", "logs", "phase_results", "inputs", "items", "slots", "jobs"):
        op.drop_table(f"batch_{table}")
