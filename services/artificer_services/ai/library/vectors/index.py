"""The Protocol of an index of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from prometheus_client.metrics_core import Metric

from ...models.values import Vectors
from ..store import Held, Numbers
from ..words import Ranked


class VectorIndex(Protocol):
    """Finds chunks by vectors. What other processes have committed is seen by the next search."""

    async def nearest(self, held: Held, vector: Vectors, limit: int, among: Numbers | None = None) -> Sequence[Ranked]:
        """Returns the chunks closest to a vector of shape (dimension,) and length 1, with the cosine as their score.

        `among` are the versions to search, sorted; None means all. Chunks that were deleted a moment ago may be among
        the result. Raises ServiceError.
        """

    async def forget(self, number: int) -> None:
        """Give up the memory for a collection that was deleted."""

    def collect(self) -> Sequence[Metric]:
        """Returns the metrics."""

    async def start(self) -> None:
        """Prepare what the index needs."""

    async def stop(self) -> None:
        """End background work and give up all memory."""
