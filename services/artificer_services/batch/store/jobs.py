"""Creates jobs, adds items to them, reads them and changes their state.

Only changes of a job lock its row; workers do not, see `work`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, cast, func, select, update

from ..jobs.errors import Conflict, Fault, Invalid, NotReady, TooLarge
from ..jobs.job import ItemDraft, Job, JobDraft
from ..jobs.states import JobState, Verb, after
from . import schema
from .base import CLAIMS, COUNTS, SqlBase, key_of, no_job
from .language import ZERO, InValues, Now, Statement, at_least, by, given, upsert
from .rows import job_of, mapping_text, phases_text, size_of
from .session import Tx

_JOB = schema.jobs.c

# A job with its own counts and those of its open slots, in one query.
_open = (
    select(schema.slots.c.job_key, *(cast(func.sum(schema.slots.c[name]), schema.Big).label(name) for name in COUNTS))
    .group_by(schema.slots.c.job_key)
    .subquery("open_slots")
)
_phase = (
    by("open", select(func.min(schema.items.c.phase)))
    .where(schema.items.c.job_key == _JOB.key, schema.OPEN)
    .correlate(schema.jobs)
    .scalar_subquery()
)
JOB: Select[Any] = select(
    *(_JOB[name] for name in ("key", "id", "name", "project_id", "state", "phases", "concurrency")),
    *(_JOB[name] for name in ("checkpoint_frequency", "auto_start", "total")),
    *((_JOB[name] + func.coalesce(_open.c[name], ZERO)) for name in COUNTS),
    *(_JOB[name] for name in ("created", "started", "ended")),
    _phase,
).select_from(schema.jobs.outerjoin(_open, _open.c.job_key == _JOB.key))

_ONE = Statement(JOB.where(_JOB.id == given("job_id")))
_SEVERAL = Statement(JOB.where(InValues(_JOB.id, "job_ids")))
_KNOWN = Statement(
    select(_JOB.id, _JOB.digest).where(
        _JOB.project_id == given("project"), _JOB.request_id == given("request"), schema.HAS_REQUEST_ID
    )
)
_HOLD = Statement(select(_JOB.key, _JOB.state, _JOB.total).where(_JOB.id == given("job_id")).with_for_update())
_GROWN = Statement(update(schema.jobs).where(_JOB.key == given("job")).values(total=given("now_total")))
_CHANGED = Statement(
    update(schema.jobs)
    .where(_JOB.key == given("job"))
    .values(
        state=given("new_state"),
        started=func.coalesce(_JOB.started, at_least(given("started_now", schema.Big), _JOB.created)),
        ended=func.coalesce(
            _JOB.ended, at_least(given("ended_now", schema.Big), func.coalesce(_JOB.started, _JOB.created))
        ),
    )
)
_NOW = Statement(select(Now()))

_MADE = {
    dialect: Statement(
        upsert(schema.jobs, dialect)
        .values(
            id=given("new_id"),
            name=given("new_name"),
            project_id=given("project"),
            state=given("new_state"),
            phases=given("new_phases"),
            concurrency=given("new_concurrency"),
            checkpoint_frequency=given("new_frequency"),
            auto_start=given("new_auto_start"),
            request_id=given("request"),
            digest=given("new_digest"),
            total=given("new_total"),
            created=given("created_now"),
            started=given("started_now"),
        )
        .on_conflict_do_nothing(index_elements=[_JOB.project_id, _JOB.request_id], index_where=schema.HAS_REQUEST_ID)
        .returning(_JOB.key)
    )
    for dialect in ("sqlite", "postgresql")
}


class SqlJobs(SqlBase):
    """The part of the store that clients use for jobs; see `Store`."""

    def create(self, draft: JobDraft, items: Sequence[ItemDraft]) -> tuple[Job, bool]:
        """Create a job with its items; see `Store`."""
        if draft.auto_start and not items:
            raise NotReady("cannot start a job that has no items")
        with self._database.write() as tx:
            known = _known(tx, draft)
            if known is not None:
                return known, False
            job_id = uuid.uuid4().hex
            (now,) = tx.one(_NOW, {})
            created = tx.one(
                _MADE[tx.name],
                {
                    "new_id": job_id,
                    "new_name": draft.name,
                    "project": draft.project_id,
                    "new_state": (JobState.RUNNING if draft.auto_start else JobState.PENDING).value,
                    "new_phases": phases_text(draft.phases),
                    "new_concurrency": draft.concurrency,
                    "new_frequency": draft.checkpoint_frequency,
                    "new_auto_start": int(draft.auto_start),
                    "request": draft.request_id,
                    "new_digest": draft.digest,
                    "new_total": len(items),
                    "created_now": now,
                    "started_now": now if draft.auto_start else None,
                },
            )
            if created is None:  # another process has just created it, and this one waited for it
                known = _known(tx, draft)
                if known is None:
                    raise NotReady("the job of this request id is being created; try again")
                return known, False
            _add(tx, created[0], items, first=0)
            return job_of(tx.one(_ONE, {"job_id": job_id})), True

    def add_items(self, job_id: str, items: Sequence[ItemDraft], *, first: int | None, limit: int) -> tuple[int, int]:
        """Add items to a pending job; see `Store`."""
        with self._database.write() as tx:
            key, state, total = _held(tx, job_id)
            if state != JobState.PENDING:
                raise NotReady(f"cannot add items to a job that is {state}")
            if first is None:
                first = total
            if first > total:
                raise Invalid(Fault("first_index", f"is {first}, but the job has {total} items; a gap is not allowed"))
            fresh = items[total - first :]
            if total + len(fresh) > limit:
                raise TooLarge(f"a job may have at most {limit} items")
            if fresh:
                _add(tx, key, fresh, first=total)
                tx.run(_GROWN, {"job": key, "now_total": total + len(fresh)})
            return len(fresh), total + len(fresh)

    def job(self, job_id: str) -> Job:
        """Returns a job; see `Store`."""
        with self._database.read() as tx:
            row = tx.one(_ONE, {"job_id": job_id})
        if row is None:
            raise no_job(job_id)
        return job_of(row)

    def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Returns several jobs; see `Store`."""
        with self._database.read() as tx:
            rows = tx.run(_SEVERAL, {"job_ids": tx.packed(job_ids)})
        return {job.id: job for job in map(job_of, rows)}

    def jobs(self, *, states: Sequence[JobState], project_id: str, after: str, limit: int) -> list[Job]:
        """Returns jobs, newest first; see `Store`."""
        chosen = JOB.order_by(_JOB.key.desc()).limit(given("most")).offset(ZERO)
        params: dict[str, Any] = {"most": limit}
        if states:
            chosen = chosen.where(InValues(_JOB.state, "states"))
        if project_id:
            chosen = chosen.where(_JOB.project_id == given("project"))
            params["project"] = project_id
        with self._database.read() as tx:
            if states:
                params["states"] = tx.packed(state.value for state in states)
            if after:
                chosen = chosen.where(_JOB.key < given("before"))
                params["before"] = key_of(tx, after)
            return [job_of(row) for row in tx.run(Statement(chosen), params)]

    def change(self, job_id: str, verb: Verb) -> Job:
        """Apply a verb; see `Store`."""
        with self._database.write() as tx:
            key = key_of(tx, job_id)
            # Waits for claims in progress: once a pause is answered no item starts.
            tx.lock(CLAIMS, key)
            _, state, total = _held(tx, job_id)
            wanted = after(state, verb)
            if wanted == JobState.RUNNING and not total:
                raise NotReady("cannot start a job that has no items")
            if wanted != state:
                (now,) = tx.one(_NOW, {})
                started = now if wanted == JobState.RUNNING else None
                ended = now if wanted.ended else None
                tx.run(_CHANGED, {"job": key, "new_state": wanted.value, "started_now": started, "ended_now": ended})
            return job_of(tx.one(_ONE, {"job_id": job_id}))


def _held(tx: Tx, job_id: str) -> tuple[int, JobState, int]:
    row = tx.one(_HOLD, {"job_id": job_id})
    if row is None:
        raise no_job(job_id)
    key, state, total = row
    return key, JobState(state), total


def _known(tx: Tx, draft: JobDraft) -> Job | None:
    if not draft.request_id:
        return None
    row = tx.one(_KNOWN, {"project": draft.project_id, "request": draft.request_id})
    if row is None:
        return None
    job_id, digest = row
    if bytes(digest) != draft.digest:
        raise Conflict("the request id was already used by a different request", job_id=job_id)
    return job_of(tx.one(_ONE, {"job_id": job_id}))


def _add(tx: Tx, key: int, items: Sequence[ItemDraft], *, first: int) -> None:
    tx.load("batch_items", ("job_key", "item_index"), ((key, first + place) for place in range(len(items))))
    tx.load("batch_inputs", ("job_key", "item_index", "input", "metadata", "size"), _inputs(key, items, first))


def _inputs(key: int, items: Sequence[ItemDraft], first: int) -> Iterator[tuple[int, int, str, str, int]]:
    for place, item in enumerate(items):
        if "\0" in item.input:
            raise Invalid(Fault(f"items[{place}].input", "must not contain the character U+0000"))
        metadata = mapping_text(item.metadata)
        yield key, first + place, item.input, metadata, size_of(item.input) + size_of(metadata)
