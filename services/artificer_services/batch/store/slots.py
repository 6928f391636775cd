"""Opens slots, closes them, ends those whose worker is gone, and finds unclaimed work.

Ending a slot locks its row and then the job's, one slot per transaction: the same order everywhere, so there is no
deadlock.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, delete, exists, func, insert, select, update

from ..jobs.errors import LostSlot
from ..jobs.job import LogLine, Phase
from ..jobs.states import MAY_END, JobState, end_of
from ..jobs.work import Backlog, Slot, Swept
from . import schema
from .base import COUNTS, SqlBase
from .held import EndedSlot, give_back, put_back
from .language import ONE, ZERO, Now, Statement, at_least, by, given
from .logs import write_lines
from .rows import phases_of
from .session import Tx

_JOB, _SLOT, _ITEM = schema.jobs.c, schema.slots.c, schema.items.c
_log = logging.getLogger(__name__)

_job, _slot, _worker = given("job"), given("slot_id"), given("holder")

_COUNTED_ITEMS = 1000  # per phase and lane; a backlog needs no exact count beyond that

# Finding work.
_taken = select(func.count()).where(_SLOT.job_key == _JOB.key).correlate(schema.jobs).scalar_subquery()
_roomy: Select[Any] = (
    select(_JOB.key, _JOB.id, _JOB.phases, _JOB.checkpoint_frequency, _JOB.concurrency - _taken)
    .where(schema.RUNS, _taken < _JOB.concurrency)
    .order_by(_taken, _JOB.key)
)
_ROOMY = Statement(_roomy)
_ROOMY_ONE = Statement(_roomy.where(_JOB.id == given("job_id")))
_HOLD = Statement(select(_JOB.id, _JOB.state, _JOB.phases).where(_JOB.key == _job).with_for_update())
_ROOM = Statement(select(_JOB.concurrency - _taken).where(_JOB.key == _job))
_OPEN = Statement(
    insert(schema.slots)
    .values(job_key=_job, worker=_worker, expires=Now() + given("lease", schema.Big))
    .returning(_SLOT.id, _SLOT.expires)
)
_of_job, _in_phase = _ITEM.job_key == _job, _ITEM.phase == given("in_phase")
_due = _ITEM.not_before <= Now()
_free = select(_ITEM.item_index).where(_of_job, _in_phase)
_lanes = (
    by("ready", _free.where(schema.READY)),
    by("waiting", _free.where(schema.WAITING, _due, _ITEM.alone == ZERO)),
    by("alone", _free.where(schema.ALONE, _due)),
)
_READY = tuple(Statement(select(exists(lane))) for lane in _lanes)
_COUNT = tuple(
    Statement(select(func.count()).select_from(lane.limit(given("most")).offset(ZERO).subquery())) for lane in _lanes
)
_NEXT_DUE = Statement(
    select(
        by("waiting", select(func.min(_ITEM.not_before)))
        .where(_ITEM.job_key == _JOB.key, schema.WAITING, _ITEM.not_before > Now())
        .correlate(schema.jobs)
        .scalar_subquery()
        - Now()
    )
    .select_from(schema.jobs)
    .where(schema.RUNS)
)

# Times that were stored before the database's clock was set back.
_SLACK, _FAR = 1_000_000, 4  # microseconds; leases, since another process may have a longer one
_LAST_DUE = Statement(
    select(
        _JOB.key,
        by("waiting", select(func.max(_ITEM.not_before)))
        .where(_ITEM.job_key == _JOB.key, schema.WAITING)
        .correlate(schema.jobs)
        .scalar_subquery(),
        Now(),
    )
    .select_from(schema.jobs)
    .where(schema.RUNS)
)
_DUE_NOW = Statement(
    update(schema.items)
    .where(_of_job, schema.WAITING, _ITEM.not_before > Now() + given("wait", schema.Big))
    .values(not_before=ONE)
)
_far = Now() + given("far", schema.Big)
_FAR_LEASES = Statement(select(exists().where(_SLOT.expires > _far)))
_SHORTEN = Statement(
    update(schema.slots).where(_SLOT.expires > _far).values(expires=Now() + given("lease", schema.Big))
)

# Ending slots.
_OVERDUE = Statement(
    select(_SLOT.id, _SLOT.worker, _JOB.id)
    .join_from(schema.slots, schema.jobs, _JOB.key == _SLOT.job_key)
    .where(_SLOT.expires < Now())
    .order_by(_SLOT.id)
)
_OF_WORKER = Statement(
    select(_SLOT.id, _SLOT.worker, _JOB.id)
    .join_from(schema.slots, schema.jobs, _JOB.key == _SLOT.job_key)
    .where(_SLOT.worker == _worker)
    .order_by(_SLOT.id)
)
_WORKERS = Statement(select(_SLOT.worker).distinct().order_by(_SLOT.worker))
# A worker suspended in the middle of a transaction still holds its row: the next sweep tries again.
_LOCK_OVERDUE = Statement(
    select(_SLOT.id).where(_SLOT.id == _slot, _SLOT.expires < Now()).with_for_update(skip_locked=True)
)
_END = Statement(
    delete(schema.slots)
    .where(_SLOT.id == _slot)
    .returning(_SLOT.job_key, _SLOT.worker, *(_SLOT[name] for name in COUNTS))
)
_ADD = Statement(
    update(schema.jobs)
    .where(_JOB.key == _job)
    .values(**{name: _JOB[name] + given(f"more_{name}", schema.Big) for name in COUNTS})
    .returning(_JOB.state, _JOB.completed, _JOB.failed, _JOB.total)
)
_OTHERS = Statement(select(exists().where(_SLOT.job_key == _job)))
_ENDED = Statement(
    update(schema.jobs)
    .where(_JOB.key == _job)
    .values(state=given("new_state"), ended=at_least(Now(), func.coalesce(_JOB.started, _JOB.created)))
)
_NOW = Statement(select(Now()))


class SqlSlots(SqlBase):
    """The part of the store that opens and ends slots; see `Store`."""

    def open_slot(self, worker: str, *, job_id: str = "", task_types: Sequence[str] = ()) -> Slot | None:
        """Open a slot on a job that has ready items; see `Store`."""
        with self._database.read() as tx:
            rows = tx.run(_ROOMY_ONE, {"job_id": job_id}) if job_id else tx.run(_ROOMY, {})
        for key, id_, text, frequency, _ in rows:
            phases = phases_of(text)
            claimable = _claimable(phases, task_types)
            with self._database.read() as tx:
                ready = any(_any_ready(tx, key, phase) for phase in claimable)
            opened = self._open(key, worker) if ready else None
            if opened is not None:
                slot_id, now = opened
                return Slot(
                    id=slot_id,
                    job_id=id_,
                    job_key=key,
                    worker=worker,
                    opened=now,
                    checkpoint_frequency=frequency,
                    phases=phases,
                    claimable=claimable,
                )
        return None

    def close_slot(self, slot: Slot) -> JobState:
        """Close a slot; see `Store`."""
        with self._database.write() as tx:
            state = self._end(tx, slot.id, orderly=True)
        if state is None:
            raise LostSlot(f"slot {slot.id} of job {slot.job_id}")
        return state

    def sweep(self) -> list[Swept]:
        """End the slots whose lease has expired; see `Store`."""
        self._mend_times()
        return [one for one in self.overdue() if self._end_if(one, overdue=True)]

    def _mend_times(self) -> None:
        """Shorten waits and leases that no worker can have set: the database's clock was set back since."""
        longest = round(self._policy.retry_longest_seconds * 1_000_000) + _SLACK
        with self._database.read() as tx:
            jobs = [key for key, last, now in tx.run(_LAST_DUE, {}) if last is not None and last > now + longest]
            leases = tx.one(_FAR_LEASES, {"far": _FAR * self._lease})[0]
        if not jobs and not leases:
            return
        _log.warning("the database's clock was set back: items that wait to be retried are retried at once")
        with self._database.write() as tx:
            for key in jobs:
                tx.run(_DUE_NOW, {"job": key, "wait": longest})
            tx.run(_SHORTEN, {"far": _FAR * self._lease, "lease": self._lease})

    def overdue(self) -> list[Swept]:
        """Returns the slots whose lease has expired; see `Store`."""
        with self._database.read() as tx:
            return _swept(tx.run(_OVERDUE, {}))

    def expire(self, worker: str, *, orderly: bool = False) -> list[Swept]:
        """End the slots of a dead worker; see `Store`."""
        with self._database.read() as tx:
            found = _swept(tx.run(_OF_WORKER, {"holder": worker}))
        return [one for one in found if self._end_if(one, orderly=orderly)]

    def workers(self) -> list[str]:
        """Returns the workers that have slots; see `Store`."""
        with self._database.read() as tx:
            return [worker for (worker,) in tx.run(_WORKERS, {})]

    def backlog(self) -> list[Backlog]:
        """Returns the unclaimed work; see `Store`."""
        found: list[Backlog] = []
        with self._database.read() as tx:
            for key, id_, text, _, room in tx.run(_ROOMY, {}):
                ready: Counter[str] = Counter()
                for number, phase in enumerate(phases_of(text)):
                    ready[phase.task_type] += _count_ready(tx, key, number)
                found += [
                    Backlog(job_id=id_, task_type=task_type, ready=count, slots=room)
                    for task_type, count in ready.items()
                    if count
                ]
        return found

    def next_due(self) -> float | None:
        """Returns the seconds until an item may be retried; see `Store`."""
        with self._database.read() as tx:
            waits = [wait for (wait,) in tx.run(_NEXT_DUE, {}) if wait is not None]
        return max(0.0, min(waits) / 1_000_000) if waits else None

    def _open(self, job_key: int, worker: str) -> tuple[int, int] | None:
        """Returns the new slot's id and the time; None if the job has no room for a slot."""
        with self._database.write() as tx:
            _, state, _ = tx.one(_HOLD, {"job": job_key})
            (room,) = tx.one(_ROOM, {"job": job_key})
            if state != JobState.RUNNING or room <= 0:
                return None
            slot_id, expires = tx.one(_OPEN, {"job": job_key, "holder": worker, "lease": self._lease})
            return slot_id, expires - self._lease

    def _end_if(self, one: Swept, *, overdue: bool = False, orderly: bool = False) -> bool:
        with self._database.write() as tx:
            if overdue and tx.one(_LOCK_OVERDUE, {"slot_id": one.slot_id}) is None:
                return False
            return self._end(tx, one.slot_id, orderly=orderly) is not None

    def _end(self, tx: Tx, slot_id: int, *, orderly: bool) -> JobState | None:
        """End a slot; returns the job's state, None if the slot was gone."""
        row = tx.one(_END, {"slot_id": slot_id})
        if row is None:
            return None
        key, worker, *counted = row
        _, before, text = tx.one(_HOLD, {"job": key})
        counts = dict(zip(COUNTS, counted, strict=True))
        ended = EndedSlot(slot_id=slot_id, job_key=key, worker=worker, state=JobState(before), phases=phases_of(text))
        lines = give_back(tx, ended) if orderly else put_back(tx, ended, self._policy, counts)
        more = {f"more_{name}": counts[name] for name in COUNTS}
        state, completed, failed, total = tx.one(_ADD, {"job": key, **more})
        if state in MAY_END and not tx.one(_OTHERS, {"job": key})[0]:
            end = end_of(completed, failed, total)
            if end is not None:
                tx.run(_ENDED, {"job": key, "new_state": end.value})
                state = end.value
                lines.append(_end_line(end, completed, failed, total))
        write_lines(tx, key, lines)
        return JobState(state)


def _end_line(state: JobState, completed: int, failed: int, total: int) -> LogLine:
    if state == JobState.FAILED:
        return LogLine(level=logging.ERROR, message=f"the job has failed: none of its {total} items could be completed")
    counts = f"{completed} of {total} items" + (f", {failed} failed" if failed else "")
    return LogLine(level=logging.INFO, message=f"the job is completed: {counts}")


def _claimable(phases: tuple[Phase, ...], task_types: Sequence[str]) -> tuple[int, ...]:
    return tuple(number for number, phase in enumerate(phases) if not task_types or phase.task_type in task_types)


def _any_ready(tx: Tx, job_key: int, phase: int) -> bool:
    params = {"job": job_key, "in_phase": phase}
    return any(tx.one(statement, params)[0] for statement in _READY)


def _count_ready(tx: Tx, job_key: int, phase: int) -> int:
    params = {"job": job_key, "in_phase": phase, "most": _COUNTED_ITEMS}
    return sum(tx.one(statement, params)[0] for statement in _COUNT)


def _swept(rows: Iterable[Any]) -> list[Swept]:
    return [Swept(slot_id=id_, worker=worker, job_id=job_id) for id_, worker, job_id in rows]
