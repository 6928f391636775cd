"""Work by Celery: hints go through a broker to workers on any machine.

Owns how the Celery application is configured and how nudges are sent. A nudge says that there is work of a type, and
the store decides what of it a worker gets: nudges may be lost, doubled or late, and Celery keeps no state of a job.
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

_MOST_WAITING = 1000  # nudges in one queue: more than any number of workers takes at once
_CHECK_SECONDS = 5.0  # how often the broker is asked whether it lives when there is nothing to send
_CONNECT_SECONDS = 5.0
_STOP_SECONDS = 10.0
_SLICES_PER_CHILD = 1000  # after so many a worker's child is replaced, since libraries leak

# A message that nobody acknowledged comes again after this. It has to be longer than a slice; what it costs when it is
# not is one nudge too many. What a dead worker held is not waited for: the sweeper nudges others as soon as its lease
# is over.
_VISIBILITY_SECONDS = 3600


def queue_of(settings: BatchSettings, task_type: str) -> str:
    """The name of the queue for work of a type."""
    return f"{settings.celery_queue}.{task_type}"


def make_app(settings: BatchSettings, task_types: Iterable[str] = ()) -> Celery:
    """The Celery application. A worker that names no queues serves those of `task_types`."""
    app = Celery(settings.celery_queue, broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=settings.celery_queue,
        task_queues=[Queue(queue_of(settings, name), routing_key=queue_of(settings, name)) for name in task_types],
        # A child that dies in the middle gives its message back at once, so that a sound one goes on. Whatever the item
        # did to it: the store counts attempts.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_lost_wait=1.0,
        worker_prefetch_multiplier=1,  # a nudge that waits behind a busy worker is of no use to idle ones
        worker_max_tasks_per_child=_SLICES_PER_CHILD,
        worker_proc_alive_timeout=60.0,  # a busy machine is no reason to kill a child that starts
        # Work needs no broker: what runs goes on while it is away.
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
            "socket_timeout": 10.0,  # a broker that vanished without a word
            "socket_connect_timeout": _CONNECT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        # Results are in the store, and messages hold two short texts.
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        # Flower and `celery events` show what they are told; slices are few.
        worker_send_task_events=True,
        task_send_sent_event=True,
    )
    return app


class Nudges:
    """Calls workers to work that nobody has. Not for use by several threads."""

    def __init__(self, settings: BatchSettings, app: Celery) -> None:
        self._settings, self._app = settings, app
        self._connection: Connection | None = None

    def send(self, backlog: Sequence[Backlog]) -> None:
        """Send as many nudges as there is room for workers, less those that wait already.

        Raises what the broker's client raises where the broker is away; the next call connects again.
        """
        try:
            self._send(backlog)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the broker."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def _send(self, backlog: Sequence[Backlog]) -> None:
        channel = self._connect().default_channel
        _waiting(channel, self._settings.celery_queue)  # one question at least, so that silence means health
        producer = self._app.amqp.Producer(channel, auto_declare=False)
        for task_type, jobs in _by_type(backlog):
            queue = queue_of(self._settings, task_type)
            room = min(sum(job.slots for job in jobs), _MOST_WAITING) - _waiting(channel, queue)
            for job_id in itertools.islice(_in_turn(jobs), max(room, 0)):
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
    """Sends nudges, from a thread of its own: a broker that is away delays nothing but work. See `Engine`."""

    def __init__(self, settings: BatchSettings, backlog: Callable[[], Sequence[Backlog]]) -> None:
        """`backlog` is the store's; it is called on the thread."""
        self._backlog = backlog
        self._nudges = Nudges(settings, make_app(settings))
        self._changed = threading.Condition()
        self._found: Sequence[Backlog] | None = None
        self._ask = self._stopping = False
        self._reached: bool | None = None
        self._thread = threading.Thread(target=self._run, name="batch-nudges", daemon=True)

    @property
    def healthy(self) -> bool:
        """Whether the broker answered when it was asked last."""
        return self._reached is True

    @property
    def staff(self) -> Mapping[str, int]:
        """Workers are Celery's own."""
        return {}

    async def start(self) -> None:
        """Begin to send, first of all for what a crash has left."""
        self._ask = True
        self._thread.start()

    async def stop(self) -> None:
        """End the thread. Workers go on with what they have."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, _STOP_SECONDS)

    def nudge(self, job_id: str) -> None:
        """Look for work that workers can be called to."""
        with self._changed:
            self._ask = True
            self._changed.notify()

    def wanted(self, backlog: Sequence[Backlog]) -> None:
        """Call workers to this."""
        with self._changed:
            self._found = backlog
            self._changed.notify()

    def lost(self, workers: Iterable[str]) -> None:
        """Workers are Celery's own, and what a stopped one does later is fenced off by the store."""

    def _run(self) -> None:
        while self._wait():
            try:
                self._nudges.send(self._take())
                if not self._reached:
                    _log.info("the broker of batch jobs answers")
                self._reached = True
            except Exception as error:  # of the broker's client and the database's, whose kinds are many
                if self._reached is not False:
                    _log.warning("workers cannot be called to batch jobs, trying again: %s", error)
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
    """The messages in a queue that no worker has taken."""
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:  # there is none: Redis keeps no empty queues
        return 0


def _by_type(backlog: Sequence[Backlog]) -> Iterator[tuple[str, list[Backlog]]]:
    def task_type(one: Backlog) -> str:
        return one.task_type

    for name, jobs in itertools.groupby(sorted(backlog, key=task_type), key=task_type):
        yield name, list(jobs)


def _in_turn(jobs: Sequence[Backlog]) -> Iterator[str]:
    """The ids of jobs, once for every slot that they have room for: each job's first, then each one's second."""
    for turn in range(max((job.slots for job in jobs), default=0)):
        yield from (job.job_id for job in jobs if job.slots > turn)
