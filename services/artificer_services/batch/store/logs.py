"""Reads and writes the logs of jobs.

Knows no item but by its index.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from ..jobs.job import LogEntry, LogLine
from . import schema
from .base import LOGS, SqlBase, key_of
from .language import ZERO, Now, Statement, adding, given
from .rows import storable
from .session import Tx

_LOG = schema.logs.c

_WRITE = adding(schema.logs, "job_key", "item_index", "phase", "level", "message", "worker", "created")
_chosen = (
    select(_LOG.id, _LOG.level, _LOG.message, _LOG.created, _LOG.item_index, _LOG.phase, _LOG.worker)
    .where(_LOG.job_key == given("job"), _LOG.id > given("seen"))
    .order_by(_LOG.id)
    .limit(given("most"))
    .offset(ZERO)
)
_READ = Statement(_chosen)
_NOW = Statement(select(Now()))
_READ_ITEM = Statement(_chosen.where(_LOG.item_index == given("index"), schema.OF_ITEM))


class SqlLogs(SqlBase):
    """The part of the store that keeps log lines; see `Store`."""

    def logs(self, job_id: str, *, item: int | None, after: int, limit: int) -> list[LogEntry]:
        """Returns log lines with an id above `after`; see `Store`."""
        with self._database.read() as tx:
            params = {"job": key_of(tx, job_id), "seen": after, "most": limit}
            rows = tx.run(_READ, params) if item is None else tx.run(_READ_ITEM, {**params, "index": item})
        return [
            LogEntry(
                id=id_,
                line=LogLine(level=level, message=message, time=time, item=index, phase=phase, worker=worker),
            )
            for id_, level, message, time, index, phase, worker in rows
        ]

    def log(self, job_id: str, lines: Sequence[LogLine]) -> None:
        """Write log lines outside of a slot; see `Store`."""
        with self._database.write() as tx:
            write_lines(tx, key_of(tx, job_id), lines)


def write_lines(tx: Tx, job_key: int, lines: Sequence[LogLine]) -> None:
    """Write log lines, as the last step of a transaction.

    The lock keeps other writers of the job's log out until the commit: ids become visible in order, and a reader that
    resumes after an id misses nothing.
    """
    if not lines:
        return
    tx.lock(LOGS, job_key)
    (now,) = tx.one(_NOW, {}) if any(line.time is None for line in lines) else (None,)
    tx.many(
        _WRITE,
        [
            {
                "job_key": job_key,
                "item_index": line.item,
                "phase": storable(line.phase),
                "level": line.level,
                "message": storable(line.message),
                "worker": storable(line.worker),
                "created": now if line.time is None else line.time,
            }
            for line in lines
        ],
    )
