"""The one loop that works on a job, in whichever process: claim, run the task, store what came of it.

Owns what becomes of an item. Knows no engine: who calls it, and when, is theirs to know.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping

from ..jobs.errors import LostSlot, Unavailable
from ..jobs.states import JobState
from ..jobs.store import Store
from ..jobs.work import Broke, Claimed, Done, Outcome, Slot
from ..settings import BatchSettings
from ..tasks.api import Output, Rejected, Task, TaskError
from ..tasks.inputs import Documents
from .heartbeat import FLUSH, Keeper, Running
from .item_work import MAX_ERROR, ItemWork, Shared, line, storable
from .lease import Hold

_log = logging.getLogger(__name__)

_CLAIM_SECONDS = FLUSH / 2  # how much work is claimed at once, where checkpoints allow several items
# So much is claimed at once though every item is stored by itself: a tenth of a no-op item's cost is its claim.
_AHEAD_SECONDS, _AHEAD_ITEMS = 0.005, 16


class Runner:
    """A worker: does one item after the other, of one job after the other. Not for use by several threads."""

    def __init__(
        self,
        store: Store,
        tasks: Mapping[str, Task],
        settings: BatchSettings,
        worker: str,
        *,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """`worker` is unique among all workers that live. `end` ends the process where a task does not stop."""
        self.items = 0  # done until now
        self.worker = worker
        self._store, self._tasks, self._settings = store, tasks, settings
        self._types = tuple(tasks)
        self._documents = Documents(settings.tasks)
        self._keeper = Keeper(settings, end)
        self._stopping = threading.Event()
        self._turn = ""  # the job that is to be next
        self._served: dict[str, float] = {}  # when jobs were last worked on, of those that had to wait

    def stop(self) -> None:
        """Stop at the end of the item in work. Any thread may call it."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether no item is begun any more."""
        return self._stopping.is_set()

    def close(self) -> None:
        """End the keeper, and let the tasks end what they keep open."""
        self._stopping.set()
        self._keeper.close()
        for task in self._tasks.values():
            try:
                task.close()
            except Exception:
                _log.exception("task type %s could not be closed", task.name)

    def work_once(
        self, job_id: str = "", task_types: Iterable[str] = (), *, slices: int = 0, items: int | None = None
    ) -> bool:
        """Work on a job for as long as there is something to do and it is its turn; whether there was anything to do.

        On `job_id`, or on whichever wants it most. With `task_types` only on phases of these. After `slices` turns it
        returns whether others wait or not (0: only if they do), after so many `items` as well. Raises Unavailable.
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
        """Work through a slot, and close it."""
        hold = Hold(self._store, slot, self._stopping)
        turn = _Turn(self._settings.slice_seconds, slices, None if items is None else self.items + items)
        self._keeper.watch(hold)
        try:
            self._work(hold, turn, tuple(task_types) or self._types)
            hold.close()
        except LostSlot:
            _log.warning("worker %s has lost job %s: what it held is dropped", self.worker, slot.job_id)
        except BaseException:
            self._abandon()
            raise
        finally:
            self._keeper.leave()

    def _open(self, job_id: str, types: tuple[str, ...]) -> Slot | None:
        turn, self._turn = self._turn, ""
        wanted = job_id or turn
        if wanted:
            slot = self._store.open_slot(self.worker, job_id=wanted, task_types=types)
            if slot is not None or job_id:
                return slot
        return self._store.open_slot(self.worker, task_types=types)

    def _abandon(self) -> None:
        """Something went wrong that nobody has thought of: the items go back as after a crash."""
        try:
            self._store.expire(self.worker)
        except Exception:
            _log.warning("the slot of worker %s is left to its lease", self.worker, exc_info=True)

    def _work(self, hold: Hold, turn: _Turn, types: tuple[str, ...]) -> None:
        shared = Shared(self._store, hold, self._documents)
        pace = _Pace(hold.slot.checkpoint_frequency)
        while count := hold.exchange(pace.want):
            pace.taken(count)
            while (claimed := hold.next()) is not None:
                outcome = self._attempt(shared, claimed)
                if outcome is not None:
                    hold.add(outcome)
                self.items += 1
                if self._must_leave(hold, turn, types):
                    return
                if hold.waiting and (hold.full or hold.overdue(FLUSH)):
                    hold.exchange(0)
            pace.done()

    def _must_leave(self, hold: Hold, turn: _Turn, types: tuple[str, ...]) -> bool:
        if hold.lost or hold.state != JobState.RUNNING or self.stopping or turn.items == self.items:
            return True
        if not turn.over():
            return False
        return turn.last or self._others_wait(hold.slot.job_id, types)

    def _others_wait(self, job_id: str, types: tuple[str, ...]) -> bool:
        """Whether another job has waited, and which one is next: the one whose turn was longest ago."""
        try:
            waiting = {one.job_id for one in self._store.backlog() if one.task_type in types} - {job_id}
        except Unavailable:
            return False
        if not waiting:
            return False
        self._served = {one: self._served[one] for one in waiting if one in self._served}
        self._served[job_id] = time.monotonic()
        self._turn = min(sorted(waiting), key=lambda one: self._served.get(one, 0.0))
        return True

    # One item.

    def _attempt(self, shared: Shared, claimed: Claimed) -> Outcome | None:
        """Do an item; None where nobody wants to know any more."""
        hold = shared.hold
        phase = hold.slot.phases[claimed.phase]
        task = self._tasks.get(phase.task_type)
        if task is None:
            return Broke(index=claimed.index, phase=claimed.phase, error=f"no worker knows {phase.task_type}")
        work = ItemWork(shared, claimed)
        running = Running(claimed, work.cancelled, task.timeout or self._settings.item_timeout_seconds)
        self._keeper.begin(running)
        try:
            outcome = self._run(task, work, hold, claimed)
        finally:
            self._keeper.done(running)
        if isinstance(outcome, Broke):
            if running.late:
                outcome = _broke(claimed, running.reason)
            elif running.told:
                return None  # it failed because it was told to stop
            self._tell(hold, claimed, outcome)
        return outcome

    def _run(self, task: Task, work: ItemWork, hold: Hold, claimed: Claimed) -> Outcome:
        try:
            output = task.run(work)
            return self._judge(output, claimed, hold)
        except TaskError as error:
            final = isinstance(error, Rejected)
            return _broke(claimed, error.message, final=final, tokens=error.tokens, cost=error.cost)
        except (Exception, SystemExit) as error:
            fault = uuid.uuid4().hex[:8]
            _log.exception("item %d of job %s, phase %s: fault %s", work.index, work.job_id, work.phase.name, fault)
            return _broke(claimed, f"unexpected {type(error).__name__}; the server's log has it as {fault}")

    def _judge(self, output: Output, claimed: Claimed, hold: Hold) -> Outcome:
        phase = hold.slot.phases[claimed.phase]
        score = output.score
        if fault := _fault(output, self._settings.max_output_bytes):
            return _broke(claimed, fault, final=True, tokens=output.tokens, cost=output.cost)
        # A score that is no number is below any other.
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

    def _tell(self, hold: Hold, claimed: Claimed, outcome: Broke) -> None:
        last = outcome.final or claimed.attempt >= self._settings.max_attempts
        level = logging.ERROR if last else logging.WARNING
        text = f"attempt {claimed.attempt}: {outcome.error}"
        hold.log(line(hold, level, text, item=claimed.index, phase=hold.slot.phases[claimed.phase].name))


class _Turn:
    """How long a job may keep its worker while others wait."""

    def __init__(self, seconds: float, slices: int, items: int | None) -> None:
        self.last = False  # whether it may not go on though nobody waits
        self.items = items
        self._seconds, self._slices = seconds, slices
        self._end = time.monotonic() + seconds

    def over(self) -> bool:
        """Whether a slice has gone by; the next one begins then."""
        now = time.monotonic()
        if now < self._end:
            return False
        self._end = now + self._seconds
        self._slices -= 1
        self.last = self._slices == 0
        return True


class _Pace:
    """How many items to claim at once: what can be done in a moment, and in half a second as checkpoints allow."""

    def __init__(self, most: int) -> None:
        self.want = 1
        self._most, self._count = most, 0
        self._since = 0.0

    def taken(self, count: int) -> None:
        """So many items were claimed."""
        self._count, self._since = count, time.monotonic()

    def done(self) -> None:
        """They are done."""
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


def _fault(output: Output, limit: int) -> str | None:
    """Why an output cannot be stored."""
    text = output.text
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        return "the output has halves of characters, which cannot be stored"
    if size > limit:
        return f"the output has {size:,} bytes, and {limit:,} are allowed"
    if "\0" in text:
        return "the output has a NUL character, which cannot be stored"
    return None
