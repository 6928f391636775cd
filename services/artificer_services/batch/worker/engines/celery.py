"""The Celery engine: nudges go through a broker to workers on any machine.

Owns the configuration of the Celery application and the sending of nudges. A nudge says that there is work of a type;
the store decides what a worker gets. Nudges may be lost, doubled or late, and Celery keeps no state of a job.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from celery import Celery
from kombu import Connection, Queue
from kombu.exceptions import ChannelError

from ...jobs.work import Backlog
from ...settings import BatchSettings

TASK = "artificer.batch.work"

_log = logging.getLogger(__name__)

_MOST_WAITING = 1000  # nudges in one queue: more than any number of workers consumes at once
_CHECK_SECONDS = 5.0  # how often the broker is checked when there is nothing to send
_CONNECT_SECONDS = 5.0
_STOP_SECONDS = 10.0
_SLICES_PER_CHILD = 1000  # tasks after which a pool process is replaced, because libraries leak

# An unacknowledged message is redelivered after this. It should be longer than a slice; if it is not, the cost is one
# surplus nudge. Items of a dead worker do not wait for it: the sweep nudges others as soon as the lease expires.
_VISIBILITY_SECONDS = 3600


def queue_of(settings: BatchSettings, task_type: str) -> str:
    """Returns the name of the queue for work of a type."""
    return f"{settings.celery_queue}.{task_type}"


def make_app(settings: BatchSettings, task_types: Iterable[str] = ()) -> Celery:
    """Returns the Celery application. A worker that names no queues serves those of `task_types`."""
    app = Celery(settings.celery_queue, broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=settings.celery_queue,
        task_queues=[Queue(queue_of(settings, name), routing_key=queue_of(settings, name)) for name in task_types],
        # The message of a pool process that dies is redelivered at once. It cannot loop: the store counts attempts.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_lost_wait=1.0,
        worker_prefetch_multiplier=1,  # a nudge prefetched by a busy worker is lost to idle ones
        worker_max_tasks_per_child=_SLICES_PER_CHILD,
        worker_proc_alive_timeout=60.0,  # a process may start slowly on a busy machine
        # Running work needs no broker and continues without it.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_connection_timeout=_CONNECT_SECONDS,
        broker_transport_options={
            "visibility_timeout": _VISIBILITY_SECONDS,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10.0,  # notices a broker that vanished without closing
            "socket_connect_timeout": _CONNECT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        # Results are in the store; a message holds two short strings.
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        # For Flower and `celery events`; tasks are few.
        worker_send_task_events=True,
        task_send_sent_event=True,
    )
    return app


class Nudges:
    """Calls workers to unclaimed work. Not thread-safe."""

    def __init__(self, settings: BatchSettings, app: Celery) -> None:
        self._settings, self._app = settings, app
        self._connection: Connection | None = None

    def send(self, backlog: Sequence[Backlog]) -> None:
        """Send as many nudges as there is room for workers, less those already queued.

        Raises the broker client's error if the broker is unreachable; the next call reconnects.
        """
        try:
            self._send(backlog)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection to the broker."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def _send(self, backlog: Sequence[Backlog]) -> None:
        channel = self._connect().default_channel
        _waiting(channel, self._settings.celery_queue)  # at least one request, so that the broker is known to answer
        producer = self._app.amqp.Producer(channel, auto_declare=False)
        for task_type, jobs in _by_type(backlog):
            queue = queue_of(self._settings, task_type)
            room = min(sum(job.slots for job in jobs), _MOST_WAITING) - _waiting(channel, queue)
            for job_id in itertools.islice(_round_robin(jobs), max(room, 0)):
                self._app.send_task(TASK, (job_id, task_type), queue=queue, producer=producer, retry=False)

    def _connect(self) -> Connection:
        if self._connection is None:
            connection = self._app.connection_for_write()
            try:
                connection.connect()
            except BaseException:
                connection.release()
                raise
            self._connection = connection
        return self._connection


class CeleryEngine:
    """Sends nudges from a dedicated thread, so that an unreachable broker blocks no request. See `Engine`."""

    def __init__(self, settings: BatchSettings, backlog: Callable[[], Sequence[Backlog]]) -> None:
        """`backlog` is the store's method; it is called on the thread."""
        self._backlog = backlog
        self._nudges = Nudges(settings, make_app(settings))
        self._changed = threading.Condition()
        self._found: Sequence[Backlog] | None = None
        self._ask = self._stopping = False
        self._reached: bool | None = None
        self._thread = threading.Thread(target=self._run, name="batch-nudges", daemon=True)

    @property
    def healthy(self) -> bool:
        """Whether the broker answered the last time."""
        return self._reached is True

    @property
    def staff(self) -> Mapping[str, int]:
        """Workers are Celery's own."""
        return {}

    async def start(self) -> None:
        """Start sending, beginning with work that a crash has left."""
        self._ask = True
        self._thread.start()

    async def stop(self) -> None:
        """End the thread; workers finish the items that they hold."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, _STOP_SECONDS)

    def nudge(self, job_id: str) -> None:
        """Schedule a read of the backlog, after which workers are nudged."""
        with self._changed:
            self._ask = True
            self._changed.notify()

    def wanted(self, backlog: Sequence[Backlog]) -> None:
        """Schedule nudges for this backlog."""
        with self._changed:
            self._found = backlog
            self._changed.notify()

    def lost(self, workers: Iterable[str]) -> None:
        """Do nothing: Celery replaces its workers, and the store fences off a stopped one."""

    def _run(self) -> None:
        while self._wait():
            try:
                self._nudges.send(self._take())
                if not self._reached:
                    _log.info("the broker of batch jobs answers")
                self._reached = True
            except Exception as error:  # the broker client's and the database's errors have no common base
                if self._reached is not False:
                    _log.warning("cannot send batch jobs to Celery workers, retrying: %s", error)
                self._reached = False
        self._nudges.close()

    def _wait(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._ask or self._found is not None, _CHECK_SECONDS)
            return not self._stopping

    def _take(self) -> Sequence[Backlog]:
        with self._changed:
            found, self._found = self._found, None
            ask, self._ask = self._ask, False
        return self._backlog() if ask else found or ()


def _waiting(channel: Any, queue: str) -> int:
    """Returns the number of messages waiting in a queue."""
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:  # Redis keeps no empty queues
        return 0


def _by_type(backlog: Sequence[Backlog]) -> Iterator[tuple[str, list[Backlog]]]:
    def task_type(one: Backlog) -> str:
        return one.task_type

    for name, jobs in itertools.groupby(sorted(backlog, key=task_type), key=task_type):
        yield name, list(jobs)


def _round_robin(jobs: Sequence[Backlog]) -> Iterator[str]:
    """Yields job ids once per free slot, round-robin."""
    for turn in range(max((job.slots for job in jobs), default=0)):
        yield from (job.job_id for job in jobs if job.slots > turn)
