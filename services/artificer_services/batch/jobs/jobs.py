"""The use cases of jobs that have one request and one response.

Calls the `Store` in separate threads. Knows neither gRPC nor protos; streams are in `api`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ...kit.paging import number_of, page_size, place_of, size_faults, token_of
from ..settings import BatchSettings
from ..tasks.api import Task
from . import rules
from .errors import Invalid, ServiceError
from .job import Blob, ItemDraft, Job, LogEntry, LogLine, Phase, Result
from .rules import InputCheck, JobRequest
from .states import PAUSE_SECONDS, ItemState, JobState, Verb
from .store import Store

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_JOBS, DEFAULT_RESULTS = 50, 100
_SQLITE_THREADS = 4  # readers run in parallel with the single writer
_DONE = {
    Verb.START: "the job was started",
    Verb.PAUSE: "the job was paused",
    Verb.RESUME: "the job was resumed",
    Verb.CANCEL: "the job was cancelled",
}


class Jobs:
    """The use cases.

    `document` checks an input that names a document; `nudge` is called with a job that has work, `changed` with one
    that changed and may be watched. `check_open` raises Unavailable until the store is open.
    """

    def __init__(
        self,
        store: Store,
        tasks: Mapping[str, Task],
        settings: BatchSettings,
        *,
        document: InputCheck,
        nudge: Callable[[str], None],
        changed: Callable[[str], None] = lambda _: None,
        check_open: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.tasks = tasks
        self.store = store
        self.changed = changed
        self._document, self._nudge, self._check_open = document, nudge, check_open
        threads = settings.database_connections if settings.database_url else _SQLITE_THREADS
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="batch-jobs")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in one of the threads. Raises Unavailable if the store is not open yet."""
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Wait for running calls to end. Blocks."""
        self._threads.shutdown()

    # Jobs.

    async def create(self, make: Callable[[], JobRequest]) -> Job:
        """Create the job that `make` returns. Raises Invalid, Conflict."""
        job, fresh = await self.run(self._create, make)
        if fresh and job.state is JobState.RUNNING:
            self._nudge(job.id)
        return job

    def _create(self, make: Callable[[], JobRequest]) -> tuple[Job, bool]:
        draft, items = rules.draft(make(), self.tasks, self._document, self.settings)
        self._check_blobs(draft.phases, items)
        job, fresh = self.store.create(draft, items)
        if fresh and job.state is JobState.RUNNING:
            self._tell(job.id, _DONE[Verb.START])
        return job, fresh

    async def get(self, job_id: str) -> Job:
        """Returns a job. Raises NotFound."""
        rules.check_job_id(job_id)
        return await self.run(self.store.job, job_id)

    async def find(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Returns the jobs with these ids that exist."""
        return await self.run(self.store.find, job_ids)

    async def page(
        self, *, size: int, token: str, states: Sequence[JobState], project_id: str
    ) -> tuple[list[Job], str]:
        """Returns a page of jobs, newest first, and the next page's token. Raises Invalid."""
        faults = [*size_faults(size), *rules.name_faults("project_id", project_id, self.settings.max_name_bytes)]
        if faults:
            raise Invalid(*faults)
        asked = ("jobs", project_id, *states)
        after = place_of(token, *asked) if token else ""
        limit = page_size(size, DEFAULT_JOBS)
        found = await self.run(self.store.jobs, states=states, project_id=project_id, after=after, limit=limit + 1)
        if len(found) <= limit:
            return found, ""
        return found[:limit], token_of(found[limit - 1].id, *asked)

    async def change(self, job_id: str, verb: Verb) -> Job:
        """Apply a verb. Raises NotFound, IllegalTransition, NotReady."""
        rules.check_job_id(job_id)
        job = await self.run(self._change, job_id, verb)
        self.changed(job_id)
        if verb is Verb.PAUSE:  # every worker has seen it by then, or starts nothing because it has not
            await asyncio.sleep(PAUSE_SECONDS)
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
        line = LogLine(level=logging.INFO, message=message)
        try:
            self.store.log(job_id, [line])
        except ServiceError as error:  # the change itself is committed
            _log.warning("job %s: cannot write to its log: %s", job_id, error.message)

    # Items and blobs.

    async def add_items(self, job: Job, items: list[ItemDraft], first: int | None) -> int:
        """Add items to a pending job and return how many were new.

        Raises NotReady, TooLarge, Invalid for a gap and for blobs that do not exist.
        """
        stored = await self.run(self._add_items, job, items, first)
        self.changed(job.id)
        return stored

    def _add_items(self, job: Job, items: list[ItemDraft], first: int | None) -> int:
        self._check_blobs(job.phases, items)
        stored, _ = self.store.add_items(job.id, items, first=first, limit=self.settings.max_items)
        return stored

    def _check_blobs(self, phases: Sequence[Phase], items: Sequence[ItemDraft]) -> None:
        if rules.input_check_of(phases, self.tasks, self._document) is self._document:
            rules.check_blobs(items, self.store.missing_blobs)

    def input_check_of(self, job: Job) -> InputCheck:
        """Returns the check for the inputs of a job's items."""
        return rules.input_check_of(job.phases, self.tasks, self._document)

    async def put_blob(self, content_type: str, pieces: Iterable[bytes]) -> Blob:
        """Store bytes as a blob."""
        return await self.run(self.store.put_blob, content_type, pieces)

    # Results and logs.

    async def results(
        self, job_id: str, *, size: int, token: str, states: Sequence[ItemState]
    ) -> tuple[list[Result], str]:
        """Returns a page of a job's items and the next page's token. Raises Invalid, NotFound."""
        rules.check_job_id(job_id)
        if faults := size_faults(size):
            raise Invalid(*faults)
        asked = ("results", job_id, *states)
        after = number_of(token, *asked) if token else -1
        limit = page_size(size, DEFAULT_RESULTS)
        found, more = await self.run(self._results, job_id, states, after, limit)
        return found, token_of(str(found[-1].index), *asked) if more else ""

    def _results(self, job_id: str, states: Sequence[ItemState], after: int, limit: int) -> tuple[list[Result], bool]:
        largest = self.settings.max_page_bytes
        found = self.store.results(job_id, states=states, after=after, limit=limit, max_bytes=largest)
        if not found:
            return found, False
        # A page may be cut short by its bytes, so a short page is not proof of the end.
        last = found[-1].index
        return found, bool(self.store.results(job_id, states=states, after=last, limit=1, max_bytes=0))

    async def logs(self, job_id: str, *, item: int | None, after: int, limit: int) -> list[LogEntry]:
        """Returns lines of a job's log with ids above `after`."""
        return await self.run(self.store.logs, job_id, item=item, after=after, limit=limit)

    async def ping(self) -> None:
        """Check that the store answers. Raises Unavailable."""
        await self.run(self.store.ping)
