"""Reads items and their outcomes, page by page.

Writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, or_, select

from ..jobs.errors import NotFound
from ..jobs.job import Phase, Result
from ..jobs.states import ItemState, JobState
from . import schema
from .base import SqlBase, no_job
from .language import ZERO, InValues, Statement, by, given
from .rows import mapping_of, phases_of
from .session import Tx

_JOB, _ITEM, _INPUT, _RESULT = schema.jobs.c, schema.items.c, schema.inputs.c, schema.results.c
_job, _seen = given("job"), given("seen")

_ABOUT = Statement(select(_JOB.key, _JOB.state, _JOB.phases).where(_JOB.id == given("job_id")))
_chosen: Select[Any] = select(
    _ITEM.item_index, _ITEM.phase, _ITEM.attempt, _ITEM.slot, _ITEM.ended, _ITEM.failed, _ITEM.error
).where(_ITEM.job_key == _job)
_of_job = _RESULT.job_key == _job
# One query per table: PostgreSQL has no statistics of a new job, and would join all of its items.
_SIZES = Statement(
    select(_RESULT.item_index, _RESULT.phase, _RESULT.size).where(_of_job, InValues(_RESULT.item_index, "indexes"))
)
_INPUT_SIZES = Statement(
    select(_INPUT.item_index, _INPUT.size).where(_INPUT.job_key == _job, InValues(_INPUT.item_index, "indexes"))
)
_OUTPUTS = Statement(
    select(_RESULT.item_index, _RESULT.phase, _RESULT.output).where(_of_job, InValues(_RESULT.item_index, "indexes"))
)
_INPUTS = Statement(
    select(_INPUT.item_index, _INPUT.input, _INPUT.metadata).where(
        _INPUT.job_key == _job, InValues(_INPUT.item_index, "indexes")
    )
)
_FINISHED = Statement(
    select(_ITEM.item_index, _ITEM.ended)
    .where(_ITEM.job_key == _job, schema.ENDED, _ITEM.ended >= given("since"))
    .order_by(_ITEM.ended, _ITEM.item_index)
    .limit(given("most"))
    .offset(ZERO)
)
_OF_INDEXES = Statement(_chosen.where(InValues(_ITEM.item_index, "indexes")).order_by(_ITEM.item_index))


class SqlResults(SqlBase):
    """The part of the store that reads items; see `Store`."""

    def results(
        self, job_id: str, *, states: Sequence[ItemState], after: int, limit: int, max_bytes: int
    ) -> list[Result]:
        """Items with an index above `after`; see `Store`."""
        with self._database.read() as tx:
            key, state, phases = _about(tx, job_id)
            chosen = (
                _chosen.where(_ITEM.item_index > _seen).order_by(_ITEM.item_index).limit(given("most")).offset(ZERO)
            )
            if set(states) == {ItemState.FAILED}:
                chosen = by("failed", chosen)
            if states:
                chosen = chosen.where(_of_states(states, cancelled=state == JobState.CANCELLED))
            rows = tx.run(Statement(chosen), {"job": key, "seen": after, "most": limit})
            if rows:
                rows = _cut(tx, key, rows, len(phases), max_bytes)
            return _results(tx, key, state, phases, rows)

    def results_of(self, job_id: str, indexes: Sequence[int]) -> list[Result]:
        """Returns the items with these indexes; see `Store`."""
        with self._database.read() as tx:
            key, state, phases = _about(tx, job_id)
            rows = tx.run(_OF_INDEXES, {"job": key, "indexes": tx.packed(indexes)})
            return _results(tx, key, state, phases, rows)

    def finished_since(self, job_id: str, *, moment: int, limit: int) -> list[tuple[int, int]]:
        """Returns the items that ended at a moment or later; see `Store`."""
        with self._database.read() as tx:
            key, _, _ = _about(tx, job_id)
            rows = tx.run(_FINISHED, {"job": key, "since": moment, "most": limit})
        return [(index, ended) for index, ended in rows]


def _about(tx: Tx, job_id: str) -> tuple[int, JobState, tuple[Phase, ...]]:
    row = tx.one(_ABOUT, {"job_id": job_id})
    if row is None:
        raise no_job(job_id)
    return row[0], JobState(row[1]), phases_of(row[2])


def _of_states(states: Sequence[ItemState], *, cancelled: bool) -> ColumnElement[bool]:
    conditions: dict[ItemState, ColumnElement[bool]] = {
        ItemState.COMPLETED: and_(schema.ENDED, _ITEM.failed == ZERO),
        ItemState.FAILED: and_(schema.FAILED),
    }
    if cancelled:
        conditions[ItemState.CANCELLED] = and_(schema.OPEN)
    else:
        conditions[ItemState.PENDING] = and_(schema.OPEN, _ITEM.slot.is_(None))
        conditions[ItemState.RUNNING] = and_(schema.HELD)
    return or_(false(), *(conditions[state] for state in ItemState if state in states and state in conditions))


def _cut(tx: Tx, job_key: int, rows: list[Any], phases: int, max_bytes: int) -> list[Any]:
    """Returns the first rows, at most `max_bytes`, at least one.

    The last output of a completed item counts twice, because a result contains it twice.
    """
    params = {"job": job_key, "indexes": tx.packed(row[0] for row in rows)}
    sizes = Counter(dict(tx.run(_INPUT_SIZES, params)))
    for index, phase, size in tx.run(_SIZES, params):
        sizes[index] += size * (2 if phase == phases - 1 else 1)
    total = 0
    for place, row in enumerate(rows):
        total += sizes[row[0]] + len(row[6])
        if place and total > max_bytes:
            return rows[:place]
    return rows


def _results(tx: Tx, job_key: int, state: JobState, phases: tuple[Phase, ...], rows: Sequence[Any]) -> list[Result]:
    if not rows:
        return []
    params = {"job": job_key, "indexes": tx.packed(row[0] for row in rows)}
    inputs = {index: (input_, metadata) for index, input_, metadata in tx.run(_INPUTS, params)}
    if len(inputs) < len(rows):
        raise NotFound("the job has just been removed")
    outputs: dict[int, dict[int, str]] = {}
    for index, phase, output in tx.run(_OUTPUTS, params):
        outputs.setdefault(index, {})[phase] = output
    return [_result(row, inputs[row[0]], outputs.get(row[0], {}), state, phases) for row in rows]


def _result(
    row: Any, given: tuple[str, str], outputs: dict[int, str], state: JobState, phases: tuple[Phase, ...]
) -> Result:
    index, phase, attempt, slot, ended, failed, error = row
    return Result(
        index=index,
        input=given[0],
        metadata=mapping_of(given[1]),
        state=_state(slot, ended, failed, cancelled=state == JobState.CANCELLED),
        output=outputs.get(len(phases) - 1, "") if phase == len(phases) else "",
        # Only of phases that were finished when the item's row was read: a later query may find more.
        phase_outputs={phases[number].name: outputs[number] for number in sorted(outputs) if number < phase},
        error=error,
        attempts=attempt,
    )


def _state(slot: int | None, ended: int | None, failed: int, *, cancelled: bool) -> ItemState:
    if failed:
        return ItemState.FAILED
    if ended is not None:
        return ItemState.COMPLETED
    if cancelled:
        return ItemState.CANCELLED
    return ItemState.PENDING if slot is None else ItemState.RUNNING
