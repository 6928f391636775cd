"""An index in PostgreSQL, by pgvector: nothing is held in this process, and all processes share it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from prometheus_client.metrics_core import Metric

from ....kit.errors import ServiceError
from ....kit.storage.database import Database
from ...models.values import Vectors
from ..sql import pgvectors
from ..store import Held, Numbers
from ..words import Ranked

_log = logging.getLogger(__name__)


class PgvectorIndex:
    """Search in the database: exact up to `approximate_above` vectors, by an index beyond; see `VectorIndex`."""

    def __init__(self, database: Database, *, approximate_above: int) -> None:
        self._database, self._approximate_above = database, approximate_above
        self._indexed: set[tuple[int, int]] = set()
        self._building: dict[int, asyncio.Task[None]] = {}

    async def present(self) -> bool:
        """Whether the database has pgvector and the table. Raises Unavailable."""
        return await self._database.read(pgvectors.present)

    async def nearest(self, held: Held, vector: Vectors, limit: int, among: Numbers | None = None) -> Sequence[Ranked]:
        """Returns the chunks closest to a vector; see `VectorIndex`."""
        key = (held.number, held.form.dimension)
        due = held.collection.chunk_count > self._approximate_above and key not in self._indexed
        if due and held.number not in self._building:
            self._building[held.number] = asyncio.create_task(self._build(held), name="rag-build-pgvector")
        search = partial(pgvectors.nearest, held=held, vector=vector, limit=limit, among=among)
        return await self._database.read(search)

    async def built(self) -> None:
        """Wait for the indexes that are being built."""
        await asyncio.gather(*self._building.values())

    async def _build(self, held: Held) -> None:
        try:
            await self._database.read(partial(pgvectors.build, held=held))
            if await self._database.read(partial(pgvectors.indexed, held=held)):
                self._indexed.add((held.number, held.form.dimension))
        except ServiceError as error:
            _log.warning("the index of collection %s could not be built: %s", held.collection.id, error.message)
        finally:
            self._building.pop(held.number, None)

    async def forget(self, number: int) -> None:
        """Drop the indexes of a collection that was deleted."""
        try:
            await self._database.write(partial(pgvectors.drop, number=number))
        except ServiceError as error:  # an index of no rows is left, which takes a page
            _log.warning("the index of a deleted collection could not be dropped: %s", error.message)

    def collect(self) -> Sequence[Metric]:
        """Returns nothing: the size is that of the database."""
        return []

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Wait for an index that is being built: PostgreSQL ends it with its connection otherwise, half built."""
        await asyncio.gather(*self._building.values(), return_exceptions=True)
