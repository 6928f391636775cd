"""The program of a worker process of the local engine: woken by nudges, it works until nothing is ready.

Started by `engines.process`; it shares nothing with the server but two sockets, and ends with the server even in the
middle of an item, which is then released.
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

from diptych.outages import OutageLog

from ...kit.error_reports import ErrorReports
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

_NICE = 5  # so that the gateway on the same machine answers requests first
_FIRST_PAUSE = 0.05  # seconds before it retries a due item that it cannot claim; doubled up to sweep_seconds


class Worker:
    """Works when it is nudged, and when a failed item may be retried."""

    def __init__(self, runner: Runner, store: Store, settings: BatchSettings, sock: socket.socket) -> None:
        self._runner, self._store, self._settings, self._sock = runner, store, settings, sock
        self._nudges: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._pause = _FIRST_PAUSE
        self._outages = OutageLog(_log, "the job store, for a worker")

    def listen(self, lines: Any) -> None:
        """Read the server's messages, in a separate thread."""
        for text in lines:
            message = json.loads(text)
            if "ping" in message:
                _send(self._sock, {"alive": True})
            elif "stop" in message:
                self.stop()
            else:
                self._nudges.put(message["nudge"])
        os._exit(0)  # the server is gone

    def stop(self) -> None:
        """Stop after the current item, which is given back if it takes longer than `stop_grace_seconds`."""
        self._runner.stop(self._settings.stop_grace_seconds)
        self._nudges.put("")

    def serve(self) -> None:
        """Work until it is stopped or has run `worker_items` items."""
        wait: float | None = None
        while not self._done:
            wait = self._work(self._hear(wait))

    @property
    def _done(self) -> bool:
        return self._runner.stopping or self._runner.items >= self._settings.worker_items

    def _hear(self, wait: float | None) -> str:
        """Wait for a nudge, `wait` seconds at most; returns its job."""
        try:
            job_id = self._nudges.get(timeout=wait)
        except queue.Empty:
            return ""
        # Acknowledged before the store is read: a later nudge needs another look, and gets one.
        _send(self._sock, {"took": True})
        return job_id

    def _work(self, job_id: str) -> float | None:
        """Work until nothing is ready; returns the seconds until an item may be due, None to wait for a nudge."""
        worked = False
        try:
            while not self._done:
                due = self._store.next_due()  # read first, so that nothing falls due unseen in between
                self._outages.recovered()
                left = self._settings.worker_items - self._runner.items
                if self._runner.work_once(job_id, items=left):
                    worked = True
                elif not job_id:
                    return self._backoff(due, worked=worked)
                job_id = ""
        except Unavailable as error:
            self._outages.failed(error.message)
            return self._settings.sweep_seconds
        return None

    def _backoff(self, due: float | None, *, worked: bool) -> float | None:
        # A due item cannot be claimed while others have all slots of its job.
        self._pause = _FIRST_PAUSE if worked else min(self._pause * 2, self._settings.sweep_seconds)
        return None if due is None else max(due, self._pause)


def main(life_fd: int) -> None:
    """Run the worker until the server stops it."""
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
    reports = ErrorReports(setup.get("reports"))
    runner = Runner(store, load(settings), settings, names.own(), report=reports.report)
    worker = Worker(runner, store, settings, sock)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer; it ends its workers
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    _send(sock, {"ready": runner.worker})
    threading.Thread(target=worker.listen, args=(lines,), name="batch-listener", daemon=True).start()
    worker.serve()
    runner.close()
    store.close()
    reports.close()
    # Threads of libraries may delay an orderly exit, and everything is stored.
    sys.stderr.flush()
    os._exit(0)


def _send(sock: socket.socket, message: dict[str, Any]) -> None:
    sock.sendall(json.dumps(message).encode() + b"\n")


def _take_over_stdin() -> socket.socket:
    """Returns the socket passed as standard input, and replaces standard input by /dev/null."""
    sock = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return sock


if __name__ == "__main__":
    main(int(sys.argv[1]))
