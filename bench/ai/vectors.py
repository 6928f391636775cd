"""`python -m bench.ai.vectors`: collections of up to 100,000 chunks: to fill, to load and to search, and what is found.

The texts are words by Zipf's law and go the way of every document: read, divided, stored, indexed. Their vectors are
made, not embedded, since 100,000 embeddings take longer than all the rest: 512 values in 48 directions, with noise,
which is about what embeddings of texts are like. Recall is against the exact search in the same vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy

from artificer_services.ai.library.database import connect
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.library.sql_store import SqlStore
from artificer_services.ai.library.store import Held
from artificer_services.ai.library.values import Mode, Query
from artificer_services.ai.library.vectors.matrix import Matrix
from artificer_services.ai.library.vectors.memory import MemoryIndex
from artificer_services.ai.library.vectors.postgres import PgvectorIndex
from artificer_services.ai.models.values import Embedded, ModelInfo, Vectors
from artificer_services.ai.reading.text_reader import TextReader
from bench.markdown import section, table

_DIMENSION, _DIRECTIONS, _NOISE = 512, 48, 0.5
_QUERIES = 40
_PARAGRAPHS = 100  # of a document, each a chunk of 50 words
HEAD = ("store", "index", "chunks", "added/s", "first search, s", "vectors, ms", "words, ms", "both, ms", "filter, ms")
MORE = ("recall@10", "index, MB", "loop held, ms")
TEXT = (
    f"Chunks of 50 words with {_DIMENSION} values; medians of {_QUERIES} searches for 10 passages by `Library`. "
    "`filter` lets a twentieth through. `loop held` is the longest pause of the event loop meanwhile."
)


class MadeVectors:
    """Makes vectors instead of embedding; the same text has another vector each time."""

    def __init__(self) -> None:
        self._random = numpy.random.default_rng(1)
        self._directions = self._random.standard_normal((_DIRECTIONS, _DIMENSION))

    def embedding_info(self, name: str = "") -> ModelInfo:
        return ModelInfo(name=name or "made", kind="scripted", chat=False, dimension=_DIMENSION)

    async def embed(self, name: str, texts: Sequence[str], *, caller: str = "") -> Embedded:
        return Embedded(self.some(len(texts)), len(texts))

    def some(self, count: int) -> Vectors:
        made = self._random.standard_normal((count, _DIRECTIONS)) @ self._directions
        made += _NOISE * numpy.sqrt(_DIRECTIONS) * self._random.standard_normal((count, _DIMENSION))
        vectors: Vectors = (made / numpy.linalg.norm(made, axis=1, keepdims=True)).astype(numpy.float32)
        return vectors


class Words:
    """Texts of 50,000 words, of which few are frequent."""

    def __init__(self) -> None:
        self._random = numpy.random.default_rng(2)

    def text(self, count: int) -> str:
        return " ".join(f"w{min(number, 50_000)}" for number in self._random.zipf(1.3, count).tolist())

    def document(self) -> bytes:
        return "\n\n".join(self.text(50) + "." for _ in range(_PARAGRAPHS)).encode()


@dataclass(slots=True)
class Measured:
    """One collection in one store with one index."""

    store: str
    index: str
    chunks: int
    added: float
    first: float
    times: dict[str, float]
    recall: float
    size: float
    held: float

    def row(self) -> list[str]:
        """The figures as text."""
        times = [f"{self.times[name]:.1f}" for name in ("vectors", "words", "both", "filter")]
        first = [self.store, self.index, f"{self.chunks:,}", f"{self.added:,.0f}", f"{self.first:.2f}", *times]
        memory = f"{self.size:.0f}" if self.size else "in the database"
        return [*first, f"{self.recall:.3f}", memory, f"{self.held:.0f}"]


async def measure(sizes: Sequence[int]) -> list[Measured]:
    """Returns the figures of collections of so many chunks in SQLite and in PostgreSQL."""
    done: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        async with _postgresql(Path(folder, "postgres")) as url:
            for name, place in (("SQLite", ""), ("PostgreSQL", url)):
                for size in sizes:
                    done += await _collection(name, Path(folder, f"{name}{size}"), place, size)
    return done


async def _collection(name: str, folder: Path, url: str, size: int) -> list[Measured]:
    database = connect(str(folder), url)
    store = SqlStore(database)
    vectors, words = MadeVectors(), Words()
    exact = MemoryIndex(store, max_bytes=4 << 30, approximate_above=10**9)
    library = Library(store, vectors, [TextReader()], LibrarySettings(), exact)
    await library.start()
    done: list[Measured] = []
    try:
        id_ = f"c{size}"
        await library.create_collection(id_, chunk_tokens=256, chunk_overlap=0)
        began = time.perf_counter()
        for number in range(size // _PARAGRAPHS):
            document = words.document()
            await library.add_document(id_, document, metadata={"part": str(number % 20)})
        held = await store.collection(id_)
        added = held.collection.chunk_count / (time.perf_counter() - began)
        everything = await store.vectors_since(held, -1)
        truth = Matrix.empty(_DIMENSION).plus(everything)
        indexes: list[tuple[str, MemoryIndex | PgvectorIndex]] = [("exact", exact)]
        if size >= 100_000 and not url:  # it is the same in front of either database
            graph = MemoryIndex(store, max_bytes=4 << 30, approximate_above=1000, folder=folder / "graphs")
            indexes.append(("graph", graph))
        if url:
            indexes.append(("pgvector", PgvectorIndex(database, approximate_above=50_000)))
        for kind, index in indexes:
            own = Library(store, vectors, [TextReader()], LibrarySettings(), index)
            first = await _first(own, held, index, vectors.some(1)[0])
            times, worst = await _times(own, id_, vectors, words)
            recall = await _recall(index, held, truth, vectors.some(_QUERIES))
            size_ = sum(sample.value for metric in index.collect() for sample in metric.samples) / 1e6
            found = Measured(name, kind, held.collection.chunk_count, added, first, times, recall, size_, worst)
            print(*found.row(), flush=True)
            done.append(found)
            if kind == "graph":
                await index.stop()
    finally:
        await library.stop()
    return done


async def _first(library: Library, held: Held, index: MemoryIndex | PgvectorIndex, vector: Vectors) -> float:
    """Returns the seconds of the first search; then waits for a graph or an index, and prints how long it took."""
    began = time.perf_counter()
    await library.search(held.collection.id, vector=vector.tolist())
    first = time.perf_counter() - began
    began = time.perf_counter()
    await (index.built() if isinstance(index, PgvectorIndex) else index.shelf(held).built())
    print(f"built in {time.perf_counter() - began:.1f} s", flush=True)
    return first


async def _times(library: Library, id_: str, vectors: MadeVectors, words: Words) -> tuple[dict[str, float], float]:
    """Returns the median milliseconds of searches of each kind, and how long one of them held up the event loop."""
    times: dict[str, list[float]] = {name: [] for name in ("vectors", "words", "both", "filter")}
    watching = asyncio.create_task(_watch())
    for number in range(_QUERIES):
        vector, text = vectors.some(1)[0].tolist(), words.text(8)
        searches = {
            "vectors": library.search(id_, vector=vector),
            "words": library.retrieve([id_], Query(text=text, mode=Mode.WORDS)),
            "both": library.retrieve([id_], Query(text=text)),
            "filter": library.search(id_, vector=vector, filter={"part": str(number % 20)}),
        }
        for name, search in searches.items():
            began = time.perf_counter()
            await search
            times[name].append((time.perf_counter() - began) * 1000)
    watching.cancel()
    (worst,) = await asyncio.gather(watching)
    return {name: statistics.median(some) for name, some in times.items()}, worst


async def _watch() -> float:
    """Returns the longest time in milliseconds in which the event loop did not come round, when it is cancelled."""
    worst, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            worst, last = max(worst, (now - last) * 1000 - 1), now
    except asyncio.CancelledError:
        return worst


async def _recall(index: MemoryIndex | PgvectorIndex, held: Held, truth: Matrix, queries: Vectors) -> float:
    """Returns the share of the 10 closest vectors that an index finds."""
    shares = []
    for query in queries:
        exact = {one.chunk for one in truth.nearest(query, 10)}
        shares.append(len(exact & {one.chunk for one in await index.nearest(held, query, 10)}) / 10)
    return statistics.mean(shares)


@asynccontextmanager
async def _postgresql(folder: Path) -> AsyncIterator[str]:
    """Yields the URL of an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own making, where there is no XDG_RUNTIME_DIR
        import pgserver

        folder.parent.chmod(0o755)  # as root it runs under another user
        server = await asyncio.to_thread(pgserver.get_server, folder, cleanup_mode="delete")
        try:
            yield str(server.get_uri())
        finally:
            await asyncio.to_thread(server.cleanup)


def main() -> None:
    """Measures and prints."""
    logging.basicConfig(level=logging.WARNING)
    parser = argparse.ArgumentParser(prog="python -m bench.ai.vectors")
    parser.add_argument("sizes", nargs="*", type=int, default=[1000, 10_000, 100_000], help="numbers of chunks")
    done = asyncio.run(measure(parser.parse_args().sizes))
    print("\n".join([*section("Collections"), TEXT, "", *table((*HEAD, *MORE), [one.row() for one in done])]))


if __name__ == "__main__":
    main()
