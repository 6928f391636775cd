"""Chooses the index when it is first needed: PostgreSQL's, if it has pgvector and the settings let it, else memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from prometheus_client.metrics_core import Metric

from ...models.values import Vectors
from ..errors import NoPgvector
from ..store import Held, Numbers
from ..words import Ranked
from .index import VectorIndex
from .memory import MemoryIndex
from .postgres import PgvectorIndex


class ChosenIndex:
    """One of two indexes; see `VectorIndex`. The choice waits for a database that is down."""

    def __init__(self, memory: MemoryIndex, postgres: PgvectorIndex, wanted: Literal["auto", "pgvector"]) -> None:
        self._memory, self._postgres, self._wanted = memory, postgres, wanted
        self._chosen: VectorIndex | None = None

    async def choose(self) -> VectorIndex:
        """Returns the index. Raises NoPgvector if the settings ask for it in vain."""
        if self._chosen is None:
            if await self._postgres.present():
                self._chosen = self._postgres
            elif self._wanted == "pgvector":
                raise NoPgvector
            else:
                await self._memory.start()
                self._chosen = self._memory
        return self._chosen

    async def nearest(self, held: Held, vector: Vectors, limit: int, among: Numbers | None = None) -> Sequence[Ranked]:
        """Returns the chunks closest to a vector; see `VectorIndex`."""
        return await (await self.choose()).nearest(held, vector, limit, among)

    async def forget(self, number: int) -> None:
        """Give up what is kept for a collection."""
        if self._chosen is not None:  # nothing is kept before the first search
            await self._chosen.forget(number)

    def collect(self) -> Sequence[Metric]:
        """Returns the metrics of the index in memory; the other has none."""
        return self._memory.collect()

    async def start(self) -> None:
        """Nothing is loaded before the first search."""

    async def stop(self) -> None:
        """End background work."""
        await self._postgres.stop()
        await self._memory.stop()
