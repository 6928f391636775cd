"""Which jobs are being watched, and how they stand: one look at the store for all of them, while there are any.

Workers of any process and machine change jobs, so the store is asked again and again; nothing has to be told, and
nothing can be missed. A watcher is given the newest state when it asks: a slow one holds nobody. Knows no protos.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from ..jobs.errors import BatchError, NotFound, Unavailable
from ..jobs.job import Job
from ..jobs.states import JobState

_log = logging.getLogger(__name__)

Find = Callable[[Sequence[str]], Awaitable[dict[str, Job]]]

PACE_SECONDS = 0.1  # between two messages of one stream: the contract says ten a second
_IDLE_ROUNDS = 5  # a job that nobody works on changes by people only: it is looked at every so many rounds
_AT_ONCE = 500  # jobs of one look
_PATIENCE_SECONDS = 10.0  # a database that restarts ends no stream


class Feed:
    """One watched job."""

    def __init__(self, job: Job) -> None:
        self.users = 0
        self.rounds = 0  # until it is looked at again
        self._job, self._version = job, 0
        self._error: BatchError | None = None
        self._changed = asyncio.Event()

    @property
    def job(self) -> Job:
        """How the job stands. Raises BatchError where nobody can tell any more."""
        if self._error is not None:
            raise self._error
        return self._job

    @property
    def ended(self) -> bool:
        """Whether nothing can change it any more."""
        return self._job.state.ended

    async def next(self, seen: Job | None, seconds: float | None = None) -> Job:
        """The job once it is not as it was seen, or after so many seconds. Raises BatchError."""
        while self.job is seen:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                break
        return self.job

    def see(self, job: Job) -> None:
        """Take how the job stands now."""
        self.rounds = 0 if job.state is JobState.RUNNING else _IDLE_ROUNDS
        if job != self._job:
            self._job = job
            self._wake()

    def fail(self, error: BatchError) -> None:
        """Tell every watcher that nobody can tell any more."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Watch:
    """Every job that somebody here watches, looked at each `seconds`."""

    def __init__(self, find: Find, seconds: float) -> None:
        self._find, self._seconds = find, seconds
        self._feeds: dict[str, Feed] = {}
        self._poked = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self._failing: float | None = None  # since when
        self._closed = False

    @asynccontextmanager
    async def on(self, job_id: str) -> AsyncIterator[Feed]:
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

    async def _begin(self, job_id: str) -> Feed:
        job = (await self._find([job_id])).get(job_id)
        if self._closed:
            raise _stopping()
        if job is None:
            raise NotFound(f"there is no job {job_id}")
        feed = self._feeds.setdefault(job_id, Feed(job))  # another call may have been faster
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="batch-watch")
        return feed

    def poke(self, job_id: str) -> None:
        """Look at a job at once: it was changed here."""
        feed = self._feeds.get(job_id)
        if feed is not None:
            feed.rounds = 0
            self._poked.set()

    async def progress(self, job_id: str) -> AsyncGenerator[Job]:
        """How a job stands: at once, then on every change, until it has ended."""
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
                    job = feed.job  # the newest counts

    def part(self) -> None:
        """Tell every watcher that it is over, and take no new one."""
        self._closed = True
        for feed in self._feeds.values():
            feed.fail(_stopping())

    async def close(self) -> None:
        """Part, and end what runs."""
        self.part()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            self._poked.clear()
            await self._round()
            # A database that is slow to answer is not asked all the time.
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
        except BatchError as error:
            if self._failing is None:
                self._failing = loop.time()
                _log.warning("watched jobs cannot be looked at: %s", error.message)
            if loop.time() - self._failing > _PATIENCE_SECONDS:
                self._tell(job_ids, error)
            return
        self._failing = None
        for job_id in job_ids:
            feed = self._feeds.get(job_id)
            if feed is not None and job_id in found:
                feed.see(found[job_id])

    def _tell(self, job_ids: list[str], error: BatchError) -> None:
        for job_id in job_ids:
            # Whoever comes next tries again.
            if feed := self._feeds.pop(job_id, None):
                feed.fail(error)


def _stopping() -> Unavailable:
    return Unavailable("the batch service is stopping")
