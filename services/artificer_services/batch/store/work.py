"""What workers do with items: claim, store outcomes, release, heartbeat. The hot path of the store.

Every transaction here first renews its slot, which is the fence: if the row is gone, the lease has expired. A writer of
an item holds the row lock of its slot, so that there is one writer at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, exists, null, select, update

from ..jobs.errors import LostSlot
from ..jobs.job import LogLine
from ..jobs.states import JobState
from ..jobs.work import Broke, Claimed, Done, Outcome, Slot
from ..settings import Policy
from . import schema
from .base import CLAIMS, COUNTS, SqlBase
from .language import NOTHING, ONE, ZERO, Now, Statement, adding, by, given
from .logs import write_lines
from .rows import mapping_of, size_of, storable
from .session import Tx

_JOB, _SLOT, _ITEM, _INPUT = schema.jobs.c, schema.slots.c, schema.items.c, schema.inputs.c
_RESULT = schema.results.c
_job, _slot, _now, _most = given("job"), given("slot_id"), given("now"), given("most")

# The slot.
_mine = update(schema.slots).where(_SLOT.id == _slot)
_lease = Now() + given("lease", schema.Big)
_more = {name: _SLOT[name] + given(f"more_{name}", schema.Big) for name in COUNTS}
_RENEW = Statement(_mine.values(expires=_lease).returning(_SLOT.expires))
_RENEW_AND_COUNT = Statement(_mine.values(expires=_lease, **_more).returning(_SLOT.expires))
_COUNT = Statement(_mine.values(**_more))

# Its items.
_HELD = Statement(select(_ITEM.item_index, _ITEM.phase, _ITEM.attempt).where(_ITEM.slot == _slot, schema.HELD))
_row = update(schema.items).where(_ITEM.job_key == _job, _ITEM.item_index == given("index"))
_free = {"slot": null(), "alone": ZERO, "error": NOTHING}
_PASSED = Statement(_row.values(**_free, phase=given("next"), attempt=ZERO))
_THROUGH = Statement(_row.values(**_free, phase=given("next"), ended=given("end")))
_FAILED = Statement(_row.values(slot=null(), error=given("why"), ended=given("end"), failed=ONE))
_AGAIN = Statement(_row.values(slot=null(), error=given("why"), not_before=given("due")))
_UNDONE = Statement(_row.where(_ITEM.slot == _slot).values(slot=null(), attempt=_ITEM.attempt - ONE))
_TAKEN = Statement(_row.values(slot=_slot, attempt=_ITEM.attempt + ONE, not_before=ZERO))
_RESULTS = adding(schema.results, "job_key", "item_index", "phase", "output", "size", "score", "attempts", "created")

# What may be claimed.
_STATE = Statement(select(_JOB.state).where(_JOB.key == _job))
_of_job = _ITEM.job_key == _job
_CAN = Statement(
    select(
        _JOB.state,
        exists(by("waiting", select(ONE).where(_of_job, schema.WAITING, _ITEM.not_before <= _now))),
        exists(by("alone", select(ONE).where(_of_job, schema.ALONE))),
    ).where(_JOB.key == _job)
)
_take: Select[Any] = (
    select(_ITEM.item_index, _ITEM.phase, _ITEM.attempt, _INPUT.input, _INPUT.metadata)
    .join_from(
        schema.items,
        schema.inputs,
        (_INPUT.job_key == _ITEM.job_key) & (_INPUT.item_index == _ITEM.item_index),
    )
    .where(_of_job)
    .limit(_most)
    .offset(ZERO)
    .with_for_update(of=schema.items, skip_locked=True)
)
_phase = _ITEM.phase == given("in_phase")
_ready, _due, _alone = (
    by("ready", _take.where(schema.READY)),
    by("waiting", _take.where(schema.WAITING, _ITEM.not_before <= _now, _ITEM.alone == ZERO)),
    by("alone", _take.where(schema.ALONE, _ITEM.not_before <= _now)),
)
_TAKE = {
    "due": Statement(_due.order_by(_ITEM.not_before)),
    "ready": Statement(_ready.order_by(_ITEM.phase.desc(), _ITEM.item_index)),
    "alone": Statement(_alone.order_by(_ITEM.item_index)),
}
_TAKE_IN = {
    "due": Statement(_due.where(_phase).order_by(_ITEM.not_before)),
    "ready": Statement(_ready.where(_phase).order_by(_ITEM.item_index)),
    "alone": Statement(_alone.where(_phase).order_by(_ITEM.item_index)),
}
_OUTPUTS = Statement(
    select(_RESULT.phase, _RESULT.output).where(
        _RESULT.job_key == _job, _RESULT.item_index == given("index"), _RESULT.phase < given("in_phase")
    )
)

_Held = dict[int, tuple[int, int]]  # an item's index: its phase and attempt


class SqlWork(SqlBase):
    """The part of the store that workers use while they hold a slot; see `Store`."""

    def claim(self, slot: Slot, want: int) -> list[Claimed]:
        """Claim ready items; see `Store`."""
        return self.checkpoint(slot, (), want=want)

    def checkpoint(
        self, slot: Slot, outcomes: Sequence[Outcome], logs: Sequence[LogLine] = (), *, want: int = 0
    ) -> list[Claimed]:
        """Store outcomes and claim more; see `Store`."""
        with self._database.write() as tx:
            # Most outcomes are valid, so their counts are added with the renewal, before the items are read.
            likely = _counted(slot, outcomes)
            now = self._renew(tx, slot, likely)
            held: _Held = {index: (phase, attempt) for index, phase, attempt in tx.run(_HELD, {"slot_id": slot.id})}
            if outcomes:
                storing = _Storing(tx, slot, self._policy, held, now)
                storing.store(outcomes)
                if storing.counts != likely:
                    more = {f"more_{name}": storing.counts[name] - likely[name] for name in COUNTS}
                    tx.run(_COUNT, {"slot_id": slot.id, **more})
            claimed = _claim(tx, slot, want, now, nothing_held=not held) if want > 0 else []
            write_lines(tx, slot.job_key, logs)
            return claimed

    def give_back(self, slot: Slot, indexes: Sequence[int]) -> None:
        """Release items that were not started; see `Store`."""
        with self._database.write() as tx:
            self._renew(tx, slot)
            tx.many(_UNDONE, [{"job": slot.job_key, "index": index, "slot_id": slot.id} for index in indexes])

    def heartbeat(self, slot: Slot, logs: Sequence[LogLine] = ()) -> JobState:
        """Renew the lease; see `Store`."""
        with self._database.write() as tx:
            self._renew(tx, slot)
            (state,) = tx.one(_STATE, {"job": slot.job_key})
            write_lines(tx, slot.job_key, logs)
            return JobState(state)

    def _renew(self, tx: Tx, slot: Slot, counts: dict[str, int] | None = None) -> int:
        """Renew the lease and add to the counts; returns the database's time. Raises `LostSlot`."""
        params = {"slot_id": slot.id, "lease": self._lease}
        if counts is None:
            row = tx.one(_RENEW, params)
        else:
            row = tx.one(_RENEW_AND_COUNT, {**params, **{f"more_{name}": counts[name] for name in COUNTS}})
        if row is None:
            raise LostSlot(f"slot {slot.id} of job {slot.job_id}")
        expires: int = row[0]
        return expires - self._lease


def _counted(slot: Slot, outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Returns the counts of outcomes, if the slot holds all their items and those that failed are retried."""
    counts = dict.fromkeys(COUNTS, 0)
    last = len(slot.phases) - 1
    for outcome in outcomes:
        if isinstance(outcome, Done):
            counts["steps"] += 1
            counts["completed"] += outcome.phase == last
        counts["tokens"] += outcome.tokens
        counts["cost_micros"] += outcome.cost_micros
    return counts


class _Storing:
    """The outcomes of one checkpoint, as rows."""

    def __init__(self, tx: Tx, slot: Slot, policy: Policy, held: _Held, now: int) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self._tx, self._slot, self._policy, self._held, self._now = tx, slot, policy, held, now
        self._results: list[dict[str, Any]] = []
        self._passed: list[dict[str, Any]] = []
        self._through: list[dict[str, Any]] = []

    def store(self, outcomes: Sequence[Outcome]) -> None:
        """Store outcomes and remove their items from those that are held.

        An item that is not held in this phase is skipped: the call is a repetition whose first answer was lost.
        """
        for place, outcome in enumerate(outcomes):
            phase, attempt = self._held.get(outcome.index, (-1, 0))
            if phase != outcome.phase:
                continue
            del self._held[outcome.index]
            # The moments of one checkpoint are distinct, so that a reader can resume from any of them.
            row = {"job": self._slot.job_key, "index": outcome.index, "end": self._now + place}
            if isinstance(outcome, Done):
                self._done(outcome, row, attempt)
            else:
                self._broke(outcome, row, attempt)
            self.counts["tokens"] += outcome.tokens
            self.counts["cost_micros"] += outcome.cost_micros
        for statement, rows in ((_RESULTS, self._results), (_PASSED, self._passed), (_THROUGH, self._through)):
            if rows:
                self._tx.many(statement, rows)

    def _done(self, outcome: Done, row: dict[str, Any], attempt: int) -> None:
        output = storable(outcome.output)
        self._results.append(
            {
                "job_key": row["job"],
                "item_index": row["index"],
                "phase": outcome.phase,
                "output": output,
                "size": size_of(output),
                "score": outcome.score,
                "attempts": attempt,
                "created": row["end"],
            }
        )
        row["next"] = outcome.phase + 1
        self.counts["steps"] += 1
        if row["next"] < len(self._slot.phases):
            del row["end"]
            self._passed.append(row)
        else:
            self.counts["completed"] += 1
            self._through.append(row)

    def _broke(self, outcome: Broke, row: dict[str, Any], attempt: int) -> None:
        more = break_item(self._tx, self._policy, row, storable(outcome.error), attempt, final=outcome.final)
        if not more:
            self.counts["failed"] += 1
            self.counts["steps"] += len(self._slot.phases) - outcome.phase


def break_item(tx: Tx, policy: Policy, row: dict[str, Any], error: str, attempt: int, *, final: bool = False) -> bool:
    """Schedule an item's next attempt; false if it has none left and fails. `row` has `job`, `index` and `end`."""
    row["why"] = error
    if final or attempt >= policy.max_attempts:
        tx.run(_FAILED, row)
        return False
    wait = min(policy.retry_longest_seconds, policy.retry_first_seconds * 2.0 ** (attempt - 1))
    row["due"] = row.pop("end") + round(wait * 1_000_000)
    tx.run(_AGAIN, row)
    return True


def _claim(tx: Tx, slot: Slot, want: int, now: int, *, nothing_held: bool) -> list[Claimed]:
    # Shared with other claims, exclusive against a change of the job's state: the change waits for claims in progress,
    # and later claims see it.
    tx.lock(CLAIMS, slot.job_key, shared=True)
    state, due, alone = tx.one(_CAN, {"job": slot.job_key, "now": now})
    if state != JobState.RUNNING:
        return []
    rows = _take_rows(tx, slot, "due", want, now) if due else []
    if len(rows) < want:
        rows += _take_rows(tx, slot, "ready", want - len(rows), now)
    if not rows and alone and nothing_held:
        rows = _take_rows(tx, slot, "alone", 1, now)
    if rows:
        tx.many(_TAKEN, [{"job": slot.job_key, "index": row[0], "slot_id": slot.id} for row in rows])
    return [_claimed(tx, slot, row) for row in rows]


def _take_rows(tx: Tx, slot: Slot, lane: str, want: int, now: int) -> list[Any]:
    params = {"job": slot.job_key, "most": want, "now": now}
    if len(slot.claimable) == len(slot.phases):
        return tx.run(_TAKE[lane], params)
    rows: list[Any] = []
    for phase in sorted(slot.claimable, reverse=True):
        if len(rows) < want:
            rows += tx.run(_TAKE_IN[lane], {**params, "most": want - len(rows), "in_phase": phase})
    return rows


def _claimed(tx: Tx, slot: Slot, row: Any) -> Claimed:
    index, phase, attempt, input_, metadata = row
    outputs = {}
    if phase:
        found = tx.run(_OUTPUTS, {"job": slot.job_key, "index": index, "in_phase": phase})
        outputs = {slot.phases[number].name: output for number, output in found}
    return Claimed(
        index=index, phase=phase, attempt=attempt + 1, input=input_, metadata=mapping_of(metadata), outputs=outputs
    )
