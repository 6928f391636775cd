"""A slot in use: finished items that are yet to be stored, lines of the log, and the lease.

Used by two threads: the one that runs items and the keeper beside it. Owns what of a worker talks to the store while it
has a slot, one transaction at a time, through any outage of the database. Knows no task.
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
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds between two attempts to reach the database
_MOST_LINES = 500  # more are stored before a task may write the next one


class Hold:
    """A slot and what its worker has not stored yet. Every method that talks to the store raises LostSlot."""

    def __init__(self, store: Store, slot: Slot, given_up: threading.Event) -> None:
        """`given_up` ends the patience with a database that cannot be reached."""
        self.slot = slot
        self.state = JobState.RUNNING  # as it was last seen
        self.renewed = self.seen = time.monotonic()  # when the lease was renewed; since when the state was so at least
        self.lost = self.closed = False
        self._store, self._given_up = store, given_up
        self._talk = threading.Lock()  # held while a transaction runs
        self._mind = threading.Lock()  # held for moments, while the lists below change hands
        self._waiting: deque[Claimed] = deque()  # claimed and not begun
        self._outcomes: list[Outcome] = []
        self._lines: list[LogLine] = []
        self._oldest = 0.0  # when the first of the outcomes or lines was added

    @property
    def full(self) -> bool:
        """Whether no more finished items may be held."""
        return len(self._outcomes) >= self.slot.checkpoint_frequency

    @property
    def waiting(self) -> int:
        """How many items are claimed and not begun."""
        return len(self._waiting)

    def next(self) -> Claimed | None:
        """The next item to begin, of those that are claimed; None where there is none or the job does not run."""
        if self._waiting and time.monotonic() - self.seen >= SIGHT_SECONDS:
            self._insist(self.look)
        with self._mind:
            if self.state != JobState.RUNNING:
                return None
            return self._waiting.popleft() if self._waiting else None

    def overdue(self, seconds: float) -> bool:
        """Whether something has been waiting for so long to be stored."""
        return bool(self._outcomes or self._lines) and time.monotonic() - self._oldest >= seconds

    def add(self, outcome: Outcome) -> None:
        """Hold what became of an item until it is stored."""
        with self._mind:
            self._age()
            self._outcomes.append(outcome)

    def log(self, line: LogLine) -> None:
        """Hold a line until it is stored. A task that writes without end waits here for the database."""
        with self._mind:
            self._age()
            self._lines.append(line)
            many = len(self._lines) >= _MOST_LINES
        if many and not self.lost:
            try:
                self.exchange(0)
            except LostSlot:
                _log.debug("lines of a lost slot are dropped")

    def exchange(self, want: int) -> int:
        """Store what is held, and claim up to `want` items; how many were claimed."""
        with self._talk:
            self._check()
            outcomes, lines = self._take()
            began, claimed = self._insist(
                lambda: (time.monotonic(), self._store.checkpoint(self.slot, outcomes, lines, want=want))
            )
            self.renewed = time.monotonic()
            if claimed:
                self._saw(JobState.RUNNING, began)
                with self._mind:
                    self._waiting.extend(claimed)
            return len(claimed)

    def renew(self) -> None:
        """Renew the lease, store lines, and see how the job stands."""
        with self._talk:
            self._check()
            with self._mind:
                lines, self._lines = self._lines, []
            began, state = self._insist(lambda: (time.monotonic(), self._store.heartbeat(self.slot, lines)))
            self.renewed = time.monotonic()
            self._saw(state, began)

    def look(self) -> None:
        """See how the job stands, by a read. Raises Unavailable."""
        began = time.monotonic()
        self._saw(self._store.job(self.slot.job_id).state, began)

    def give_back(self) -> None:
        """Return what was claimed and not begun."""
        with self._talk:
            with self._mind:
                indexes = [claimed.index for claimed in self._waiting]
                self._waiting.clear()
            if indexes:
                self._check()
                self._insist(lambda: self._store.give_back(self.slot, indexes))

    def close(self) -> JobState:
        """Store what is held and end the hold."""
        self.give_back()
        if self._outcomes or self._lines:
            self.exchange(0)
        with self._talk:
            self.closed = True
            return self._insist(lambda: self._store.close_slot(self.slot))

    def _saw(self, state: JobState, began: float) -> None:
        """The job was in a state when a look at it `began`, or a moment later; the other thread may have seen more."""
        with self._mind:
            if began >= self.seen:
                self.state, self.seen = state, began

    def _check(self) -> None:
        if self.lost or self.closed:
            raise LostSlot(self.slot.id)

    def _age(self) -> None:
        if not self._outcomes and not self._lines:
            self._oldest = time.monotonic()

    def _take(self) -> tuple[Sequence[Outcome], Sequence[LogLine]]:
        with self._mind:
            taken = self._outcomes, self._lines
            self._outcomes, self._lines = [], []
        return taken

    def _insist(self, transaction: Callable[[], T]) -> T:
        """Do it, as often as it takes.

        Doing it twice does no harm: the store takes an outcome for an item only while the slot has it. While the
        database is away nobody can end the lease either, so that patience is never wasted.
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
                _log.warning("worker %s waits for the store: %s", self.slot.worker, error.message)
            self._given_up.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
