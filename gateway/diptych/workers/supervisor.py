"""The supervisor: N slots with a worker each; dead workers are replaced, and a reload replaces them slot by slot.

It knows processes, sockets and time, and no protocol: calls do not pass through it.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import shutil
import signal
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .child import BEAT, COUNT, DRAINING, LEAVE, READY, STOP, Child
from .logs import NAME
from .notify import notify
from .plan import Plan
from .ports import Ports

logger = logging.getLogger(NAME)

START_TRIES = 3
"""How often the first start may fail before the supervisor exits."""
FIRM_SECONDS = 10.0
"""A worker that has served this long is replaced at once: its end has nothing to do with its start."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a worker that ended earlier is replaced: doubled each time, up to the longest."""
_TICK_SECONDS = 0.5
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(slots=True)
class _Slot:
    """The state of one slot. Consecutive `failures` lengthen the wait before the next start."""

    index: int
    worker: Child | None = None
    failures: int = 0
    start_at: float | None = None


def supervise(plan: Plan) -> int:
    """Runs the workers until SIGTERM or SIGINT; returns the exit code. Raises OSError if a port is in use."""
    ports = Ports.bind(plan)
    own = plan.metrics_dir or tempfile.mkdtemp(prefix="diptych-")  # mode 0700
    try:
        with _signals() as woken:
            return Supervisor(plan, ports, own, woken).run()
    finally:
        ports.close()
        if plan.metrics_dir is None:
            shutil.rmtree(own, ignore_errors=True)


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yields a socket that receives the numbers of signals, so that the selector handles them too."""
    read, write = socket.socketpair()
    with read, write:
        read.setblocking(False)
        write.setblocking(False)
        signal.set_wakeup_fd(write.fileno())
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        yield read
        signal.set_wakeup_fd(-1)


class Supervisor:
    """Starts, watches, replaces and reloads the workers of all slots."""

    def __init__(self, plan: Plan, ports: Ports, metrics_dir: str, woken: socket.socket) -> None:
        self._plan, self._ports, self._metrics_dir = plan, ports, metrics_dir
        self._slots = [_Slot(index) for index in range(plan.workers)]
        self._all: list[Child] = []
        self._tries = START_TRIES
        self._started = False
        self._reload: deque[int] = deque()
        self._replacement: Child | None = None
        self._reloading = self._reload_again = False
        self._code: int | None = None
        self._woken = woken
        self._selector = selectors.DefaultSelector()
        self._selector.register(woken, selectors.EVENT_READ)

    def run(self) -> int:
        """Supervises until a signal; returns the exit code."""
        # The first worker starts alone: migrations do not run concurrently, and errors in the settings are reported
        # once.
        self._slots[0].start_at = time.monotonic()
        for doubt in self._plan.doubts:
            logger.warning("%s", doubt)
        try:
            while self._code is None or self._all:
                for key, _ in self._selector.select(_TICK_SECONDS):
                    if key.fileobj is self._woken:
                        self._on_signals()
                    else:
                        self._on_lines(key.data)
                self._look()
        finally:
            for child in self._all:
                child.signal(signal.SIGKILL)
                child.process.wait()
                self._forget(child)
            self._selector.close()
        return self._code

    # Events.

    def _on_signals(self) -> None:
        for number in self._woken.recv(4096):
            if number in (signal.SIGTERM, signal.SIGINT):
                if self._code is None:
                    logger.info("stopping on %s", signal.Signals(number).name)
                    self._stop(0)
                else:
                    self._code = 128 + number
                    for child in self._all:
                        child.signal(signal.SIGKILL)
            elif number == signal.SIGHUP and self._code is None:
                self._begin_reload()

    def _on_lines(self, child: Child) -> None:
        lines = child.received()
        if lines is None:
            self._selector.unregister(child.channel)  # else readable forever; `_look` handles the end of the process
            return
        if BEAT in lines:
            child.heard = time.monotonic()
        if READY in lines and not child.ready:
            child.ready = True
            child.heard = time.monotonic()
            logger.info("%s serves", child)
            self._on_ready(child)
        if DRAINING in lines and not child.leaving:
            self._on_draining(child)

    def _on_draining(self, child: Child) -> None:
        """Replaces a worker that stops because a signal was sent to it; running calls have its grace period."""
        now, slot = time.monotonic(), self._slots[child.index]
        logger.info("%s stops on a signal: it is replaced", child)
        child.leaving = True
        child.kill_at = now + self._plan.stop_seconds + child.closing
        if slot.worker is child:
            slot.worker, slot.start_at = None, now

    def _on_ready(self, child: Child) -> None:
        if child.leaving:
            child.send(STOP)
        elif child is self._replacement:
            self._replacement = None
            slot = self._slots[child.index]
            old, slot.worker = slot.worker, child
            if old is not None:
                old.ask_to_end(LEAVE, time.monotonic(), self._plan.stop_seconds)
        elif not self._started:
            self._on_start(child)

    def _on_start(self, child: Child) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.worker is None and slot.start_at is None:
                slot.start_at = now
        if all(slot.worker is not None and slot.worker.ready for slot in self._slots):
            self._started = True
            notify("READY=1")
            logger.info("%d workers are ready: %s", self._plan.workers, self._where())

    def _where(self) -> str:
        plan, ports = self._plan, self._ports
        scheme = "https" if plan.secure else "http"
        http = f"{plan.http_host}:{ports.http_port}"
        rpc = http if ports.grpc_port is None else f"{plan.grpc_host}:{ports.grpc_port}"
        return f"HTTP on {scheme}://{http}, gRPC on {rpc} ({plan.engine} engine)"

    # Periodic work.

    def _look(self) -> None:
        now = time.monotonic()
        for child in list(self._all):
            ended = child.exit_reason()
            if ended is not None:
                self._forget(child)
                self._on_end(child, ended, now)
            else:
                self._watch(child, now)
        if self._code is None:
            for slot in self._slots:
                if slot.start_at is not None and slot.start_at <= now:
                    slot.start_at = None
                    slot.worker = self._start(slot.index, now)
            self._continue_reload(now)
        self._share_sockets()

    def _watch(self, child: Child, now: float) -> None:
        """Kills a worker that hangs, or that takes too long to start or to end."""
        plan = self._plan
        if child.kill_at is not None:
            if now >= child.kill_at:
                logger.error("%s has not ended in %.0f s: it is killed", child, plan.stop_seconds + child.closing)
                child.signal(signal.SIGKILL)
                child.kill_at = now + plan.stop_seconds
            return
        if child.ready and now - child.heard > plan.hang_seconds:
            logger.error("%s has been silent for %.0f s: it is killed", child, plan.hang_seconds)
        elif not child.ready and now - child.started > plan.start_seconds:
            logger.error("%s does not serve after %.0f s: it is killed", child, plan.start_seconds)
        else:
            return
        child.signal(signal.SIGKILL)
        child.kill_at = now + plan.stop_seconds

    def _start(self, index: int, now: float) -> Child | None:
        try:
            child = Child(self._plan, self._ports, index, self._metrics_dir, now)
        except OSError as error:
            logger.error("worker %d cannot be started: %s", index, error)
            self._wait(self._slots[index], now)
            return None
        self._all.append(child)
        self._selector.register(child.channel, selectors.EVENT_READ, child)
        return child

    def _forget(self, child: Child) -> None:
        self._all.remove(child)
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.channel)
        child.channel.close()

    def _on_end(self, child: Child, ended: str, now: float) -> None:
        slot = self._slots[child.index]
        if slot.worker is child:
            slot.worker = None
        elif child is self._replacement:
            self._replacement = None
            if self._code is None:
                self._abandon_reload(f"{child} {ended} before it served")
            return
        elif child.leaving:
            return  # its slot has another worker already
        if self._code is not None:
            return
        if not self._started and not child.ready:
            self._tries -= 1
            if not self._tries:
                logger.error("%s %s: no worker could be started, the supervisor exits", child, ended)
                self._stop(1)
                return
        firm = child.ready and now - child.started >= FIRM_SECONDS
        slot.failures = 0 if firm else slot.failures + 1
        wait = self._wait(slot, now)
        logger.error("%s %s: it is replaced%s", child, ended, f" in {wait:.1f} s" if wait else "")

    def _wait(self, slot: _Slot, now: float) -> float:
        """Schedules the start of the slot's next worker; returns the wait in seconds."""
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (slot.failures - 1)) if slot.failures else 0.0
        slot.start_at = now + wait
        return wait

    def _share_sockets(self) -> None:
        """Lets serving workers adopt the sockets of empty slots, and tells them how many workers serve."""
        serving = [child for child in self._all if child.ready and not child.leaving]
        if self._code is not None:
            return
        orphans = {slot.index for slot in self._slots} - {child.index for child in serving} if self._started else set()
        for child in serving:
            if child.adopted != orphans:
                child.adopted = orphans
                of_each = [self._ports.of(index) for index in sorted(orphans)]
                child.adopt_sockets([one for port in zip(*of_each, strict=True) for one in port])
            if child.counted != len(serving):
                child.counted = len(serving)
                child.send(COUNT, child.counted)

    # Reloading: workers are replaced one by one, and the new ones read settings and code again.

    def _begin_reload(self) -> None:
        if not self._started or self._reloading:
            self._reload_again = True
            return
        logger.info("reloading %d workers one by one", self._plan.workers)
        notify("RELOADING=1")
        self._reloading, self._reload_again = True, False
        self._reload.extend(range(self._plan.workers))

    def _continue_reload(self, now: float) -> None:
        if not self._reloading:
            if self._started and self._reload_again:
                self._begin_reload()
            return
        if self._replacement is not None or any(child.leaving for child in self._all):
            return
        while self._reload:
            slot = self._slots[self._reload.popleft()]
            if slot.worker is None:  # its next worker reads the new settings anyway
                continue
            self._replacement = self._start(slot.index, now)
            if self._replacement is None:
                slot.start_at = None
                self._abandon_reload("the system cannot create a process")
            return
        self._end_reload("reloaded")

    def _abandon_reload(self, why: str) -> None:
        logger.error("%s: the reload is abandoned; workers not yet reloaded keep running", why)
        self._reload.clear()
        self._end_reload("")

    def _end_reload(self, word: str) -> None:
        self._reloading = False
        if word and self._code is None:
            logger.info("%s: %s", word, self._where())
        notify("READY=1")

    # Stopping.

    def _stop(self, code: int) -> None:
        self._code = code
        notify("STOPPING=1")
        self._reload.clear()
        # From now on only the worker holds its socket; it accepts what is queued and closes it.
        self._ports.close()
        now = time.monotonic()
        for child in self._all:
            child.ask_to_end(STOP, now, self._plan.stop_seconds)
