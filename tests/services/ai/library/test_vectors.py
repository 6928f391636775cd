"""Vectors in memory: the exact search, the graph of a large collection, its snapshot, and how memory is bounded."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer_services.ai.library.build import SNAPSHOTS
from artificer_services.ai.library.database import connect
from artificer_services.ai.library.errors import TooLarge
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.schema import POSITION_BITS
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.library.sql_store import SqlStore
from artificer_services.ai.library.store import Stacked
from artificer_services.ai.library.values import Mode, Query
from artificer_services.ai.library.vectors.graph import _GATHERED, Graph
from artificer_services.ai.library.vectors.matrix import Matrix
from artificer_services.ai.library.vectors.memory import MemoryIndex
from artificer_services.ai.library.vectors.shelf import Workers
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.reading.text_reader import TextReader

from .conftest import MODELS, Place

LIMIT = 100


def stacked(versions: list[int], seed: int, dimension: int = 8) -> Stacked:
    """Three random vectors for each version."""
    made = numpy.random.default_rng(seed).standard_normal((len(versions) * 3, dimension)).astype(numpy.float32)
    made /= numpy.linalg.norm(made, axis=1, keepdims=True)
    numbers = [(version << POSITION_BITS) + place for version in versions for place in range(3)]
    return Stacked(numpy.array(numbers, numpy.int64), made)


STEPS = st.lists(st.tuples(st.booleans(), st.sets(st.integers(1, 40), max_size=12)), max_size=12)


@settings(deadline=None)  # other programs share the processor
@given(STEPS, st.sets(st.integers(1, 40)), st.integers(1, 20))
def test_a_matrix_and_a_graph_find_what_was_added_and_not_removed(
    steps: list[tuple[bool, set[int]]], filter_: set[int], limit: int
) -> None:
    matrix, graph = Matrix.empty(8), Graph(8)
    known: dict[int, numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]]] = {}
    for step, (adds, some) in enumerate(steps):
        present = {number >> POSITION_BITS for number in known}
        if adds:
            added = stacked(sorted(some - present), step)
            matrix = matrix.plus(added)
            graph.add(added)
            known |= dict(zip(added.numbers.tolist(), added.vectors, strict=True))
        else:
            kept = numpy.array(sorted(some), numpy.int64)
            matrix = matrix.only(kept)
            graph.keep(kept)
            known = {number: vector for number, vector in known.items() if number >> POSITION_BITS in some}
    assert matrix.count == graph.count == len(known)
    query = stacked([1], 99).vectors[0]
    for among in (None, numpy.array(sorted(filter_), numpy.int64)):
        inside = {
            number: float(vector @ query)
            for number, vector in known.items()
            if among is None or number >> POSITION_BITS in filter_
        }
        expected = sorted(inside.values(), reverse=True)[:limit]
        for found, close in ((matrix.nearest(query, limit, among), 1e-5), (graph.nearest(query, limit, among), 5e-3)):
            assert [one.score for one in found] == pytest.approx(expected, abs=close)
            assert [one.score for one in found] == pytest.approx([inside[one.chunk] for one in found], abs=close)
            assert len({one.chunk for one in found}) == len(found)


@pytest.mark.parametrize("removed", [0, 0.3])
def test_a_large_graph_finds_nearly_all_neighbours(removed: float) -> None:
    """With more vectors than are compared one by one; the share that is removed is below that of a rebuild."""
    count = 12_000
    graph, added = Graph(8), stacked(list(range(1, count + 1)), 5)
    graph.add(added)
    kept = numpy.arange(int(count * removed) + 1, count + 1, dtype=numpy.int64)
    graph.keep(kept)
    inside = added.numbers >> POSITION_BITS >= kept[0]
    assert inside.sum() == graph.count > _GATHERED
    found = 0
    queries = stacked(list(range(1, 8)), 99).vectors[:20]
    for query in queries:
        scores = numpy.where(inside, added.vectors @ query, -1)
        closest = set(added.numbers[numpy.argsort(-scores)[:10]].tolist())
        found += len(closest & {one.chunk for one in graph.nearest(query, 10)})
    assert found > 0.9 * 10 * len(queries)


class Shelved:
    """A library with an index whose insides a test may ask."""

    def __init__(self, place: Place, **limits: int) -> None:
        self.store = SqlStore(connect(place.data_dir, place.database_url))
        folder = Path(place.data_dir, SNAPSHOTS)
        options = {"max_bytes": 1 << 30, "approximate_above": LIMIT} | limits
        self.index = MemoryIndex(self.store, folder=folder, **options)
        self.library = Library(self.store, Models(MODELS), [TextReader()], LibrarySettings(), self.index)

    async def built(self, collection: str = "c") -> bool:
        """Wait for what is built; whether searches use a graph now."""
        shelf = self.index.shelf(await self.store.collection(collection))
        await shelf.built()
        return shelf.approximate

    async def best(self, text: str, **more: object) -> list[str]:
        return [one.document for one in (await self.library.search("c", text=text, **more))[0]]  # type: ignore[arg-type]


@asynccontextmanager
async def shelved(place: Place, **limits: int) -> AsyncIterator[Shelved]:
    made = Shelved(place, **limits)
    await made.library.start()
    try:
        yield made
    finally:
        await made.library.stop()


def saved_files(place: Place) -> list[Path]:
    """The files of snapshots: first that of the graph, whose name is longer."""
    return sorted(Path(place.data_dir, SNAPSHOTS).iterdir(), key=lambda file: -len(file.name))


async def fill(library: Library, count: int, collection: str = "c") -> None:
    """Add documents of one chunk each."""
    await library.create_collection(collection)
    for number in range(count):
        text = f"topic{number} and subject{number}".encode()
        metadata = {"even": str(number % 2 == 0), "tenth": str(number % 10)}
        await library.add_document(collection, text, document_id=f"d{number}", metadata=metadata)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "data"))


async def test_a_large_collection_gets_a_graph_which_follows_changes(sqlite_place: Place) -> None:
    async with shelved(sqlite_place) as it:
        await fill(it.library, LIMIT + 20)
        assert await it.best("topic7", top_k=1) == ["d7"]  # exact, while the graph is built
        assert await it.built()
        assert await it.best("topic7", top_k=1) == ["d7"]
        await it.library.add_document("c", b"a new theme", document_id="new")
        assert await it.best("new theme", top_k=1) == ["new"]
        await it.library.add_document("c", b"another matter", document_id="new", replace=True)
        assert await it.best("another matter", top_k=1) == ["new"]
        await it.library.delete_document("c", "d7")
        assert "d7" not in await it.best("topic7", top_k=1000)
        assert len(await it.best("topic7", top_k=1000)) == LIMIT + 20
        assert len(await it.best("topic7", top_k=1000, filter={"even": "True"})) == LIMIT // 2 + 10
        assert await it.best("topic13", top_k=1, filter={"tenth": "3"}) == ["d13"]
        query = Query(text="topic13", mode=Mode.HYBRID)
        assert (await it.library.retrieve(["c"], query))[0].document == "d13"
        for number in range(0, LIMIT, 2):
            if number != 7:
                await it.library.delete_document("c", f"d{number}")
        assert await it.best("topic13", top_k=1) == ["d13"]  # more than a third is removed: it starts anew


async def test_a_restart_reads_the_snapshot_and_what_has_changed_since(sqlite_place: Place) -> None:
    async with shelved(sqlite_place) as it:
        await fill(it.library, LIMIT + 20)
        await it.best("topic7")
        assert await it.built()
    files = saved_files(sqlite_place)
    async with shelved(sqlite_place, approximate_above=100_000) as it:  # another process changes it
        await it.library.delete_document("c", "d7")
        await it.library.add_document("c", b"a new theme", document_id="new")
    async with shelved(sqlite_place) as it:
        assert await it.best("new theme", top_k=1) == ["new"]
        assert it.index.shelf(await it.store.collection("c")).approximate
        assert saved_files(sqlite_place) == files  # nothing was built
        assert len(await it.best("topic7", top_k=1000)) == LIMIT + 20
        await it.library.delete_collection("c", force=True)
        assert saved_files(sqlite_place) == []


@pytest.mark.parametrize("damage", ["cut", "changed", "no file", "no manifest", "manifest", "later", "other model"])
async def test_a_snapshot_that_is_damaged_or_stale_is_ignored(sqlite_place: Place, damage: str) -> None:
    async with shelved(sqlite_place) as it:
        await fill(it.library, LIMIT + 20)
        await it.best("topic7")
        assert await it.built()
    graph, manifest = saved_files(sqlite_place)
    assert (graph.suffix, manifest.suffix) == (".usearch", ".json")
    said = json.loads(manifest.read_text())
    data = bytearray(graph.read_bytes())
    if damage == "cut":
        graph.write_bytes(data[:-100])
    elif damage == "changed":
        data[len(data) // 2] ^= 1
        graph.write_bytes(data)
    elif damage == "no file":
        graph.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    elif damage == "manifest":
        manifest.write_text("{")
    else:
        change = {"changes": 10**6} if damage == "later" else {"model": "twin"}
        manifest.write_text(json.dumps(said | change))
    async with shelved(sqlite_place) as it:
        assert await it.best("topic7", top_k=1) == ["d7"]
        assert await it.built()
        assert saved_files(sqlite_place)[0] != graph
        assert await it.best("topic7", top_k=1) == ["d7"]


async def test_the_collections_that_were_searched_last_stay_in_memory(sqlite_place: Place) -> None:
    room = 15 * (64 * 4 + 8)  # bytes of 15 vectors
    async with shelved(sqlite_place, max_bytes=room) as it:
        for name in ("a", "b"):
            await fill(it.library, 10, name)
        for name in ("a", "b", "a"):
            assert (await it.library.search(name, text="topic3"))[0][0].document == "d3"
            ((size,),) = (metric.samples for metric in it.index.collect())
            assert 0 < size.value <= room
        await fill(it.library, 20, "large")
        with pytest.raises(TooLarge, match="max_index_bytes"):
            await it.library.search("large", text="topic3")
        words = await it.library.retrieve(["large"], Query(text="topic3", mode=Mode.WORDS))
        assert [one.document for one in words] == ["d3"]


async def test_a_search_that_is_cancelled_ends_before_the_index_changes() -> None:
    """A graph must not be searched while it changes, and threads go on when their caller leaves."""
    workers = Workers()
    steps: list[str] = []
    began, go_on = threading.Event(), threading.Event()

    def search() -> None:
        began.set()
        go_on.wait()
        steps.append("searched")

    searching = asyncio.create_task(workers.run(search))
    await asyncio.to_thread(began.wait)
    searching.cancel()
    await asyncio.to_thread(began.wait)  # the loop comes round
    assert not searching.done()
    searching.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await searching
    steps.append("left")
    assert steps == ["searched", "left"]
    await workers.stop()
