"""Streams a job's results and log lines as they come, each exactly once.

Owns the position of a stream between stored and future entries. Knows no protos.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from ..jobs.job import LogEntry, Result
from ..jobs.jobs import Jobs
from ..jobs.states import ItemState
from .watch import JobWatch

FINISHED = (ItemState.COMPLETED, ItemState.FAILED, ItemState.CANCELLED)
"""The item states that a stream of results can contain."""

_PAGE = 200  # items or lines per query
_MOMENTS = 5000  # (index, moment) pairs per query
_QUIET_SECONDS = 0.5  # log lines may be written while the job's counts stay the same
_LAST_SECONDS = 0.3  # the last log line is written right after the job's end
_BETWEEN_SECONDS = 0.2  # between queries for a job whose counts change all the time
# An item's moment is taken before its transaction commits, so each query overlaps the last by this much. Slower commits
# are found at the job's end, when all items are read once more.
_OVERLAP_MICROS = 2_000_000


class Follower:
    """The streams of results and logs."""

    def __init__(self, jobs: Jobs, watch: JobWatch) -> None:
        self._jobs, self._watch = jobs, watch

    async def logs(self, job_id: str, *, item: int | None, after: int, follow: bool) -> AsyncGenerator[LogEntry]:
        """Yields log lines after an id, then new ones until the job ends. Raises NotFound, Unavailable."""
        async with self._watch.on(job_id) as feed:
            late = feed.ended  # the last line was written long ago
            while True:
                job = feed.job  # read before the query, which then finds all lines written before the end
                found = await self._jobs.logs(job_id, item=item, after=after, limit=_PAGE)
                for entry in found:
                    yield entry
                    after = entry.id
                if len(found) == _PAGE:
                    continue
                if not follow or (job.state.ended and late):
                    return
                late = job.state.ended
                if late:
                    await asyncio.sleep(_LAST_SECONDS)
                else:
                    await feed.next(job, _QUIET_SECONDS)

    async def results(
        self, job_id: str, *, states: Sequence[ItemState], follow: bool
    ) -> AsyncGenerator[Sequence[Result]]:
        """Yields finished items in order, then new ones until the job ends. Raises as `logs`."""
        async with self._watch.on(job_id) as feed:
            results = _ResultStream(self._jobs, job_id, states or FINISHED)
            async for page in results.stored():
                yield page
            if not follow:
                return
            while True:
                job = feed.job
                async for page in results.finished(everything=job.state.ended):
                    yield page
                if job.state.ended:
                    break
                await feed.next(job)
                await asyncio.sleep(_BETWEEN_SECONDS)
            if ItemState.CANCELLED in results.states:
                async for page in results.stored(ItemState.CANCELLED):
                    yield page


class _ResultStream:
    """The position of one stream of results."""

    def __init__(self, jobs: Jobs, job_id: str, states: Sequence[ItemState]) -> None:
        self.states = states
        self._jobs, self._job_id = jobs, job_id
        self._sent = _IndexSet()
        self._moment = 0
        self._chunk = 32

    async def stored(self, *states: ItemState) -> AsyncGenerator[list[Result]]:
        """Yields ended items in order, without those already sent."""
        jobs, after = self._jobs, -1
        while found := await jobs.run(
            jobs.store.results,
            self._job_id,
            states=states or self.states,
            after=after,
            limit=_PAGE,
            max_bytes=jobs.settings.max_page_bytes,
        ):
            after = found[-1].index
            fresh = [result for result in found if self._sent.add(result.index)]
            if fresh:
                yield fresh

    async def finished(self, *, everything: bool) -> AsyncGenerator[list[Result]]:
        """Yields items that ended since the last call, or all, without those already sent."""
        moment = 0 if everything else max(self._moment - _OVERLAP_MICROS, 0)
        limit = _MOMENTS
        while True:
            pairs = await self._jobs.run(self._jobs.store.finished_since, self._job_id, moment=moment, limit=limit)
            fresh = [index for index, _ in pairs if self._sent.add(index)]
            async for page in self._items(fresh):
                yield page
            if pairs:
                self._moment = max(self._moment, pairs[-1][1])
            if len(pairs) < limit:
                return
            # The next query starts at the last moment of this one, which may have more items than were returned.
            limit = limit * 2 if pairs[-1][1] == moment else _MOMENTS
            moment = pairs[-1][1]

    async def _items(self, indexes: Sequence[int]) -> AsyncGenerator[list[Result]]:
        start = 0
        while start < len(indexes):
            chunk = indexes[start : start + self._chunk]
            start += len(chunk)
            found = await self._jobs.run(self._jobs.store.results_of, self._job_id, chunk)
            size = sum(map(_size, found))
            # Sized to make a page, so that large outputs are not all in memory at once.
            self._chunk = max(1, min(_PAGE, self._jobs.settings.max_page_bytes * len(chunk) // max(size, 1)))
            wanted = [result for result in found if result.state in self.states]
            if wanted:
                yield wanted


class _IndexSet:
    """A set of item indexes as a bitmap: a million in 125 kB."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> bool:
        """Add a number; false if it was in the set."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        new = not self._bits[place] & bit
        self._bits[place] |= bit
        return new


def _size(result: Result) -> int:
    return len(result.input) + sum(map(len, result.phase_outputs.values()))
