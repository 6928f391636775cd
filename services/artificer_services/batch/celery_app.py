"""What Celery's workers load: `celery -A artificer_services.batch.celery_app worker`; with `-Q` for some task types.

An edge: reads the same environment and file as `diptych serve`. Made for Celery's prefork pool, since a task that does
not stop costs its process. Opens nothing before a child has work: what is opened before a fork is broken after it.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from celery import Celery, signals

from artificer_services.kit.settings import service_settings
from diptych.cli.load import LoadError, settings_of

from .jobs.errors import BatchError, Unavailable
from .jobs.store import Store
from .settings import BatchSettings
from .store.database import open_store
from .tasks.registry import load
from .worker import names
from .worker.engines.celery import TASK, Nudges, make_app, queue_of
from .worker.runner import Runner

_log = logging.getLogger(__name__)

# A message lasts this many slices at most, so that a worker that is told to stop does so soon.
_SLICES = 2
_BURIALS, _PAUSE = 30, 1.0  # how often a child looks for dead ones while it cannot, and the seconds between
_PR_SET_PDEATHSIG = 1


class Child:
    """One process of the pool: a worker of the batch service."""

    def __init__(self, settings: BatchSettings, app: Celery) -> None:
        self._settings, self._app = settings, app
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._runner: Runner | None = None
        self._nudges = Nudges(settings, app)

    def begin(self) -> None:
        """Look after what others left, beside the work: whoever was here before may have died."""
        threading.Thread(target=self._bury, name="batch-bury", daemon=True).start()

    def work(self, task_type: str) -> bool:
        """Work on whichever job wants it most, then call workers to what is left; whether there was anything to do."""
        store = self._open()
        if self._runner is None:
            self._runner = Runner(store, load(self._settings), self._settings, names.own())
        worked = self._runner.work_once(task_types=self._types(task_type), slices=_SLICES)
        if worked:
            _call(self._nudges, store)
        return worked

    def close(self) -> None:
        """End what tasks keep open, and every connection."""
        if self._runner is not None:
            self._runner.close()
        if self._store is not None:
            self._store.close()
        self._nudges.close()

    def _open(self) -> Store:
        with self._opening:
            if self._store is None:
                try:
                    self._store = open_store(self._settings, durable=False)
                except Exception as error:  # of a driver's; which one is no matter
                    raise Unavailable(f"the database cannot be opened: {error}") from error
            return self._store

    def _types(self, task_type: str) -> list[str]:
        """All that this worker was started for, so that an item goes on to its next phase in the same hands."""
        consumed = self._app.amqp.queues.consume_from
        return [name for name in TASK_TYPES if name == task_type or queue_of(self._settings, name) in consumed]

    def _bury(self) -> None:
        """Give back what dead workers of this machine have, which otherwise would wait until their leases are over."""
        for _ in range(_BURIALS):
            try:
                store = self._open()
                dead = [worker for worker in store.workers() if names.gone(worker)]
                for worker in dead:
                    _log.warning("worker %s has died: its items go to others", worker)
                    store.expire(worker)
            except Unavailable as error:
                _log.warning("dead workers are not looked for yet: %s", error.message)
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
    except Exception as error:  # of the broker's client and the database's, whose kinds are many
        _log.warning("no further workers are called, which a gateway will do: %s", error)


def _settings() -> BatchSettings:
    config = os.environ.get("DIPTYCH_CONFIG")
    try:
        settings = service_settings(settings_of(Path(config) if config else None, {}, []), "batch", BatchSettings)
        if not settings.broker_url or not settings.database_url:
            raise ValueError("services.batch needs a database_url and a broker_url where Celery is to work")
    except (LoadError, ValueError) as error:
        sys.exit(f"celery_app: {error}")
    return settings


SETTINGS = _settings()
TASK_TYPES = tuple(load(SETTINGS))
app = make_app(SETTINGS, TASK_TYPES)
_child = Child(SETTINGS, app)


def _work(job_id: str, task_type: str) -> bool:
    """Do work of a type. The job is named for whoever looks on; the store decides which one it is."""
    try:
        return _child.work(task_type)
    except BatchError as error:
        # Nothing is lost with the message: a gateway sends another one while there is work.
        _log.warning("no work is taken: %s", error.message)
        return False


app.task(_work, name=TASK)


@signals.worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _begin(**_: object) -> None:
    # Nobody replaces a child whose worker was killed, and nobody would see it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _child.begin()


@signals.worker_process_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
def _end(**_: object) -> None:
    _child.close()
