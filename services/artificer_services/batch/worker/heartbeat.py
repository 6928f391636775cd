"""The heartbeat: a thread of the worker process that renews the lease, notices cancellation and ends hung items.

It ends the process if a task does not stop by itself: Python cannot stop a thread from outside, and since every effect
is in the store, a process may end at any moment. Knows no task; `runner` reports what is running.
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
from .lease import SlotLease

_log = logging.getLogger(__name__)

GRACE = 1.0  # seconds that a task has to stop after it was asked to
FLUSH = 1.0  # seconds after which finished items are stored, so that progress is visible
LONG = 0.5  # seconds after which the items claimed behind a running one are released
STOPPED = 70  # the exit status of a process that ended itself because of its task
_REPORT_SECONDS = 3.0  # that such a process may take to store what it has
STOP_SECONDS = GRACE + _REPORT_SECONDS + 0.5  # within which a process has ended after the grace of its item


class RunningItem:
    """An item that a task is running."""

    __slots__ = ("began", "cancelled", "claimed", "condemned", "deadline", "limit", "stop_time")

    def __init__(self, claimed: Claimed, cancelled: threading.Event, limit: float) -> None:
        self.claimed, self.cancelled, self.limit = claimed, cancelled, limit
        self.began = time.monotonic()
        self.deadline = self.began + limit
        self.stop_time = 0.0  # when it was asked to stop
        self.condemned = False

    @property
    def late(self) -> bool:
        """Whether it was asked to stop because it timed out."""
        return bool(self.stop_time) and self.stop_time >= self.deadline

    @property
    def reason(self) -> str:
        """The error of an item that timed out."""
        return f"took longer than {self.limit:g} seconds"

    def stop(self) -> None:
        """Ask the task to stop."""
        if not self.stop_time:
            self.stop_time = time.monotonic()
            self.cancelled.set()


class Heartbeat:
    """Keeps the lease of one worker alive. `end` ends the process."""

    def __init__(self, settings: BatchSettings, end: Callable[[int], object] = os._exit) -> None:
        self._settings, self._end = settings, end
        self._changed = threading.Condition()
        self._lease: SlotLease | None = None
        self._running: RunningItem | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._leave: float | None = None  # when a running item is asked to stop, because the worker leaves

    def start(self, lease: SlotLease) -> None:
        """Renew a lease until `stop`."""
        with self._changed:
            self._lease = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="batch-heartbeat", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """Stop renewing the lease."""
        with self._changed:
            self._lease = None

    def leave(self, grace: float) -> None:
        """Let the running item finish within `grace` seconds, then end it as if it had not been tried."""
        with self._changed:
            self._leave = time.monotonic() + grace
            self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._lease = None
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def begin(self, running: RunningItem) -> None:
        """Note that a task runs an item."""
        self._running = running

    def done(self, running: RunningItem) -> None:
        """Note that the task has ended. Does not return if the process is about to end."""
        with self._changed:
            self._running = None
            condemned = running.condemned
        if condemned:
            threading.Event().wait()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while self._lease is None and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                self._changed.wait(self._pause())
                lease, running = self._lease, self._running
            if lease is None:
                continue
            try:
                self._beat(lease, running)
            except Unavailable as error:
                # Once a beat; the store's own log reports the outage.
                _log.debug("worker %s cannot reach the store: %s", lease.slot.worker, error.message)
            except LostSlot:
                if not lease.closed:  # otherwise the other thread has just closed it
                    _log.warning("worker %s has lost job %s: its lease expired", lease.slot.worker, lease.slot.job_id)
            except Exception:
                _log.exception("worker %s: the heartbeat of job %s failed", lease.slot.worker, lease.slot.job_id)

    def _pause(self) -> float:
        """Returns the seconds until the next check."""
        pause = self._settings.poll_seconds
        running = self._running
        if running is not None:
            next_step = running.stop_time + GRACE if running.stop_time else self._last(running)
            pause = min(pause, max(next_step - time.monotonic(), 0.001))
        return pause

    def _last(self, running: RunningItem) -> float:
        """Returns when an item is asked to stop: it has timed out, or the worker leaves."""
        return running.deadline if self._leave is None else min(running.deadline, self._leave)

    def _beat(self, lease: SlotLease, running: RunningItem | None) -> None:
        try:
            now = time.monotonic()
            if running is not None:
                self._check_deadline(lease, running, now)
            if lease.lost or lease.closed:
                return
            if running is not None and lease.waiting and now - running.began >= LONG:
                lease.give_back()
            if lease.overdue(FLUSH):
                lease.exchange(0)
            if now - lease.renewed >= self._settings.heartbeat_seconds:
                lease.renew()
            elif now - lease.seen >= self._settings.poll_seconds:
                lease.look()
        finally:
            unwanted = lease.lost or lease.state == JobState.CANCELLED
            if running is not None and unwanted and running is self._running:
                running.stop()

    def _check_deadline(self, lease: SlotLease, running: RunningItem, now: float) -> None:
        if not running.stop_time and now >= self._last(running):
            running.stop()
        if not running.stop_time or now < running.stop_time + GRACE:
            return
        with self._changed:
            if self._running is not running:
                return
            running.condemned = True
        self._end_process(lease, running)

    def _end_process(self, lease: SlotLease, running: RunningItem) -> None:
        """Store what can be stored within a few seconds, then end the process."""
        why = running.reason if running.late else "did not stop when asked to"
        _log.warning("item %d of job %s %s: the process ends", running.claimed.index, lease.slot.job_id, why)
        report = threading.Thread(target=self._report, args=(lease, running), daemon=True)
        report.start()
        report.join(_REPORT_SECONDS)
        self._end(STOPPED)

    def _report(self, lease: SlotLease, running: RunningItem) -> None:
        if lease.lost:
            return
        try:
            if running.late:
                lease.add(Broke(index=running.claimed.index, phase=running.claimed.phase, error=running.reason))
            lease.close()
        except LostSlot:
            _log.debug("the lease of an ending process had expired")
