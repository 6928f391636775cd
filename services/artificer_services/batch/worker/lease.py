"""A slot in use: its lease, and the outcomes and log lines that are not stored yet.

Used by two threads, the one that runs items and the heartbeat. Owns a worker's transactions while it has a slot, one at
a time, and retries them through any outage of the database. Knows no task.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..jobs.errors import LostSlot, Unavailable
from ..jobs.job import LogLine
from ..jobs.states import SIGHT_SECONDS, JobState
from ..jobs.store import Store
from ..jobs.work import Claimed, Outcome, Slot

_log = logging.getLogger(__name__)

T = TypeVar("T")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds between attempts to reach the database
_MAX_LINES = 500  # a task that writes more waits until they are stored


class SlotLease:
    """A slot and what its worker has not stored yet. Every method that calls the store raises LostSlot."""

    def __init__(self, store: Store, slot: Slot, given_up: threading.Event) -> None:
        """`given_up`, when set, ends the retries of an unreachable database."""
        self.slot = slot
        self.state = JobState.RUNNING  # of the job, as last seen
        self.renewed = self.seen = self._began = (
            time.monotonic()
        )  # times of the last renewal and of the last look at the state
        self.lost = self.closed = False
        self._store, self._given_up = store, given_up
        self._transaction = threading.Lock()  # held while a transaction runs
        self._lists = threading.Lock()  # guards the lists below; never held during I/O
        self._waiting: deque[Claimed] = deque()  # claimed and not started
        self._outcomes: list[Outcome] = []
        self._lines: list[LogLine] = []
        self._oldest = 0.0  # when the first of the outcomes or lines was added

    @property
    def now(self) -> int:
        """The time in microseconds since 1970, by the database's clock when the slot was opened and our own since."""
        return self.slot.opened + round((time.monotonic() - self._began) * 1_000_000)

    @property
    def full(self) -> bool:
        """Whether the unstored outcomes have reached the checkpoint frequency."""
        return len(self._outcomes) >= self.slot.checkpoint_frequency

    @property
    def waiting(self) -> int:
        """The number of items that are claimed and not started."""
        return len(self._waiting)

    def next(self) -> Claimed | None:
        """Returns the next claimed item to start; None if there is none or the job is not running."""
        if self._waiting and time.monotonic() - self.seen >= SIGHT_SECONDS:
            self._retry(self.look)
        with self._lists:
            if self.state != JobState.RUNNING:
                return None
            return self._waiting.popleft() if self._waiting else None

    def overdue(self, seconds: float) -> bool:
        """Whether something has waited this long to be stored."""
        return bool(self._outcomes or self._lines) and time.monotonic() - self._oldest >= seconds

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome until it is stored."""
        with self._lists:
            self._age()
            self._outcomes.append(outcome)

    def log(self, line: LogLine) -> None:
        """Keep a log line until it is stored. A task that writes too many waits here for the database."""
        with self._lists:
            self._age()
            self._lines.append(line)
            many = len(self._lines) >= _MAX_LINES
        if many and not self.lost:
            try:
                self.exchange(0)
            except LostSlot:
                _log.debug("log lines of a lost slot are dropped")

    def exchange(self, want: int) -> int:
        """Store outcomes and log lines, and claim up to `want` items; returns how many were claimed."""
        with self._transaction:
            self._check()
            outcomes, lines = self._take()
            began, claimed = self._retry(
                lambda: (time.monotonic(), self._store.checkpoint(self.slot, outcomes, lines, want=want))
            )
            self.renewed = time.monotonic()
            if claimed:
                self._saw(JobState.RUNNING, began)
                with self._lists:
                    self._waiting.extend(claimed)
            return len(claimed)

    def renew(self) -> None:
        """Renew the lease, store log lines, and see the job's state."""
        with self._transaction:
            self._check()
            with self._lists:
                lines, self._lines = self._lines, []
            began, state = self._retry(lambda: (time.monotonic(), self._store.heartbeat(self.slot, lines)))
            self.renewed = time.monotonic()
            self._saw(state, began)

    def look(self) -> None:
        """Read the job's state. Raises Unavailable."""
        began = time.monotonic()
        self._saw(self._store.job(self.slot.job_id).state, began)

    def give_back(self) -> None:
        """Release the items that were claimed and not started."""
        with self._transaction:
            with self._lists:
                indexes = [claimed.index for claimed in self._waiting]
                self._waiting.clear()
            if indexes:
                self._check()
                self._retry(lambda: self._store.give_back(self.slot, indexes))

    def close(self) -> JobState:
        """Store what is left and close the slot."""
        self.give_back()
        if self._outcomes or self._lines:
            self.exchange(0)
        with self._transaction:
            self.closed = True
            return self._retry(lambda: self._store.close_slot(self.slot))

    def _saw(self, state: JobState, began: float) -> None:
        """Note the state that a read begun at `began` saw, unless the other thread has seen a later one."""
        with self._lists:
            if began >= self.seen:
                self.state, self.seen = state, began

    def _check(self) -> None:
        if self.lost or self.closed:
            raise LostSlot(self.slot.id)

    def _age(self) -> None:
        if not self._outcomes and not self._lines:
            self._oldest = time.monotonic()

    def _take(self) -> tuple[Sequence[Outcome], Sequence[LogLine]]:
        with self._lists:
            unsent = self._outcomes, self._lines
            self._outcomes, self._lines = [], []
        return unsent

    def _retry(self, transaction: Callable[[], T]) -> T:
        """Run a transaction until the database answers.

        Running it twice is harmless: the store accepts an outcome only while the slot holds the item. Waiting is safe:
        while the database is unreachable, no other process can end the lease either.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                return transaction()
            except LostSlot:
                self.lost = True
                raise
            except Unavailable as error:
                if self._given_up.is_set():
                    self.lost = True
                    raise LostSlot(self.slot.id) from error
                # The store's own log reports the outage once.
                _log.debug("worker %s is retrying the store: %s", self.slot.worker, error.message)
            self._given_up.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
