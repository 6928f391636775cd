"""What becomes of the items that a slot still holds when it ends: given back, retried, or tried alone.

A part of the transaction that ends the slot. Opens no transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import null, select, update

from ..jobs.job import LogLine, Phase
from ..jobs.states import JobState
from ..settings import Policy
from . import schema
from .language import ONE, Now, Statement, given
from .session import Tx
from .work import break_item

WORKER_ENDED = "the worker ended while it ran this item"

_ITEM = schema.items.c
_slot = given("slot_id")
_held = update(schema.items).where(_ITEM.slot == _slot, schema.HELD)

_HELD = Statement(
    select(_ITEM.item_index, _ITEM.phase, _ITEM.attempt)
    .where(_ITEM.slot == _slot, schema.HELD)
    .order_by(_ITEM.item_index)
)
_BACK = Statement(_held.values(slot=null(), attempt=_ITEM.attempt - ONE, alone=given("suspect")))
_UNTRIED = Statement(_held.values(slot=null(), attempt=_ITEM.attempt - ONE))
_NOW = Statement(select(Now()))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSlot:
    """A slot whose row is gone, and the state of its job."""

    slot_id: int
    job_key: int
    worker: str
    state: JobState
    phases: tuple[Phase, ...]

    def line(self, tx: Tx, level: int, message: str, held: Sequence[Any]) -> list[LogLine]:
        """Returns a line of the job's log, about the item if only one was held."""
        (now,) = tx.one(_NOW, {})
        if len(held) > 1:
            return [LogLine(level=level, message=message, time=now, worker=self.worker)]
        ((index, phase, _),) = held
        name = self.phases[phase].name
        return [LogLine(level=level, message=message, time=now, item=index, phase=name, worker=self.worker)]


def give_back(tx: Tx, ended: EndedSlot) -> list[LogLine]:
    """Release the items of a worker that stopped in order: none has used up an attempt, and suspects stay suspects."""
    held = tx.run(_HELD, {"slot_id": ended.slot_id})
    if not held:
        return []
    tx.run(_UNTRIED, {"slot_id": ended.slot_id})
    what = "this item" if len(held) == 1 else f"{len(held)} items"
    if ended.state == JobState.CANCELLED:
        return ended.line(tx, logging.INFO, f"the worker stopped {what}: the job was cancelled", held)
    return ended.line(tx, logging.INFO, f"the worker stopped and gave back {what}; no attempt is used up", held)


def put_back(tx: Tx, ended: EndedSlot, policy: Policy, counts: dict[str, int]) -> list[LogLine]:
    """Release the items of a worker that died. A single one is to blame; several are suspects."""
    held = tx.run(_HELD, {"slot_id": ended.slot_id})
    if not held:
        return []
    if len(held) > 1 or ended.state == JobState.CANCELLED:
        # In a cancelled job the worker was asked to stop, so no item is to blame.
        tx.run(_BACK, {"slot_id": ended.slot_id, "suspect": int(len(held) > 1)})
        what = "this item" if len(held) == 1 else f"{len(held)} items"
        return ended.line(tx, logging.WARNING, f"the worker ended while it held {what}; released", held)
    ((index, phase, attempt),) = held
    (now,) = tx.one(_NOW, {})
    if not break_item(tx, policy, {"job": ended.job_key, "index": index, "end": now}, WORKER_ENDED, attempt):
        counts["failed"] += 1
        counts["steps"] += len(ended.phases) - phase
    return ended.line(tx, logging.WARNING, WORKER_ENDED, held)
