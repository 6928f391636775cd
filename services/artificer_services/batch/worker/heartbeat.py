"""The thread beside a worker's work: renews the lease, sees cancellation, ends what hangs.

It ends the process where a task does not stop by itself: no thread can be stopped from outside, and since every effect
is in the store, a process may end at any moment. Knows no task; `runner` tells it what is being done.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from ..jobs.errors import LostSlot, Unavailable
from ..jobs.states import JobState
from ..jobs.work import Broke, Claimed
from ..settings import BatchSettings
from .lease import Hold

_log = logging.getLogger(__name__)

GRACE = 1.0  # seconds that a task has to stop by itself
FLUSH = 1.0  # seconds that a finished item is held at most, so that progress moves
LONG = 0.5  # seconds after which an item has others wait that were claimed because items used to be quick
STOPPED = 70  # the exit status of a process that ended itself because of its task
_PARTING = 3.0  # seconds that the last words of such a process may take


class Running:
    """An item that a task is at."""

    __slots__ = ("began", "cancelled", "claimed", "condemned", "deadline", "limit", "told")

    def __init__(self, claimed: Claimed, cancelled: threading.Event, limit: float) -> None:
        self.claimed, self.cancelled, self.limit = claimed, cancelled, limit
        self.began = time.monotonic()
        self.deadline = self.began + limit
        self.told = 0.0  # when it was asked to stop
        self.condemned = False

    @property
    def late(self) -> bool:
        """Whether it was asked to stop because it took too long."""
        return bool(self.told) and self.told >= self.deadline

    @property
    def reason(self) -> str:
        """Why an item that took too long failed."""
        return f"took longer than {self.limit:g} seconds"

    def stop(self) -> None:
        """Ask the task to stop."""
        if not self.told:
            self.told = time.monotonic()
            self.cancelled.set()


class Keeper:
    """Keeps one worker's slot. `end` ends the process."""

    def __init__(self, settings: BatchSettings, end: Callable[[int], object] = os._exit) -> None:
        self._settings, self._end = settings, end
        self._mind = threading.Condition()
        self._hold: Hold | None = None
        self._running: Running | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, hold: Hold) -> None:
        """Keep a hold, until `leave`."""
        with self._mind:
            self._hold = hold
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="batch-keeper", daemon=True)
                self._thread.start()
            self._mind.notify()

    def leave(self) -> None:
        """Keep nothing."""
        with self._mind:
            self._hold = None

    def close(self) -> None:
        """End the thread."""
        with self._mind:
            self._closed = True
            self._hold = None
            self._mind.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def begin(self, running: Running) -> None:
        """A task is at an item."""
        self._running = running

    def done(self, running: Running) -> None:
        """The task has ended. Does not return where the process is about to."""
        with self._mind:
            self._running = None
            condemned = running.condemned
        if condemned:
            threading.Event().wait()

    def _keep(self) -> None:
        while True:
            with self._mind:
                while self._hold is None and not self._closed:
                    self._mind.wait()
                if self._closed:
                    return
                self._mind.wait(self._pause())
                hold, running = self._hold, self._running
            if hold is None:
                continue
            try:
                self._look_after(hold, running)
            except Unavailable as error:
                _log.warning("worker %s cannot see its job: %s", hold.slot.worker, error.message)
            except LostSlot:
                if not hold.closed:  # otherwise the other thread was done with it a moment before
                    _log.warning("worker %s has lost job %s: its lease was over", hold.slot.worker, hold.slot.job_id)
            except Exception:
                _log.exception("worker %s could not look after job %s", hold.slot.worker, hold.slot.job_id)

    def _pause(self) -> float:
        """Seconds until there may be something to do."""
        pause = self._settings.poll_seconds
        running = self._running
        if running is not None:
            next_step = running.told + GRACE if running.told else running.deadline
            pause = min(pause, max(next_step - time.monotonic(), 0.001))
        return pause

    def _look_after(self, hold: Hold, running: Running | None) -> None:
        try:
            now = time.monotonic()
            if running is not None:
                self._mind_time(hold, running, now)
            if hold.lost or hold.closed:
                return
            if running is not None and hold.waiting and now - running.began >= LONG:
                hold.give_back()
            if hold.overdue(FLUSH):
                hold.exchange(0)
            if now - hold.renewed >= self._settings.heartbeat_seconds:
                hold.renew()
            elif now - hold.seen >= self._settings.poll_seconds:
                hold.look()
        finally:
            unwanted = hold.lost or hold.state == JobState.CANCELLED
            if running is not None and unwanted and running is self._running:
                running.stop()

    def _mind_time(self, hold: Hold, running: Running, now: float) -> None:
        if not running.told and now >= running.deadline:
            running.stop()
        if not running.told or now < running.told + GRACE:
            return
        with self._mind:
            if self._running is not running:
                return
            running.condemned = True
        self._part(hold, running)

    def _part(self, hold: Hold, running: Running) -> None:
        """Leave nothing behind but the item that hangs, and end the process, whatever the database does meanwhile."""
        why = running.reason if running.late else "was to stop and did not"
        _log.warning("item %d of job %s %s: the process ends", running.claimed.index, hold.slot.job_id, why)
        parting = threading.Thread(target=self._last_words, args=(hold, running), daemon=True)
        parting.start()
        parting.join(_PARTING)
        self._end(STOPPED)

    def _last_words(self, hold: Hold, running: Running) -> None:
        if hold.lost:
            return
        try:
            if running.late:
                hold.add(Broke(index=running.claimed.index, phase=running.claimed.phase, error=running.reason))
            hold.close()
        except LostSlot:
            _log.debug("the lease of a process that ends was over")
