"""The worker's loop: claim items, run the task, store the outcomes.

Owns the outcome of an item. Knows no engine: a local worker and a Celery task call it alike.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping

from ...kit.error_reports import Report, not_reported
from ..jobs.errors import LostSlot, Unavailable
from ..jobs.states import JobState
from ..jobs.store import Store
from ..jobs.work import Broke, Claimed, Done, Outcome, Slot
from ..settings import BatchSettings
from ..tasks.api import Output, Rejected, Task, TaskError
from ..tasks.inputs import Documents
from .heartbeat import FLUSH, Heartbeat, RunningItem
from .item_work import MAX_ERROR, ItemWork, SlotContext, line, storable, unstorable
from .lease import SlotLease

_log = logging.getLogger(__name__)

_CLAIM_SECONDS = FLUSH / 2  # of work claimed at once, if checkpoints allow several items
# Claimed ahead even if every item is stored by itself: the claim is a tenth of the cost of a no-op item.
_AHEAD_SECONDS, _AHEAD_ITEMS = 0.005, 16


class Runner:
    """A worker: runs items one by one, job by job. Not thread-safe except for `stop`."""

    def __init__(
        self,
        store: Store,
        tasks: Mapping[str, Task],
        settings: BatchSettings,
        worker: str,
        *,
        end: Callable[[int], object] = os._exit,
        report: Report = not_reported,
    ) -> None:
        """`worker` is a name unique among live workers. `end` ends the process if a task does not stop.

        `report` gets unexpected errors, of items and of the worker itself.
        """
        self.items = 0  # finished so far
        self.worker = worker
        self._store, self._tasks, self._settings = store, tasks, settings
        self._types = tuple(tasks)
        self._report = report
        self._documents = Documents(settings.tasks)
        self._heartbeat = Heartbeat(settings, end)
        self._stopping = threading.Event()
        self._next_job = ""
        self._served: dict[str, float] = {}  # when waiting jobs were last worked on

    def stop(self, grace: float | None = None) -> None:
        """Stop after the current item, or give it back after `grace` seconds. Safe to call from any thread.

        A task that does not notice `cancelled` ends with the process.
        """
        self._stopping.set()
        if grace is not None:
            self._heartbeat.leave(grace)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def close(self) -> None:
        """Stop the heartbeat and close the tasks."""
        self._stopping.set()
        self._heartbeat.close()
        for task in self._tasks.values():
            try:
                task.close()
            except Exception:
                _log.exception("cannot close the task type %s", task.name)

    def work_once(
        self, job_id: str = "", task_types: Iterable[str] = (), *, slices: int = 0, items: int | None = None
    ) -> bool:
        """Work on one job until it has nothing ready or another job's turn comes; false if there was nothing to do.

        On `job_id`, or on the job with the fewest workers. With `task_types`, only on phases of these types. Returns
        after `slices` time slices even if no other job waits (0: only if one does), and after `items` items.
        Raises Unavailable.
        """
        if self.stopping:
            return False
        types = tuple(task_types) or self._types
        slot = self._open(job_id, types)
        if slot is None:
            return False
        self.work(slot, types, slices=slices, items=items)
        return True

    def work(self, slot: Slot, task_types: Iterable[str] = (), *, slices: int = 0, items: int | None = None) -> None:
        """Work through a slot and close it."""
        lease = SlotLease(self._store, slot, self._stopping)
        turn = _TimeSlice(self._settings.slice_seconds, slices, None if items is None else self.items + items)
        self._heartbeat.start(lease)
        try:
            self._work(lease, turn, tuple(task_types) or self._types)
            lease.close()
        except LostSlot:
            _log.warning("worker %s has lost job %s: its unstored outcomes are dropped", self.worker, slot.job_id)
        except BaseException as error:
            self._abandon()
            if isinstance(error, Exception) and not isinstance(error, Unavailable):
                self._report(error, "batch worker", {"job": slot.job_id, "batch_worker": self.worker})
            raise
        finally:
            self._heartbeat.stop()

    def _open(self, job_id: str, types: tuple[str, ...]) -> Slot | None:
        following, self._next_job = self._next_job, ""
        wanted = job_id or following
        if wanted:
            slot = self._store.open_slot(self.worker, job_id=wanted, task_types=types)
            if slot is not None or job_id:
                return slot
        return self._store.open_slot(self.worker, task_types=types)

    def _abandon(self) -> None:
        """Release the items as after a crash: an unexpected exception was raised."""
        try:
            self._store.expire(self.worker)
        except Exception:
            _log.warning("cannot end the slot of worker %s; it ends when its lease expires", self.worker, exc_info=True)

    def _work(self, lease: SlotLease, turn: _TimeSlice, types: tuple[str, ...]) -> None:
        context = SlotContext(self._store, lease, self._documents)
        pace = _Pace(lease.slot.checkpoint_frequency)
        while count := lease.exchange(pace.want):
            pace.taken(count)
            while (claimed := lease.next()) is not None:
                outcome = self._attempt(context, claimed)
                if outcome is not None:
                    lease.add(outcome)
                self.items += 1
                if self._must_leave(lease, turn, types):
                    return
                if lease.waiting and (lease.full or lease.overdue(FLUSH)):
                    lease.exchange(0)
            pace.done()

    def _must_leave(self, lease: SlotLease, turn: _TimeSlice, types: tuple[str, ...]) -> bool:
        if lease.lost or lease.state != JobState.RUNNING or self.stopping or turn.items == self.items:
            return True
        if not turn.over():
            return False
        return turn.last or self._others_wait(lease.slot.job_id, types)

    def _others_wait(self, job_id: str, types: tuple[str, ...]) -> bool:
        """Whether other jobs wait; if so, notes the one served longest ago as the next."""
        try:
            waiting = {one.job_id for one in self._store.backlog() if one.task_type in types} - {job_id}
        except Unavailable:
            return False
        if not waiting:
            return False
        self._served = {one: self._served[one] for one in waiting if one in self._served}
        self._served[job_id] = time.monotonic()
        self._next_job = min(sorted(waiting), key=lambda one: self._served.get(one, 0.0))
        return True

    # One item.

    def _attempt(self, context: SlotContext, claimed: Claimed) -> Outcome | None:
        """Run an item; None if its outcome is no longer wanted."""
        lease = context.lease
        phase = lease.slot.phases[claimed.phase]
        task = self._tasks.get(phase.task_type)
        if task is None:
            return Broke(
                index=claimed.index, phase=claimed.phase, error=f"this worker has no task type {phase.task_type!r}"
            )
        work = ItemWork(context, claimed)
        running = RunningItem(claimed, work.cancelled, task.timeout or self._settings.item_timeout_seconds)
        self._heartbeat.begin(running)
        try:
            outcome = self._run(task, work, lease, claimed)
        finally:
            self._heartbeat.done(running)
        if isinstance(outcome, Broke):
            if running.late:
                outcome = _broke(claimed, running.reason)
            elif running.stop_time:
                return None  # it failed because it was asked to stop
            self._tell(lease, claimed, outcome)
        return outcome

    def _run(self, task: Task, work: ItemWork, lease: SlotLease, claimed: Claimed) -> Outcome:
        try:
            output = task.run(work)
            return self._judge(output, claimed, lease)
        except TaskError as error:
            final = isinstance(error, Rejected)
            return _broke(claimed, error.message, final=final, tokens=error.tokens, cost=error.cost)
        except (Exception, SystemExit) as error:
            fault = uuid.uuid4().hex[:8]
            _log.exception("item %d of job %s, phase %s: fault %s", work.index, work.job_id, work.phase.name, fault)
            tags = {"error_id": fault, "job": work.job_id, "item": str(work.index), "phase": work.phase.name}
            self._report(error, work.phase.task_type, {**tags, "batch_worker": self.worker})
            return _broke(claimed, f"unexpected {type(error).__name__}; see the server's log for fault {fault}")

    def _judge(self, output: Output, claimed: Claimed, lease: SlotLease) -> Outcome:
        phase = lease.slot.phases[claimed.phase]
        score = output.score
        if fault := unstorable(output.text, self._settings.max_output_bytes):
            return _broke(claimed, fault, final=True, tokens=output.tokens, cost=output.cost)
        # `not >=`: NaN counts as below.
        if score is not None and phase.validation and phase.min_score is not None and not score >= phase.min_score:
            reason = f"score {score:.4g} is below {phase.min_score:.4g}"
            return _broke(claimed, reason, tokens=output.tokens, cost=output.cost)
        return Done(
            index=claimed.index,
            phase=claimed.phase,
            output=output.text,
            score=None if score is None or math.isnan(score) else score,
            tokens=max(output.tokens, 0),
            cost_micros=_micros(output.cost),
        )

    def _tell(self, lease: SlotLease, claimed: Claimed, outcome: Broke) -> None:
        last = outcome.final or claimed.attempt >= self._settings.max_attempts
        level = logging.ERROR if last else logging.WARNING
        text = f"attempt {claimed.attempt}: {outcome.error}"
        lease.log(line(lease, level, text, item=claimed.index, phase=lease.slot.phases[claimed.phase].name))


class _TimeSlice:
    """How long a job may keep its worker while others wait."""

    def __init__(self, seconds: float, slices: int, items: int | None) -> None:
        self.last = False  # whether the worker must leave even if no job waits
        self.items = items
        self._seconds, self._slices = seconds, slices
        self._end = time.monotonic() + seconds

    def over(self) -> bool:
        """Whether a slice has passed; the next one starts then."""
        now = time.monotonic()
        if now < self._end:
            return False
        self._end = now + self._seconds
        self._slices -= 1
        self.last = self._slices == 0
        return True


class _Pace:
    """How many items to claim at once: as many as take 5 ms, or half a second if checkpoints allow it."""

    def __init__(self, most: int) -> None:
        self.want = 1
        self._most, self._count = most, 0
        self._since = 0.0

    def taken(self, count: int) -> None:
        """Note that items were claimed."""
        self._count, self._since = count, time.monotonic()

    def done(self) -> None:
        """Note that they are finished."""
        each = max((time.monotonic() - self._since) / self._count, 1e-6)
        allowed = max(min(self._most, int(_CLAIM_SECONDS / each)), min(_AHEAD_ITEMS, int(_AHEAD_SECONDS / each)))
        self.want = max(1, min(self.want * 2, allowed))


def _broke(claimed: Claimed, error: str, *, final: bool = False, tokens: int = 0, cost: float = 0.0) -> Broke:
    return Broke(
        index=claimed.index,
        phase=claimed.phase,
        error=storable(error, MAX_ERROR),
        final=final,
        tokens=max(tokens, 0),
        cost_micros=_micros(cost),
    )


def _micros(dollars: float) -> int:
    return round(dollars * 1e6) if math.isfinite(dollars) and dollars > 0 else 0
