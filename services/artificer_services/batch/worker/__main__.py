"""A worker process of the local engine: is told where there is work, and works until there is none.

Started by `engines.process` as a program of its own, so that it shares nothing with the server but two sockets. It
ends with the server, in the middle of an item too: whatever it held goes back.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

from ...kit.processes import die_with_the_server
from ..jobs.errors import Unavailable
from ..jobs.store import Store
from ..settings import BatchSettings
from ..store.database import connect
from ..store.sql_store import SqlStore
from ..tasks.registry import load
from . import names
from .runner import Runner

_log = logging.getLogger(__name__)

_NICE = 5  # the gateway in front answers people
_FIRST_PAUSE = 0.05  # seconds between looks at an item that is due and cannot be had, doubled up to sweep_seconds


class Worker:
    """Does what it is nudged to, and looks again when an item that failed may be tried again."""

    def __init__(self, runner: Runner, store: Store, settings: BatchSettings, sock: socket.socket) -> None:
        self._runner, self._store, self._settings, self._sock = runner, store, settings, sock
        self._nudges: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._pause = _FIRST_PAUSE

    def listen(self, lines: Any) -> None:
        """Hear the server, in a thread of its own."""
        for text in lines:
            said = json.loads(text)
            if "ping" in said:
                _say(self._sock, {"alive": True})
            elif "stop" in said:
                self.stop()
            else:
                self._nudges.put(said["nudge"])
        os._exit(0)  # the server is gone

    def stop(self) -> None:
        """Stop at the end of the item in work."""
        self._runner.stop()
        self._nudges.put("")

    def serve(self) -> None:
        """Work until told to stop, or until it is time for a fresh process."""
        wait: float | None = None
        while not self._done:
            wait = self._work(self._hear(wait))

    @property
    def _done(self) -> bool:
        return self._runner.stopping or self._runner.items >= self._settings.worker_items

    def _hear(self, wait: float | None) -> str:
        """Wait for a nudge, `wait` seconds at most; the job that the nudge was about."""
        try:
            job_id = self._nudges.get(timeout=wait)
        except queue.Empty:
            return ""
        # Taken before the store is asked: what is nudged from now on needs another look, and gets one.
        _say(self._sock, {"took": True})
        return job_id

    def _work(self, job_id: str) -> float | None:
        """Work until there is nothing to do; seconds until there may be again, None where only a nudge can tell."""
        worked = False
        try:
            while not self._done:
                due = self._store.next_due()  # asked first, so that nothing falls due unseen between the two
                left = self._settings.worker_items - self._runner.items
                if self._runner.work_once(job_id, items=left):
                    worked = True
                elif not job_id:
                    return self._patience(due, worked=worked)
                job_id = ""
        except Unavailable as error:
            _log.warning("a worker cannot reach the store: %s", error.message)
            return self._settings.sweep_seconds
        return None

    def _patience(self, due: float | None, *, worked: bool) -> float | None:
        # Where others have all the room there is, what is due cannot be had.
        self._pause = _FIRST_PAUSE if worked else min(self._pause * 2, self._settings.sweep_seconds)
        return None if due is None else max(due, self._pause)


def main(life_fd: int) -> None:
    """Serve until the server says stop."""
    die_with_the_server(life_fd)
    sock = _take_over_stdin()
    lines = sock.makefile("r", encoding="utf-8")
    setup = json.loads(lines.readline() or "{}")
    if not setup:
        return
    logging.basicConfig(level=setup["log_level"], format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    with suppress(OSError):
        os.nice(_NICE)
    settings = BatchSettings(**setup["settings"])
    store = SqlStore(connect(settings, durable=False), settings.policy)  # the gateway has brought the tables up to date
    runner = Runner(store, load(settings), settings, names.own())
    worker = Worker(runner, store, settings, sock)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer; it ends its workers
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    _say(sock, {"ready": runner.worker})
    threading.Thread(target=worker.listen, args=(lines,), name="batch-listener", daemon=True).start()
    worker.serve()
    runner.close()
    store.close()
    # Libraries' threads may hold up an orderly end, and there is nothing left to lose.
    sys.stderr.flush()
    os._exit(0)


def _say(sock: socket.socket, said: dict[str, Any]) -> None:
    sock.sendall(json.dumps(said).encode() + b"\n")


def _take_over_stdin() -> socket.socket:
    """The socket that the process was started with as its standard input, which becomes empty."""
    sock = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return sock


if __name__ == "__main__":
    main(int(sys.argv[1]))
