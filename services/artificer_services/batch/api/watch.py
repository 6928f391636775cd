"""Polls the store for the watched jobs, in one query for all of them, while there are any.

Workers of any process and machine change jobs, so polling needs no notification and misses nothing. A watcher gets the
newest state when it asks for it, so a slow one delays no other. Knows no protos.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from ..jobs.errors import NotFound, ServiceError, Unavailable
from ..jobs.job import Job
from ..jobs.states import JobState

_log = logging.getLogger(__name__)

Find = Callable[[Sequence[str]], Awaitable[dict[str, Job]]]

PACE_SECONDS = 0.1  # between two messages of a stream: the contract says ten a second at most
_IDLE_ROUNDS = 5  # a job that is not running changes rarely: it is polled once in this many rounds
_AT_ONCE = 500  # jobs per query
_PATIENCE_SECONDS = 10.0  # an outage of the database shorter than this ends no stream


class WatchedJob:
    """One watched job."""

    def __init__(self, job: Job) -> None:
        self.users = 0
        self.rounds = 0  # until it is polled again
        self._job, self._version = job, 0
        self._error: ServiceError | None = None
        self._changed = asyncio.Event()

    @property
    def job(self) -> Job:
        """The job as last seen. Raises ServiceError once watching has failed."""
        if self._error is not None:
            raise self._error
        return self._job

    @property
    def ended(self) -> bool:
        """Whether the job's state is final."""
        return self._job.state.ended

    async def next(self, seen: Job | None, seconds: float | None = None) -> Job:
        """Returns the job once it differs from `seen`, or after `seconds`. Raises ServiceError."""
        while self.job is seen:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                break
        return self.job

    def see(self, job: Job) -> None:
        """Note the job's current state."""
        self.rounds = 0 if job.state is JobState.RUNNING else _IDLE_ROUNDS
        if job != self._job:
            self._job = job
            self._wake()

    def fail(self, error: ServiceError) -> None:
        """End the watching with an error for every watcher."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class JobWatch:
    """The watched jobs of this process, polled every `seconds`."""

    def __init__(self, find: Find, seconds: float) -> None:
        self._find, self._seconds = find, seconds
        self._feeds: dict[str, WatchedJob] = {}
        self._poked = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self._failing: float | None = None  # since when
        self._closed = False

    @asynccontextmanager
    async def on(self, job_id: str) -> AsyncIterator[WatchedJob]:
        """Watch a job. Raises NotFound, Unavailable."""
        feed = self._feeds.get(job_id) or await self._begin(job_id)
        feed.users += 1
        try:
            yield feed
        finally:
            feed.users -= 1
            if not feed.users and self._feeds.get(job_id) is feed:
                del self._feeds[job_id]
            if not self._feeds and self._poller is not None:
                self._poller.cancel()
                self._poller = None

    async def _begin(self, job_id: str) -> WatchedJob:
        job = (await self._find([job_id])).get(job_id)
        if self._closed:
            raise _stopping()
        if job is None:
            raise NotFound(f"there is no job {job_id!r}")
        feed = self._feeds.setdefault(job_id, WatchedJob(job))  # another call may have added it meanwhile
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="batch-watch")
        return feed

    def poke(self, job_id: str) -> None:
        """Poll a job at once, because this process changed it."""
        feed = self._feeds.get(job_id)
        if feed is not None:
            feed.rounds = 0
            self._poked.set()

    async def progress(self, job_id: str) -> AsyncGenerator[Job]:
        """Yields a job at once, then on every change, until it has ended."""
        async with self.on(job_id) as feed:
            job = feed.job
            while True:
                sent = asyncio.get_running_loop().time()
                yield job
                if job.state.ended:
                    return
                job = await feed.next(job)
                rest = sent + PACE_SECONDS - asyncio.get_running_loop().time()
                if rest > 0:
                    await asyncio.sleep(rest)
                    job = feed.job  # only the newest state is sent

    def begin_shutdown(self) -> None:
        """End every watcher's stream, and refuse new ones."""
        self._closed = True
        for feed in self._feeds.values():
            feed.fail(_stopping())

    async def close(self) -> None:
        """End every watcher's stream, and the polling."""
        self.begin_shutdown()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            self._poked.clear()
            await self._round()
            # A slow database gets a rest between two polls.
            rest = max(begun + self._seconds, loop.time() + self._seconds / 4)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(rest):
                    await self._poked.wait()

    async def _round(self) -> None:
        due = []
        for job_id, feed in self._feeds.items():
            if feed.ended:
                continue
            if feed.rounds <= 0:
                due.append(job_id)
            feed.rounds -= 1
        for start in range(0, len(due), _AT_ONCE):
            await self._look(due[start : start + _AT_ONCE])

    async def _look(self, job_ids: list[str]) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await self._find(job_ids)
        except ServiceError as error:
            if self._failing is None:
                self._failing = loop.time()
                _log.warning("cannot poll watched jobs: %s", error.message)
            if loop.time() - self._failing > _PATIENCE_SECONDS:
                self._fail(job_ids, error)
            return
        self._failing = None
        for job_id in job_ids:
            feed = self._feeds.get(job_id)
            if feed is not None and job_id in found:
                feed.see(found[job_id])

    def _fail(self, job_ids: list[str], error: ServiceError) -> None:
        for job_id in job_ids:
            # The next watcher starts afresh.
            if feed := self._feeds.pop(job_id, None):
                feed.fail(error)


def _stopping() -> Unavailable:
    return Unavailable("the batch service is stopping; try again")
