"""What can be done with jobs: every use case that is one question and one answer.

Works on a `Store`, in threads of its own. Knows neither gRPC nor protos; what goes on while somebody watches is
`follow`'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ..settings import BatchSettings
from ..tasks.api import Task
from . import rules
from .errors import BatchError, Fault, Invalid
from .job import Blob, ItemDraft, Job, LogEntry, LogLine, Result
from .page_tokens import place_of, token_of
from .rules import Asked, Look
from .states import SIGHT_SECONDS, ItemState, JobState, Verb
from .store import Store

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_JOBS, LARGEST_PAGE = 50, 1000
DEFAULT_RESULTS = 100
_SQLITE_THREADS = 4  # readers go beside the one writer
_DONE = {
    Verb.START: "the job was started",
    Verb.PAUSE: "the job was paused",
    Verb.RESUME: "the job was resumed",
    Verb.CANCEL: "the job was cancelled",
}


class Jobs:
    """Jobs and what may be asked of them.

    `document` says what is wrong with an input that should name a document; `nudge` tells of a job that has work;
    `changed` of one that somebody may be watching.
    """

    def __init__(
        self,
        store: Store,
        tasks: Mapping[str, Task],
        settings: BatchSettings,
        *,
        document: Look,
        nudge: Callable[[str], None],
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.tasks = tasks
        self.store = store
        self.changed = changed
        self._document, self._nudge = document, nudge
        threads = settings.database_connections if settings.database_url else _SQLITE_THREADS
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="batch-jobs")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that blocks in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Let what runs end. Blocks."""
        self._threads.shutdown()

    # Jobs.

    async def create(self, make: Callable[[], Asked]) -> Job:
        """Store the job that `make` gives. Raises Invalid, Conflict."""
        job, fresh = await self.run(self._create, make)
        if fresh and job.state is JobState.RUNNING:
            self._nudge(job.id)
        return job

    def _create(self, make: Callable[[], Asked]) -> tuple[Job, bool]:
        draft, items = rules.draft(make(), self.tasks, self._document, self.settings)
        job, fresh = self.store.create(draft, items)
        if fresh and job.state is JobState.RUNNING:
            self._tell(job.id, _DONE[Verb.START])
        return job, fresh

    async def get(self, job_id: str) -> Job:
        """A job as it stands. Raises NotFound."""
        rules.check_job_id(job_id)
        return await self.run(self.store.job, job_id)

    async def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Several jobs as they stand."""
        return await self.run(self.store.find, job_ids)

    async def page(
        self, *, size: int, token: str, states: Sequence[JobState], project_id: str
    ) -> tuple[list[Job], str]:
        """A page of jobs, the newest first, and the token of the next one. Raises Invalid."""
        faults = [*_size_faults(size), *rules.name_faults("project_id", project_id, self.settings.max_name_bytes)]
        if faults:
            raise Invalid(*faults)
        asked = ("jobs", project_id, *states)
        after = place_of(token, *asked) if token else ""
        limit = min(size or DEFAULT_JOBS, LARGEST_PAGE)
        found = await self.run(self.store.jobs, states=states, project_id=project_id, after=after, limit=limit + 1)
        if len(found) <= limit:
            return found, ""
        return found[:limit], token_of(found[limit - 1].id, *asked)

    async def change(self, job_id: str, verb: Verb) -> Job:
        """Do what a verb says. Raises NotFound, IllegalTransition, NotReady."""
        rules.check_job_id(job_id)
        job = await self.run(self._change, job_id, verb)
        self.changed(job_id)
        if verb is Verb.PAUSE:  # until every worker has seen it, or begins nothing because it has not
            await asyncio.sleep(SIGHT_SECONDS)
        if job.state is JobState.RUNNING:
            self._nudge(job_id)
        return job

    def _change(self, job_id: str, verb: Verb) -> Job:
        before = self.store.job(job_id).state
        job = self.store.change(job_id, verb)
        if job.state is not before:
            self._tell(job_id, _DONE[verb])
        return job

    def _tell(self, job_id: str, message: str) -> None:
        line = LogLine(level=logging.INFO, message=message, time=time.time_ns() // 1000)
        try:
            self.store.log(job_id, [line])
        except BatchError as error:  # what was done is done
            _log.warning("job %s: its log could not be written: %s", job_id, error.message)

    # Items and blobs.

    async def add_items(self, job: Job, items: list[ItemDraft], first: int | None) -> int:
        """Store items of a pending job; how many were new. Raises NotReady, TooLarge, Invalid for a gap."""
        stored, _ = await self.run(self.store.add_items, job.id, items, first=first, limit=self.settings.max_items)
        self.changed(job.id)
        return stored

    def look_of(self, job: Job) -> Look:
        """How the inputs of a job's items are looked at."""
        return rules.look_of(job.phases, self.tasks, self._document)

    async def put_blob(self, content_type: str, pieces: Iterable[bytes]) -> Blob:
        """Store bytes."""
        return await self.run(self.store.put_blob, content_type, pieces)

    # Results and logs.

    async def results(
        self, job_id: str, *, size: int, token: str, states: Sequence[ItemState]
    ) -> tuple[list[Result], str]:
        """A page of a job's items and the token of the next one. Raises Invalid, NotFound."""
        rules.check_job_id(job_id)
        if faults := _size_faults(size):
            raise Invalid(*faults)
        asked = ("results", job_id, *states)
        after = _index_of(place_of(token, *asked)) if token else -1
        limit = min(size or DEFAULT_RESULTS, LARGEST_PAGE)
        found, more = await self.run(self._results, job_id, states, after, limit)
        return found, token_of(str(found[-1].index), *asked) if more else ""

    def _results(self, job_id: str, states: Sequence[ItemState], after: int, limit: int) -> tuple[list[Result], bool]:
        largest = self.settings.max_page_bytes
        found = self.store.results(job_id, states=states, after=after, limit=limit, max_bytes=largest)
        if not found:
            return found, False
        # There may be more behind a page that is full of bytes, too.
        last = found[-1].index
        return found, bool(self.store.results(job_id, states=states, after=last, limit=1, max_bytes=0))

    async def logs(self, job_id: str, *, item: int | None, after: int, limit: int) -> list[LogEntry]:
        """Lines of a job's log, after the one with the id `after`."""
        return await self.run(self.store.logs, job_id, item=item, after=after, limit=limit)

    async def ping(self) -> None:
        """Returns where the store answers; raises Unavailable."""
        await self.run(self.store.ping)


def _size_faults(size: int) -> list[Fault]:
    return [Fault("page_size", "must not be negative")] if size < 0 else []


def _index_of(place: str) -> int:
    if not (place.isdigit() and len(place) < len(str(2**63))):
        raise Invalid(Fault("page_token", "must be the next_page_token of an answer to the same request"))
    return int(place)
