"""The vectors of one collection in memory: a matrix, and when it is large, a graph that is built beside it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import numpy

from ....kit.errors import ServiceError
from ...models.values import Vectors
from ..schema import POSITION_BITS
from ..store import Held, Numbers, Stacked, Store
from ..words import Ranked
from .graph import Graph
from .matrix import Matrix, among
from .snapshots import Snapshots

T = TypeVar("T")

_log = logging.getLogger(__name__)

_MOST_REMOVED = 0.5  # of a graph's vectors; a graph with more is slow and inexact, and is built anew
_SAVED_AGAIN = 0.1  # of a graph's vectors; when so many have changed, the snapshot is written anew


class Workers:
    """The threads of an index: for searches, and one for building, which takes minutes."""

    def __init__(self) -> None:
        # A product of a matrix and an addition to a graph use all cores by themselves.
        self._searching = ThreadPoolExecutor(2, thread_name_prefix="vectors")
        self._building = ThreadPoolExecutor(1, thread_name_prefix="vectors-build")

    async def run(self, work: Callable[[], T]) -> T:
        """Run a search or a small change in a thread; a caller that is cancelled waits for its end."""
        return await _ended(asyncio.get_running_loop().run_in_executor(self._searching, work))

    async def build(self, work: Callable[[], T]) -> T:
        """Run what takes long in a thread; likewise."""
        return await _ended(asyncio.get_running_loop().run_in_executor(self._building, work))

    async def stop(self) -> None:
        """Wait for running work."""
        await asyncio.to_thread(self._searching.shutdown)
        await asyncio.to_thread(self._building.shutdown)


class Shelf:
    """The vectors of a collection, as of `changes`; a graph is made of more than `approximate_above`."""

    def __init__(
        self, held: Held, store: Store, workers: Workers, snapshots: Snapshots | None, approximate_above: int
    ) -> None:
        self.form = held.form
        self._store, self._workers, self._snapshots = store, workers, snapshots
        self._approximate_above = approximate_above
        self._changes = -1
        self._matrix = Matrix.empty(held.form.dimension)
        self._graph: Graph | None = None
        self._unsaved = 0  # vectors that changed since the snapshot
        self._lock = asyncio.Lock()
        self._given_up = threading.Event()
        self._building: asyncio.Task[None] | None = None

    @property
    def nbytes(self) -> int:
        """The memory in bytes."""
        return self._matrix.nbytes + (self._graph.nbytes if self._graph is not None else 0)

    @property
    def approximate(self) -> bool:
        """Whether searches use the graph."""
        return self._graph is not None

    async def nearest(self, held: Held, vector: Vectors, limit: int, versions: Numbers | None) -> Sequence[Ranked]:
        """Returns the chunks closest to a vector; see `VectorIndex`."""
        async with self._lock:
            if self._changes < held.changes:
                await self._keep_up(held)
            graph, matrix = self._graph, self._matrix
            if graph is not None:
                return await self._workers.run(lambda: graph.nearest(vector, limit, versions))
        return await self._workers.run(lambda: matrix.nearest(vector, limit, versions))

    async def built(self) -> None:
        """Wait for a graph that is being built, if one is."""
        if self._building is not None:
            await asyncio.shield(self._building)

    async def stop(self) -> None:
        """End building."""
        self._given_up.set()
        if self._building is not None:
            await asyncio.gather(self._building, return_exceptions=True)

    # Keeping up.

    async def _keep_up(self, held: Held) -> None:
        try:
            await self._refresh(held)
        except ServiceError:  # the database is away; what is here stays as it was
            raise
        except Exception:  # such as a lack of memory: what was changed halfway cannot be trusted
            self._graph, self._matrix, self._changes = None, Matrix.empty(self.form.dimension), -1
            raise

    async def _refresh(self, held: Held) -> None:
        loaded = False
        if self._changes < 0 and self._snapshots is not None and held.collection.chunk_count > self._approximate_above:
            snapshots = self._snapshots
            self._graph = await self._workers.build(lambda: snapshots.load(held))
            loaded = self._graph is not None
        if not loaded:
            await self._add(await self._store.vectors_since(held, self._changes))
        # Something was removed, or a commit came between; and a snapshot is compared as a whole.
        if loaded or self._count() != held.collection.chunk_count:
            await self._compare(held)
        self._changes = held.changes
        if self._graph is not None and self._graph.removed > _MOST_REMOVED * self._graph.count:
            await self._start_anew(held)
        self._next_step(held)

    def _count(self) -> int:
        return self._graph.count if self._graph is not None else self._matrix.count

    async def _add(self, added: Stacked) -> None:
        """Add the vectors that are not there yet."""
        if not len(added.numbers):
            return
        graph, matrix = self._graph, self._matrix
        if graph is None:
            self._matrix = await self._workers.run(lambda: matrix.plus(_without(added, matrix.versions())))
        else:
            before = graph.count
            await self._workers.run(lambda: graph.add(_without(added, graph.versions())))
            self._unsaved += graph.count - before

    async def _compare(self, held: Held) -> None:
        """Remove what is not visible any more, and add what is missing."""
        versions = await self._store.versions(held)
        graph, matrix = self._graph, self._matrix
        if graph is None:
            self._matrix = matrix = await self._workers.run(lambda: matrix.only(versions))
            own = matrix.versions()
        else:
            before = graph.removed
            await self._workers.run(lambda: graph.keep(versions))
            self._unsaved += graph.removed - before
            own = graph.versions()
        missing = numpy.setdiff1d(versions, own, assume_unique=True)
        if len(missing):
            await self._add(await self._store.vectors_of(held, missing.tolist()))

    async def _start_anew(self, held: Held) -> None:
        self._graph = None
        await self._add(await self._store.vectors_since(held, -1))

    # Building.

    def _next_step(self, held: Held) -> None:
        """Begin to build a graph, or to save one that has changed much, unless something is running."""
        if self._building is not None and not self._building.done():
            return
        if self._graph is None:
            if self._matrix.count > self._approximate_above:
                self._building = asyncio.create_task(self._build(held), name="rag-build-index")
        elif self._snapshots is not None and self._unsaved > _SAVED_AGAIN * self._graph.count:
            self._building = asyncio.create_task(self._save(held), name="rag-save-index")

    async def _build(self, held: Held) -> None:
        matrix, graph = self._matrix, Graph(self.form.dimension)
        await self._workers.build(lambda: graph.add(matrix.living(), self._given_up))
        if self._snapshots is not None and not self._given_up.is_set():
            snapshots = self._snapshots
            await self._workers.build(lambda: snapshots.save(held, graph))
        async with self._lock:
            if self._given_up.is_set():
                return
            current = self._matrix
            await self._workers.run(lambda: _catch_up(graph, current))
            self._graph, self._matrix = graph, Matrix.empty(self.form.dimension)
        _log.info("the index of %s vectors of collection %s is built", graph.count, held.collection.id)

    async def _save(self, held: Held) -> None:
        snapshots, graph = self._snapshots, self._graph
        async with self._lock:  # searches wait for it: a gigabyte takes a second
            if snapshots is not None and graph is not None:
                await self._workers.build(lambda: snapshots.save(held, graph))
                self._unsaved = 0


async def _ended(work: asyncio.Future[T]) -> T:
    """Returns the result of a thread's work. A caller that is cancelled waits for it, since it holds the lock."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        raise


def _without(added: Stacked, versions: Numbers) -> Stacked:
    """Returns vectors without those of versions, which are sorted."""
    new = ~among(added.numbers >> POSITION_BITS, versions)
    return added if new.all() else Stacked(added.numbers[new], added.vectors[new])


def _catch_up(graph: Graph, matrix: Matrix) -> None:
    """Make a graph have the vectors of a matrix."""
    graph.keep(matrix.versions())
    graph.add(_without(matrix.living(), graph.versions()))
