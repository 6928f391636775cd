"""Vectors of a large collection as an HNSW graph (usearch), with half-precision values.

One caller at a time: a graph must not be searched while it changes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy
from usearch.index import Index

from ...models.values import Vectors
from ..schema import POSITION_BITS
from ..store import Numbers, Stacked
from ..words import Ranked
from .matrix import among, best

# Measured with 96,345 vectors of 512 values: recall .935 at 256 and .98 at 512 (bench/AI_RESULTS.md). Adding with 128
# took twice as long for the same recall.
_CONNECTIVITY, _EXPANSION_ADD, _EXPANSION_SEARCH = 16, 64, 512
_SLICE = 1000  # vectors between two looks at whether the build was given up
_GATHERED = 20_000  # vectors that are compared one by one, rather than by the graph
_MOST_ASKED = 10_000  # neighbours asked of the graph, before all vectors that a filter lets through are compared
_NODE_BYTES = 200  # of the graph for a vector, beside its values


class Graph:
    """An index of the vectors of a collection."""

    def __init__(self, dimension: int, index: Index | None = None) -> None:
        self._index = index or Index(
            ndim=dimension,
            metric="ip",
            dtype="f16",
            connectivity=_CONNECTIVITY,
            expansion_add=_EXPANSION_ADD,
            expansion_search=_EXPANSION_SEARCH,
        )
        self._dimension = dimension
        self._numbers: Numbers = numpy.sort(numpy.asarray(self._index.keys, numpy.uint64).astype(numpy.int64))
        self.removed = 0

    @classmethod
    def load(cls, file: Path, dimension: int) -> Graph | None:
        """Returns a graph that was saved, or None if it is of another kind. The file must be whole."""
        index = Index.restore(str(file), expansion_add=_EXPANSION_ADD, expansion_search=_EXPANSION_SEARCH)
        return cls(dimension, index) if index is not None and index.ndim == dimension else None

    def save(self, file: Path) -> None:
        """Write the graph to a file."""
        self._index.save(str(file))

    @property
    def count(self) -> int:
        """The number of vectors."""
        return len(self._numbers)

    @property
    def nbytes(self) -> int:
        """The memory in bytes, about."""
        return (self.count + self.removed) * (2 * self._dimension + _NODE_BYTES) + self._numbers.nbytes

    def versions(self) -> Numbers:
        """Returns the versions that have vectors here, sorted."""
        return numpy.unique(self._numbers >> POSITION_BITS)

    def add(self, added: Stacked, given_up: threading.Event | None = None) -> None:
        """Add vectors, unless it is given up in between."""
        for start in range(0, len(added.numbers), _SLICE):
            if given_up is not None and given_up.is_set():
                return
            part = slice(start, start + _SLICE)
            self._index.add(added.numbers[part].astype(numpy.uint64), added.vectors[part])
        self._numbers = numpy.sort(numpy.concatenate((self._numbers, added.numbers)))

    def keep(self, versions: Numbers) -> None:
        """Remove the vectors of versions other than these, which are sorted."""
        kept = among(self._numbers >> POSITION_BITS, versions)
        gone = self._numbers[~kept]
        if len(gone):
            self._index.remove(gone.astype(numpy.uint64))
            self._numbers = self._numbers[kept]
            self.removed += len(gone)

    def nearest(self, vector: Vectors, limit: int, versions: Numbers | None = None) -> list[Ranked]:
        """Returns the chunks closest to a vector, nearly exactly; exactly if few exist or a filter lets few through.

        A graph of few vectors misses some after removals.
        """
        everything = self._numbers
        wanted = everything if versions is None else everything[among(everything >> POSITION_BITS, versions)]
        if len(wanted) <= _GATHERED:
            return self._compared(vector, limit, wanted)
        if versions is None:
            return self._asked(vector, limit)
        asked = limit
        while asked <= _MOST_ASKED:
            asked *= 4
            found = self._asked(vector, asked)
            inside = among(numpy.fromiter((one.chunk for one in found), numpy.int64, len(found)), wanted)
            if inside.sum() >= limit:
                return [one for one, is_in in zip(found, inside, strict=True) if is_in][:limit]
        return self._compared(vector, limit, wanted)

    def _asked(self, vector: Vectors, limit: int) -> list[Ranked]:
        found = self._index.search(vector, min(limit, max(self.count, 1)))
        pairs = zip(found.keys.tolist(), found.distances.tolist(), strict=True)
        return [Ranked(int(key), min(1.0 - float(distance), 1.0)) for key, distance in pairs]

    def _compared(self, vector: Vectors, limit: int, wanted: Numbers) -> list[Ranked]:
        top: list[Ranked] = []
        for part in _parts(wanted):
            values = numpy.asarray(self._index.get(part.astype(numpy.uint64), dtype="f32"))
            top += best(part, values @ vector, limit)
        return sorted(top, key=lambda one: (-one.score, one.chunk))[:limit]


def _parts(numbers: Numbers) -> Iterator[Numbers]:
    for start in range(0, len(numbers), _GATHERED):
        yield numbers[start : start + _GATHERED]
