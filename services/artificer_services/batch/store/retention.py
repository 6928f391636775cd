"""Removes jobs that ended long ago with all their rows, and blobs that no job references.

One small transaction removes a job; its many rows follow piece by piece, so that no writer waits long. Removal resumes
where it stopped after any crash.
"""

from __future__ import annotations

import logging

from sqlalchemy import delete, exists, insert, select, update

from . import schema
from .base import SqlBase
from .language import ONE, ZERO, Now, Statement, given
from .session import Tx

_log = logging.getLogger(__name__)

_ITEMS = 200  # per transaction: their inputs and outputs may be megabytes each
_LINES = 2000
_BLOBS = 50  # examined at once

_JOB, _SLOT, _LOG, _BLOB, _PIECE = schema.jobs.c, schema.slots.c, schema.logs.c, schema.blobs.c, schema.pieces.c
_PURGE = schema.purges.c
_job, _keep, _most = given("job"), given("keep", schema.Big), given("most")

_old = (
    select(_JOB.key)
    .where(_JOB.ended < Now() - _keep, ~exists().where(_SLOT.job_key == _JOB.key))
    .order_by(_JOB.key)
    .limit(ONE)
    .offset(ZERO)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_FORGET = Statement(delete(schema.jobs).where(_JOB.key == _old).returning(_JOB.key, _JOB.id, _JOB.total))
_NOTE = Statement(insert(schema.purges).values(job_key=_job, total=given("count"), done=ZERO))
# Several gateways may run this at once, each on a different job.
_NEXT = Statement(
    select(_PURGE.job_key, _PURGE.total, _PURGE.done)
    .order_by(_PURGE.job_key)
    .limit(ONE)
    .offset(ZERO)
    .with_for_update(skip_locked=True)
)
_ROWS = tuple(
    Statement(delete(table).where(table.c.job_key == _job, table.c.item_index < given("below")))
    for table in (schema.items, schema.inputs, schema.results)
)
_some_lines = select(_LOG.id).where(_LOG.job_key == _job).order_by(_LOG.id).limit(_most).offset(ZERO)
_LOG_LINES = Statement(delete(schema.logs).where(_LOG.id.in_(_some_lines)).returning(_LOG.id))
_ADVANCE = Statement(update(schema.purges).where(_PURGE.job_key == _job).values(done=given("below")))
_OVER = Statement(delete(schema.purges).where(_PURGE.job_key == _job))

_OLD_BLOBS = Statement(
    select(_BLOB.id)
    .where(_BLOB.id > given("seen"), _BLOB.created < Now() - _keep)
    .order_by(_BLOB.id)
    .limit(_most)
    .offset(ZERO)
)
_name = given("name")
_NAMED = tuple(
    Statement(select(exists(select(ONE).where(column == _name, condition))))
    for column, condition in (
        (schema.inputs.c.input, schema.INPUT_IS_BLOB),
        (schema.results.c.output, schema.OUTPUT_IS_BLOB),
    )
)
# Checks the row's age again: the same bytes may have just been uploaded again.
_FORGET_BLOB = Statement(
    delete(schema.blobs).where(_BLOB.id == given("blob"), _BLOB.created < Now() - _keep).returning(_BLOB.id)
)
_PIECES = Statement(delete(schema.pieces).where(_PIECE.blob_id == given("blob")))


class SqlRetention(SqlBase):
    """The part of the store that removes old data; see `Store`."""

    def purge(self, keep_seconds: float) -> bool:
        """Remove a piece of the jobs that ended long ago; see `Store`."""
        with self._database.write() as tx:
            row = tx.one(_NEXT, {})
            if row is None:
                return _begin(tx, keep_seconds)
            key, total, done = row
            _remove(tx, key, total, done + _ITEMS)
            return True

    def purge_blobs(self, keep_seconds: float, after: str) -> str | None:
        """Remove blobs that no job references; see `Store`."""
        keep = _micros(keep_seconds)
        with self._database.read() as tx:
            found = [row[0] for row in tx.run(_OLD_BLOBS, {"seen": after, "keep": keep, "most": _BLOBS})]
            unused = [blob for blob in found if not _named(tx, blob)]
        for blob in unused:
            with self._database.write() as tx:
                if not _named(tx, blob) and tx.one(_FORGET_BLOB, {"blob": blob, "keep": keep}) is not None:
                    tx.run(_PIECES, {"blob": blob})
        return found[-1] if found else None


def _begin(tx: Tx, keep_seconds: float) -> bool:
    row = tx.one(_FORGET, {"keep": _micros(keep_seconds)})
    if row is None:
        return False
    key, job_id, total = row
    tx.run(_NOTE, {"job": key, "count": total})
    _log.info("removing job %s, which ended long ago, with its %d items", job_id, total)
    return True


def _remove(tx: Tx, key: int, total: int, below: int) -> None:
    for statement in _ROWS:
        tx.run(statement, {"job": key, "below": below})
    lines = tx.run(_LOG_LINES, {"job": key, "most": _LINES})
    if below >= total and len(lines) < _LINES:
        tx.run(_OVER, {"job": key})
    else:
        tx.run(_ADVANCE, {"job": key, "below": below})


def _named(tx: Tx, blob: str) -> bool:
    return any(tx.one(statement, {"name": f"blob:{blob}"})[0] for statement in _NAMED)


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
