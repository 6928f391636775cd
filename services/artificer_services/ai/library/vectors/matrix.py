"""Vectors of a collection as a matrix, and the exact search in it.

Pure. A matrix never changes, so threads may search it while the next one is made; both share their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from numpy import float32, int64
from numpy.typing import NDArray

from ...models.values import Vectors
from ..schema import POSITION_BITS
from ..store import Numbers, Stacked
from ..words import Ranked

_GROWTH = 1.25  # of the memory, when rows do not fit any more
_MOST_DEAD = 0.25  # of the rows; the rest is then copied
_GATHERED = 0.1  # of the rows; above, the product of all rows is faster than a copy of some


@dataclass(frozen=True, slots=True)
class Matrix:
    """The first `size` rows of memory that it shares with its successors; rows that are not `alive` were removed."""

    memory: NDArray[float32]
    numbers: NDArray[int64]
    size: int
    alive: NDArray[numpy.bool_] | None = None
    """None if all rows are alive."""

    @classmethod
    def empty(cls, dimension: int) -> Matrix:
        """Returns a matrix without rows."""
        return cls(numpy.empty((0, dimension), float32), numpy.empty(0, int64), 0)

    @property
    def count(self) -> int:
        """The number of vectors."""
        return self.size if self.alive is None else int(self.alive.sum())

    @property
    def nbytes(self) -> int:
        """The memory in bytes."""
        return self.memory.nbytes + self.numbers.nbytes + (0 if self.alive is None else self.alive.nbytes)

    def living(self) -> Stacked:
        """Returns the vectors and the numbers of their chunks."""
        numbers, vectors = self.numbers[: self.size], self.memory[: self.size]
        return Stacked(numbers, vectors) if self.alive is None else Stacked(numbers[self.alive], vectors[self.alive])

    def versions(self) -> Numbers:
        """Returns the versions that have vectors here, sorted."""
        return numpy.unique(self.living().numbers >> POSITION_BITS)

    def plus(self, added: Stacked) -> Matrix:
        """Returns a matrix with further vectors. Call it for the latest matrix only: the rows lie in shared memory."""
        size = self.size + len(added.numbers)
        memory, numbers = self.memory, self.numbers
        if size > len(numbers):
            room = max(size, int(len(numbers) * _GROWTH)) if self.size else size
            memory = numpy.empty((room, self.memory.shape[1]), float32)
            numbers = numpy.empty(room, int64)
            memory[: self.size], numbers[: self.size] = self.memory[: self.size], self.numbers[: self.size]
        memory[self.size : size], numbers[self.size : size] = added.vectors, added.numbers
        alive = self.alive
        if alive is not None:
            alive = numpy.concatenate((alive, numpy.ones(len(added.numbers), numpy.bool_)))
        return Matrix(memory, numbers, size, alive)

    def only(self, versions: Numbers) -> Matrix:
        """Returns a matrix without the vectors of versions other than these, which are sorted."""
        alive = among(self.numbers[: self.size] >> POSITION_BITS, versions)
        if self.alive is not None:
            alive &= self.alive
        kept = int(alive.sum())
        if kept == self.size:
            return Matrix(self.memory, self.numbers, self.size)
        if self.size - kept <= _MOST_DEAD * self.size:
            return Matrix(self.memory, self.numbers, self.size, alive)
        return Matrix(self.memory[: self.size][alive], self.numbers[: self.size][alive], kept)

    def nearest(self, vector: Vectors, limit: int, versions: Numbers | None = None) -> list[Ranked]:
        """Returns the chunks closest to a vector, exactly: among those of `versions`, which are sorted."""
        numbers, vectors = self.numbers[: self.size], self.memory[: self.size]
        wanted = self.alive
        if versions is not None:
            inside = among(numbers >> POSITION_BITS, versions)
            wanted = inside if wanted is None else inside & wanted
        if wanted is None:
            return best(numbers, vectors @ vector, limit)
        rows = numpy.flatnonzero(wanted)
        if len(rows) < _GATHERED * self.size:
            return best(numbers[rows], vectors[rows] @ vector, limit)
        return best(numbers[rows], (vectors @ vector)[rows], limit)


def among(numbers: Numbers, sorted_: Numbers) -> NDArray[numpy.bool_]:
    """Returns for each number whether it is in another array, which is sorted."""
    if not len(sorted_):
        return numpy.zeros(len(numbers), numpy.bool_)
    places = numpy.searchsorted(sorted_, numbers)
    places[places == len(sorted_)] = 0
    found: NDArray[numpy.bool_] = sorted_[places] == numbers
    return found


def best(numbers: Numbers, scores: NDArray[float32], limit: int) -> list[Ranked]:
    """Returns the chunks with the highest scores, equal ones by their numbers."""
    if limit < len(scores):
        top = numpy.argpartition(scores, len(scores) - limit)[-limit:]
        numbers, scores = numbers[top], scores[top]
    order: Sequence[int] = numpy.lexsort((numbers, -scores)).tolist()
    return [Ranked(int(numbers[at]), float(min(scores[at], 1.0))) for at in order]
