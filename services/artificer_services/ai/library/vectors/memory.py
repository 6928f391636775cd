"""An index in the memory of this process: the vectors of the collections that were searched last.

It loads a collection at its first search, and afterwards what has changed since, also by other processes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from ....kit.errors import ServiceError
from ...models.values import Vectors
from ..errors import TooLarge
from ..store import Held, Numbers, Store
from ..words import Ranked
from .shelf import Shelf, Workers
from .snapshots import Snapshots


class MemoryIndex:
    """Search in memory: exact up to `approximate_above` vectors of a collection, by a graph beyond; see `VectorIndex`.

    Collections together take at most `max_bytes`; those that were not searched for longest are given up. Graphs are
    saved in `folder`, if there is one.
    """

    def __init__(
        self, store: Store, *, max_bytes: int, approximate_above: int = 200_000, folder: Path | None = None
    ) -> None:
        self._store, self._max_bytes, self._approximate_above = store, max_bytes, approximate_above
        self._snapshots = Snapshots(folder) if folder is not None else None
        self._shelves: OrderedDict[int, Shelf] = OrderedDict()  # the one searched last is the last
        self._given_up: set[asyncio.Task[None]] = set()
        self._workers = Workers()

    async def nearest(self, held: Held, vector: Vectors, limit: int, among: Numbers | None = None) -> Sequence[Ranked]:
        """Returns the chunks closest to a vector; see `VectorIndex`."""
        if not held.collection.chunk_count:
            return []
        found = await self.shelf(held).nearest(held, vector, limit, among)
        self._make_room()
        return found

    def shelf(self, held: Held) -> Shelf:
        """Returns the vectors of a collection, which are loaded by the first search. Raises TooLarge."""
        form = held.form
        size = held.collection.chunk_count * form.dimension * 4
        if size > self._max_bytes:
            raise TooLarge(held.collection.id, size, self._max_bytes)
        shelf = self._shelves.get(held.number)
        if shelf is not None and (shelf.form.model, shelf.form.dimension) != (form.model, form.dimension):
            self._give_up(held.number)
            shelf = None
        if shelf is None:
            shelf = Shelf(held, self._store, self._workers, self._snapshots, self._approximate_above)
            self._shelves[held.number] = shelf
        self._shelves.move_to_end(held.number)
        return shelf

    async def forget(self, number: int) -> None:
        """Give up the memory and the files for a collection."""
        self._give_up(number)
        await asyncio.gather(*self._given_up)  # a build may be writing a file
        if self._snapshots is not None:
            await asyncio.to_thread(self._snapshots.remove, number)

    def collect(self) -> Sequence[Metric]:
        """Returns the metrics; see `VectorIndex`."""
        text = "Memory of the vectors of collections in bytes."
        size = GaugeMetricFamily("artificer_rag_index_bytes", text)
        size.add_metric([], sum(shelf.nbytes for shelf in self._shelves.values()))
        return [size]

    async def start(self) -> None:
        """Delete the files of collections that are gone; vectors are loaded by the first search."""
        snapshots = self._snapshots
        saved = set() if snapshots is None else await asyncio.to_thread(snapshots.numbers)
        if snapshots is None or not saved:
            return
        try:
            gone = saved - await self._store.numbers(saved)
        except ServiceError:  # the database is down; the next start looks again
            return
        for number in gone:
            await asyncio.to_thread(snapshots.remove, number)

    async def stop(self) -> None:
        """End building and give up all memory."""
        for number in list(self._shelves):
            self._give_up(number)
        await asyncio.gather(*self._given_up)
        await self._workers.stop()

    def _make_room(self) -> None:
        """Give up the collections that were not searched for longest, but never the last one."""
        while len(self._shelves) > 1 and sum(shelf.nbytes for shelf in self._shelves.values()) > self._max_bytes:
            self._give_up(next(iter(self._shelves)))

    def _give_up(self, number: int) -> None:
        shelf = self._shelves.pop(number, None)
        if shelf is not None:
            ending = asyncio.create_task(shelf.stop(), name="rag-give-up-index")
            self._given_up.add(ending)
            ending.add_done_callback(self._given_up.discard)
