"""The tables, as SQLAlchemy sees them. How a database gets them is `migrations`'.

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

# SQLite's strict tables know INTEGER, which is 64 bits there, and REAL.
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
    Column("request_id", Text, nullable=False),  # empty: none
    Column("digest", LargeBinary, nullable=False),
    Column("total", Big, nullable=False),
    *_counts(),  # of slots that are closed; those of open ones come on top
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

# A worker's hold on a job. The id is the fencing token, and no id is ever used twice.
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

# The tables of a job's many rows have no foreign keys: they are written only in transactions that hold the job's row
# or a slot of it, and a look-up for each of a million rows would check what cannot be otherwise.

# What has become of an item: a narrow row, since it is written again and again. An item is held where it has a slot,
# has ended where it has a time of that, and waits otherwise.
items = Table(
    "batch_items",
    metadata,
    Column("job_key", Big, nullable=False, autoincrement=False),
    Column("item_index", Big, nullable=False, autoincrement=False),
    Column("phase", Integer, nullable=False, server_default=text("0")),  # the one it is in; their number: through all
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # how often that phase was begun
    Column("not_before", Big, nullable=False, server_default=text("0")),  # 0: may be begun now
    Column("alone", Integer, nullable=False, server_default=text("0")),  # 1: may have ended a worker; let it be seen
    Column("slot", Big),
    Column("ended", Big),
    Column("failed", Integer, nullable=False, server_default=text("0")),
    Column("error", Text, nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("job_key", "item_index"),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

# Statements repeat these conditions word by word: otherwise neither database would use the indexes. They name no more
# columns than they must, since an index is written whenever a column is that it names.
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

# What items came with. Beside them, since it may be megabytes and never changes.
inputs = Table(
    "batch_inputs",
    metadata,
    Column("job_key", Big, primary_key=True, autoincrement=False),
    Column("item_index", Big, primary_key=True, autoincrement=False),
    Column("input", Text, nullable=False),
    Column("metadata", Text, nullable=False),  # JSON; empty: none
    Column("size", Big, nullable=False),  # of both, so that a page can be cut before it is read
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

# A blob's row is written after its last piece: a blob that has a row is whole.
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

# Which blobs jobs name. Of a fixed length, since there is a limit to what an index takes, and inputs may be megabytes.
INPUT_IS_BLOB, OUTPUT_IS_BLOB = (
    text(f"substr({column}, 1, 5) = 'blob:' AND length({column}) = 69") for column in ("input", "output")
)
for _column, _where in ((inputs.c.input, INPUT_IS_BLOB), (results.c.output, OUTPUT_IS_BLOB)):
    Index(f"ix_{_column.table.name}_blob", _column, sqlite_where=_where, postgresql_where=_where)

# Jobs that are being removed: they have no row any more, and those of their items go piece by piece.
purges = Table(
    "batch_purges",
    metadata,
    Column("job_key", Big, primary_key=True, autoincrement=False),
    Column("total", Big, nullable=False),
    Column("done", Big, nullable=False),  # items below this index are gone
    sqlite_strict=True,
)
