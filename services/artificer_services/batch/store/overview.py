"""The totals of all jobs, for operators.

Its cost grows with the number of jobs, not of their items.
"""

from __future__ import annotations

from sqlalchemy import case, distinct, exists, func, or_, select

from ..jobs.job import Overview
from ..jobs.states import JobState
from . import schema
from .base import SqlBase
from .language import ONE, ZERO, Now, Statement, by

_JOB, _SLOT, _ITEM = schema.jobs.c, schema.slots.c, schema.items.c

_JOBS = Statement(
    select(_JOB.state, func.count(), func.sum(_JOB.total), func.sum(_JOB.completed), func.sum(_JOB.failed)).group_by(
        _JOB.state
    )
)
# Counts of open slots, which their jobs do not include yet.
_SLOTS = Statement(
    select(
        func.coalesce(func.sum(_SLOT.completed), ZERO),
        func.coalesce(func.sum(_SLOT.failed), ZERO),
        func.count(distinct(case((_SLOT.expires >= Now(), _SLOT.worker)))),
    )
)
_HELD = Statement(by("held", select(func.count()).select_from(schema.items).where(schema.HELD)))

_of_job, _due = _ITEM.job_key == _JOB.key, _ITEM.not_before <= Now()
_wanted = or_(
    *(
        exists(by(lane, select(ONE).where(_of_job, *conditions)).correlate(schema.jobs))
        for lane, conditions in (
            ("ready", (schema.READY,)),
            ("waiting", (schema.WAITING, _due)),
            ("alone", (schema.ALONE, _due)),
        )
    )
)
_ended = by("ended", select(func.max(_ITEM.ended)).where(_of_job, schema.ENDED)).correlate(schema.jobs)
# Running jobs with work and no worker: when each was started, and when one of its items last ended.
_LEFT = Statement(
    select(_JOB.started, _ended.scalar_subquery(), Now())
    .where(schema.RUNS, ~exists(select(ONE).where(_SLOT.job_key == _JOB.key).correlate(schema.jobs)), _wanted)
    .order_by(_JOB.key)
)


class SqlOverview(SqlBase):
    """The part of the store that counts; see `Store`."""

    def overview(self) -> Overview:
        """Returns the totals; see `Store`."""
        with self._database.read() as tx:
            rows = tx.run(_JOBS, {})
            completed, failed, workers = tx.one(_SLOTS, {})
            (held,) = tx.one(_HELD, {})
            left = tx.run(_LEFT, {})
        total = {JobState(state): (int(of), int(done), int(bad)) for state, _, of, done, bad in rows}
        of, done, bad = total.get(JobState.RUNNING, (0, 0, 0))
        idle = (now - max(started or 0, ended or 0) for started, ended, now in left)
        return Overview(
            jobs={JobState(state): count for state, count, *_ in rows},
            completed=sum(one[1] for one in total.values()) + int(completed),
            failed=sum(one[2] for one in total.values()) + int(failed),
            held=held,
            # The queries are not one snapshot: an item that ends in between is in the later ones only.
            waiting=max(0, of - done - bad - int(completed) - int(failed) - held),
            workers=workers,
            idle_seconds=max(0.0, max(idle, default=0) / 1_000_000),
        )
