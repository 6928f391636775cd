"""The Celery application: `celery -A artificer_services.batch.celery_app worker`, with `-Q` for some task types only.

Reads the same environment and file as `diptych serve`. Made for Celery's prefork pool, because a task that does not
stop costs its process. Opens no connection before a pool process has work: connections do not survive a fork.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from celery import Celery, signals

from artificer_services.kit.error_reports import ErrorReports, handed_over
from artificer_services.kit.settings import service_settings
from artificer_services.kit.task_tables import with_services
from diptych.cli.load import LoadError, settings_of
from diptych.outages import OutageLog

from .jobs.errors import ServiceError, Unavailable
from .jobs.store import Store
from .settings import BatchSettings
from .store.database import open_store
from .tasks.registry import load
from .worker import names
from .worker.engines.celery import TASK, Nudges, make_app, queue_of
from .worker.heartbeat import STOP_SECONDS
from .worker.runner import Runner
from .worker.stop_signal import StopSignal

_log = logging.getLogger(__name__)

# The most time slices per message, so that a worker stops soon after it is asked to.
_SLICES = 2
_EXPIRE_ATTEMPTS, _PAUSE = 30, 1.0  # attempts to look for dead workers while the store is unreachable; seconds between
_PR_SET_PDEATHSIG = 1
_OUTAGES = OutageLog(_log, "the job store")


class PoolProcess:
    """A worker of the batch service in one process of Celery's pool."""

    def __init__(self, settings: BatchSettings, app: Celery, reports: dict[str, Any] | None) -> None:
        """`reports` are the settings for reports of errors, see `kit.error_reports`."""
        self._settings, self._app, self._reporting = settings, app, reports
        self._reports: ErrorReports | None = None
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._runner: Runner | None = None
        self._nudges = Nudges(settings, app)
        self._stopping = False

    def begin(self) -> None:
        """Release the items of dead workers, in a thread: the process may replace one that died."""
        threading.Thread(target=self._expire_dead, name="batch-expire-dead", daemon=True).start()

    def work(self, task_type: str) -> bool:
        """Work on a job, then nudge workers for the rest; false if there was nothing to do."""
        store = self._open()
        if self._runner is None:
            self._reports = ErrorReports(self._reporting)  # not before the fork, which its thread would not survive
            tasks = load(self._settings)
            self._runner = Runner(store, tasks, self._settings, names.own(), report=self._reports.report)
        if self._stopping:  # since before there was a runner
            return False
        with self._terminable():
            worked = self._runner.work_once(task_types=self._types(task_type), slices=_SLICES)
        if worked:
            _call(self._nudges, store)
        return worked

    def stop(self) -> None:
        """Stop after the current item, which is given back if it takes longer than `stop_grace_seconds`.

        Safe to call from any thread.
        """
        self._stopping = True
        if self._runner is not None:
            self._runner.stop(self._settings.stop_grace_seconds)

    @contextmanager
    def _terminable(self) -> Iterator[None]:
        """Stop in order on SIGTERM, which systemd sends to every process of a service, then handle it as Celery does.

        Celery's handler raises SystemExit wherever the process is, which would look like a failure of the item.
        """
        came: list[int] = []

        def stop(number: int, _: object) -> None:
            came.append(number)
            self.stop()

        before = signal.getsignal(signal.SIGTERM)
        if not callable(before):  # ignored, as with REMAP_SIGTERM
            yield
            return
        signal.signal(signal.SIGTERM, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
            if came:
                signal.raise_signal(signal.SIGTERM)

    def close(self) -> None:
        """Close the tasks and every connection."""
        if self._runner is not None:
            self._runner.close()
        if self._store is not None:
            self._store.close()
        self._nudges.close()
        if self._reports is not None:
            self._reports.close()

    def _open(self) -> Store:
        with self._opening:
            if self._store is None:
                try:
                    self._store = open_store(self._settings, durable=False)
                except Exception as error:  # drivers raise errors without a common base
                    raise Unavailable(f"cannot open the database: {error}") from error
            return self._store

    def _types(self, task_type: str) -> list[str]:
        """Returns all task types of this worker's queues, so that an item's next phase can run in the same process."""
        consumed = self._app.amqp.queues.consume_from
        return [name for name in TASK_TYPES if name == task_type or queue_of(self._settings, name) in consumed]

    def _expire_dead(self) -> None:
        """Release the items of this machine's dead workers, which would otherwise wait for their leases to expire."""
        for _ in range(_EXPIRE_ATTEMPTS):
            try:
                store = self._open()
                dead = [worker for worker in store.workers() if names.gone(worker)]
                for worker in dead:
                    _log.warning("worker %s has died; its items go to others", worker)
                    store.expire(worker)
            except Unavailable as error:
                _OUTAGES.failed(error.message)
                time.sleep(_PAUSE)
                continue
            if dead:
                nudges = Nudges(self._settings, self._app)
                _call(nudges, store)
                nudges.close()
            return


def _call(nudges: Nudges, store: Store) -> None:
    try:
        nudges.send(store.backlog())
    except Exception as error:  # the broker client's and the database's errors have no common base
        _log.warning("cannot call further workers; a gateway will: %s", error)


def _settings() -> tuple[BatchSettings, dict[str, Any] | None]:
    config = os.environ.get("DIPTYCH_CONFIG")
    try:
        whole = settings_of(Path(config) if config else None, {}, [])
        settings = service_settings(whole, "batch", BatchSettings)
        settings = replace(settings, tasks=with_services(settings.tasks, whole.services))
        if not settings.broker_url or not settings.database_url:
            raise ValueError("services.batch needs a database_url and a broker_url for Celery workers")
    except (LoadError, ValueError) as error:
        sys.exit(f"celery_app: {error}")
    return settings, handed_over(whole.telemetry)


SETTINGS, _REPORTS = _settings()
TASK_TYPES = tuple(load(SETTINGS))
app = make_app(SETTINGS, TASK_TYPES)
# After SIGQUIT, which kills pool processes: before that they get the time that they need after SIGTERM.
app.conf.worker_soft_shutdown_timeout = SETTINGS.stop_grace_seconds + STOP_SECONDS
_child = PoolProcess(SETTINGS, app, _REPORTS)
_stop = StopSignal()


def _work(job_id: str, task_type: str) -> bool:
    """Work on items of a type. `job_id` is for monitoring only; the store decides which job it is."""
    try:
        worked = _child.work(task_type)
        _OUTAGES.recovered()
        return worked
    except ServiceError as error:
        # The message may be lost: a gateway sends another one while there is work.
        _OUTAGES.failed(error.message)
        return False


app.task(_work, name=TASK)


@signals.worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _begin(**_: object) -> None:
    # A pool process whose parent was killed would go on unsupervised.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _stop.listen(_child.stop)
    _child.begin()


@signals.worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
def _shut_down(**_: object) -> None:
    _stop.send()


@signals.celeryd_after_setup.connect(weak=False)  # type: ignore[untyped-decorator]
def _tell_before_waiting(instance: Any, **_: object) -> None:
    """Let pool processes stop at the beginning of the soft shutdown, since `worker_shutting_down` comes at its end."""
    wait = instance.wait_for_soft_shutdown

    def tell_and_wait() -> None:
        _stop.send()
        wait()

    instance.wait_for_soft_shutdown = tell_and_wait


@signals.worker_process_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
def _end(**_: object) -> None:
    _child.close()
