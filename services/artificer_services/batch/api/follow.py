"""What a job has made and what its workers write, as it comes: each item and each line exactly once.

Owns where a stream stands between what is there and what is to come. Knows no protos.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from ..jobs.errors import Fault, Invalid
from ..jobs.job import LogEntry, Result
from ..jobs.jobs import Jobs
from ..jobs.states import ItemState
from .watch import Watch

FINISHED = (ItemState.COMPLETED, ItemState.FAILED, ItemState.CANCELLED)
"""The states of items that a stream of results can have."""

_PAGE = 200  # items, and lines, of one look
_MOMENTS = 5000  # (index, moment) pairs of one look; more than any worker stores with one moment
_QUIET_SECONDS = 0.5  # lines may come without the job's counts changing
_LAST_SECONDS = 0.3  # whoever ended a job writes its last line right after
_BETWEEN_SECONDS = 0.2  # between two looks at a job whose counts change all the time
# A transaction's moment is taken before it is committed: those that ended so long ago are looked at once more. What
# takes longer comes at the job's end, when all of them are looked at.
_OVERLAP_MICROS = 2_000_000


class Follower:
    """Streams of one gateway."""

    def __init__(self, jobs: Jobs, watch: Watch) -> None:
        self._jobs, self._watch = jobs, watch

    async def logs(self, job_id: str, *, item: int | None, after: int, follow: bool) -> AsyncGenerator[LogEntry]:
        """The lines after a line, then those to come until the job ends. Raises Invalid, NotFound, Unavailable."""
        if item is not None and item < 0:
            raise Invalid(Fault("item_index", "must not be negative"))
        async with self._watch.on(job_id) as feed:
            late = feed.ended  # whoever ended it has written the last line long since
            while True:
                job = feed.job  # before the look: what was written before the end is found
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
        """The items that are done, in their order; then those that finish, until the job ends. Raises as `logs`."""
        async with self._watch.on(job_id) as feed:
            going = _Going(self._jobs, job_id, states or FINISHED)
            async for page in going.stored():
                yield page
            if not follow:
                return
            while True:
                job = feed.job
                async for page in going.finished(everything=job.state.ended):
                    yield page
                if job.state.ended:
                    break
                await feed.next(job)
                await asyncio.sleep(_BETWEEN_SECONDS)
            if ItemState.CANCELLED in going.states:
                async for page in going.stored(ItemState.CANCELLED):
                    yield page


class _Going:
    """How far one stream of results is."""

    def __init__(self, jobs: Jobs, job_id: str, states: Sequence[ItemState]) -> None:
        self.states = states
        self._jobs, self._job_id = jobs, job_id
        self._sent = _Bits()
        self._moment = 0
        self._chunk = 32

    async def stored(self, *states: ItemState) -> AsyncGenerator[list[Result]]:
        """The items that have ended, in their order, without those that were sent."""
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
        """The items that ended since the last time, or at any time, without those that were sent."""
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
            # The next look begins with this one's last moment, which may have more items than were given.
            limit = limit * 2 if pairs[-1][1] == moment else _MOMENTS
            moment = pairs[-1][1]

    async def _items(self, indexes: Sequence[int]) -> AsyncGenerator[list[Result]]:
        start = 0
        while start < len(indexes):
            chunk = indexes[start : start + self._chunk]
            start += len(chunk)
            found = await self._jobs.run(self._jobs.store.results_of, self._job_id, chunk)
            size = sum(map(_size, found))
            # As many as make a page, so that a few large outputs are not all in memory at once.
            self._chunk = max(1, min(_PAGE, self._jobs.settings.max_page_bytes * len(chunk) // max(size, 1)))
            wanted = [result for result in found if result.state in self.states]
            if wanted:
                yield wanted


class _Bits:
    """A set of item numbers: a million of them in 125 kB."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> bool:
        """Put a number in; false where it was in."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        new = not self._bits[place] & bit
        self._bits[place] |= bit
        return new


def _size(result: Result) -> int:
    return len(result.input) + sum(map(len, result.phase_outputs.values()))
