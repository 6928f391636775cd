"""The tables as SQLAlchemy sees them; `migrations` creates them.

Times are in microseconds since 1970, cost in millionths of a US dollar, sizes in bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

# SQLite's strict tables have INTEGER (64 bits) and REAL.
Big = BigInteger().with_variant(Integer, "sqlite")
Real: TypeEngine[float] = Double().with_variant(REAL, "sqlite")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


def _counts() -> list[Column[int]]:
    return [
        Column(name, Big, nullable=False, server_default=text("0"))
        for name in ("completed", "failed", "steps", "tokens", "cost_micros")
    ]


jobs = Table(
    "batch_jobs",
    metadata,
    Column("key", Big, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("phases", Text, nullable=False),  # JSON
    Column("concurrency", Integer, nullable=False),
    Column("checkpoint_frequency", Integer, nullable=False),
    Column("auto_start", Integer, nullable=False),
    Column("request_id", Text, nullable=False),  # empty if there is none
    Column("digest", LargeBinary, nullable=False),
    Column("total", Big, nullable=False),
    *_counts(),  # of closed slots; those of open slots come on top
    Column("created", Big, nullable=False),
    Column("started", Big),
    Column("ended", Big),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

HAS_REQUEST_ID = text("request_id <> ''")
RUNS = text("state = 'RUNNING'")

Index(
    "ix_batch_jobs_request",
    jobs.c.project_id,
    jobs.c.request_id,
    unique=True,
    sqlite_where=HAS_REQUEST_ID,
    postgresql_where=HAS_REQUEST_ID,
)
Index("ix_batch_jobs_project", jobs.c.project_id, jobs.c.key)
Index("ix_batch_jobs_running", jobs.c.key, sqlite_where=RUNS, postgresql_where=RUNS)

# The slots of workers on jobs. The id is the fencing token; AUTOINCREMENT never reuses one.
slots = Table(
    "batch_slots",
    metadata,
    Column("id", Big, primary_key=True),
    Column("job_key", Big, ForeignKey(jobs.c.key), nullable=False),
    Column("worker", Text, nullable=False),
    Column("expires", Big, nullable=False),
    *_counts(),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)
Index("ix_batch_slots_job", slots.c.job_key)

# The tables with many rows per job have no foreign keys: only transactions that hold the job's row or a slot write
# them, and a look-up for each of a million rows would check what always holds.

# The state of an item: a narrow row, because it is updated often. An item is claimed if it has a slot, has ended if
# `ended` is set, and waits otherwise.
items = Table(
    "batch_items",
    metadata,
    Column("job_key", Big, nullable=False, autoincrement=False),
    Column("item_index", Big, nullable=False, autoincrement=False),
    Column(
        "phase", Integer, nullable=False, server_default=text("0")
    ),  # the current one; the number of phases once all are done
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # of the current phase
    Column("not_before", Big, nullable=False, server_default=text("0")),  # 0: ready
    Column(
        "alone", Integer, nullable=False, server_default=text("0")
    ),  # 1: suspected of crashing a worker; claimed alone
    Column("slot", Big),
    Column("ended", Big),
    Column("failed", Integer, nullable=False, server_default=text("0")),
    Column("error", Text, nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("job_key", "item_index"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

# Statements repeat these conditions literally: otherwise neither database would use the partial indexes. They name as
# few columns as possible, because an index is updated with every column it names.
_FREE = "slot IS NULL AND ended IS NULL"
READY = text(f"{_FREE} AND not_before = 0 AND alone = 0")
WAITING = text(f"{_FREE} AND not_before > 0")
ALONE = text(f"{_FREE} AND alone = 1")
HELD = text("slot IS NOT NULL")
OPEN = text("ended IS NULL")
ENDED = text("ended IS NOT NULL")
FAILED = text("failed = 1")

_item = items.c
for _name, _columns, _where in (
    ("ready", (_item.job_key, _item.phase.desc(), _item.item_index), READY),
    ("waiting", (_item.job_key, _item.not_before), WAITING),
    ("alone", (_item.job_key, _item.item_index), ALONE),
    ("held", (_item.slot, _item.item_index), HELD),
    ("open", (_item.job_key, _item.phase), OPEN),
    ("ended", (_item.job_key, _item.ended, _item.item_index), ENDED),
    ("failed", (_item.job_key, _item.item_index), FAILED),
):
    Index(f"ix_batch_items_{_name}", *_columns, sqlite_where=_where, postgresql_where=_where)

# The inputs of items, in a table of their own: they may be megabytes and never change.
inputs = Table(
    "batch_inputs",
    metadata,
    Column("job_key", Big, primary_key=True, autoincrement=False),
    Column("item_index", Big, primary_key=True, autoincrement=False),
    Column("input", Text, nullable=False),
    Column("metadata", Text, nullable=False),  # JSON, or empty
    Column("size", Big, nullable=False),  # of input and metadata, so that a page can be cut before it is read
    sqlite_strict=True,
)

results = Table(
    "batch_phase_results",
    metadata,
    Column("job_key", Big, primary_key=True, autoincrement=False),
    Column("item_index", Big, primary_key=True, autoincrement=False),
    Column("phase", Integer, primary_key=True, autoincrement=False),
    Column("output", Text, nullable=False),
    Column("size", Big, nullable=False),
    Column("score", Real),
    Column("attempts", Integer, nullable=False),
    Column("created", Big, nullable=False),
    sqlite_strict=True,
)

logs = Table(
    "batch_logs",
    metadata,
    Column("id", Big, primary_key=True),
    Column("job_key", Big, nullable=False),
    Column("item_index", Big),
    Column("phase", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("created", Big, nullable=False),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)
OF_ITEM = text("item_index IS NOT NULL")
Index("ix_batch_logs_job", logs.c.job_key, logs.c.id)
Index(
    "ix_batch_logs_item",
    logs.c.job_key,
    logs.c.item_index,
    logs.c.id,
    sqlite_where=OF_ITEM,
    postgresql_where=OF_ITEM,
)

# A blob's row is written after its last piece: a blob with a row is complete.
blobs = Table(
    "batch_blobs",
    metadata,
    Column("id", Text, primary_key=True),  # SHA-256 in hexadecimal
    Column("size", Big, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("created", Big, nullable=False),
    sqlite_strict=True,
)
pieces = Table(
    "batch_blob_pieces",
    metadata,
    Column("blob_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_strict=True,
)

# The blobs that jobs reference. The fixed length keeps inputs of megabytes out of the index, whose entries are limited.
INPUT_IS_BLOB, OUTPUT_IS_BLOB = (
    text(f"substr({column}, 1, 5) = 'blob:' AND length({column}) = 69") for column in ("input", "output")
)
for _column, _where in ((inputs.c.input, INPUT_IS_BLOB), (results.c.output, OUTPUT_IS_BLOB)):
    Index(f"ix_{_column.table.name}_blob", _column, sqlite_where=_where, postgresql_where=_where)

# Jobs being removed: their own row is gone, and the rows of their items are deleted piece by piece.
purges = Table(
    "batch_purges",
    metadata,
    Column("job_key", Big, primary_key=True, autoincrement=False),
    Column("total", Big, nullable=False),
    Column("done", Big, nullable=False),  # items below this index are gone
    sqlite_strict=True,
)
