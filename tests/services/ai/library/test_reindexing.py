"""Documents that are indexed again: what is found meanwhile, another model, and what is left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import func, select

from artificer_services.ai.library import schema
from artificer_services.ai.library.database import connect
from artificer_services.ai.library.errors import Lost, ModelGone, Reindexing
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.library.sql_store import SqlStore
from artificer_services.ai.library.values import Mode, Passage, Query
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.models.errors import UnknownModel
from artificer_services.ai.models.values import Embedded
from artificer_services.ai.reading.text_reader import TextReader
from artificer_services.kit.errors import Invalid
from tests.waiting import PATIENCE, until_told

from .conftest import MODELS, Place, add

TEXTS = {f"d{number}": f"Document number{number} speaks of topic{number}. " * 12 for number in range(5)}


class Watched(Models):
    """The scripted models; a test may hold back the embedding of a text, or make it fail."""

    def __init__(self) -> None:
        super().__init__(MODELS)
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.failure: Exception | None = None
        self.embedded: list[str] = []

    async def embed(self, name: str, texts: Sequence[str], *, caller: str = "") -> Embedded:
        self.embedded += texts
        if not self.gate.is_set():
            self.reached.set()
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return await super().embed(name, texts, caller=caller)


@asynccontextmanager
async def watched(
    place: Place, *, kept: float | None = None, **settings: Any
) -> AsyncIterator[tuple[Library, Watched, SqlStore]]:
    """A library of TEXTS. The store keeps what is not renewed for `kept` seconds instead of those of the settings."""
    chosen = LibrarySettings(**settings)
    models = Watched()
    store = SqlStore(connect(place.data_dir, place.database_url), lease_seconds=kept or chosen.lease_seconds)
    library = Library(store, models, [TextReader()], chosen)
    await library.start()
    try:
        await library.create_collection("c", chunk_tokens=64, chunk_overlap=0)
        for id_, text in TEXTS.items():
            await add(library, "c", id_, text, metadata={"id": id_})
        models.embedded.clear()
        yield library, models, store
    finally:
        await library.stop()


async def all_found(library: Library) -> bool:
    for id_ in TEXTS:
        for mode in Mode:
            query = Query(text=f"topic{id_[1:]}", mode=mode, filter={"id": id_})
            if {one.document for one in await library.retrieve(["c"], query)} != {id_}:
                return False
    return True


async def rows(store: SqlStore) -> dict[str, int]:
    """How many rows each table has."""
    tables = (schema.versions, schema.texts, schema.attributes, schema.chunks, schema.vectors)

    def look(connection: Any) -> dict[str, int]:
        return {table.name: connection.scalar(select(func.count()).select_from(table)) for table in tables}

    return await store.database.read(look)


async def swept(store: SqlStore, **expected: int) -> None:
    """Sweep, and check that only what is visible is left."""
    await store.sweep()
    assert await rows(store) == {f"rag_{name}": count for name, count in expected.items()}


async def test_other_sizes_take_effect_document_by_document(place: Place) -> None:
    async with watched(place) as (library, _, store):
        before = await library.collection("c")
        after = await library.reindex_collection("c", chunk_tokens=32)
        assert (after.chunk_tokens, after.chunk_overlap, after.embedding_model) == (32, 0, before.embedding_model)
        assert after.chunk_count > before.chunk_count
        assert after.document_count == 5
        assert await all_found(library)
        count = after.chunk_count
        # The versions that brought the texts are kept for these.
        await swept(store, versions=10, texts=5, attributes=5, chunks=count, vectors=count)
        await library.delete_document("c", "d0")
        left = (await library.collection("c")).chunk_count
        await swept(store, versions=8, texts=4, attributes=4, chunks=left, vectors=left)


async def test_one_document_can_be_indexed_again(place: Place) -> None:
    async with watched(place) as (library, models, _):
        before = await library.document("c", "d1")
        assert await library.reindex_document("c", "d1") == before
        assert models.embedded
        assert await all_found(library)


async def test_another_model_takes_effect_when_all_documents_have_its_vectors(place: Place) -> None:
    async with watched(place, embed_batch=1) as (library, models, store):
        models.gate.clear()
        running = asyncio.create_task(library.reindex_collection("c", embedding_model="small"))
        await models.reached.wait()
        assert (await library.collection("c")).embedding_model == "words"
        with pytest.raises(Reindexing):
            await library.reindex_collection("c", embedding_model="twin")
        models.gate.set()
        await add(library, "c", "late", "A late document speaks of something else.")
        await add(library, "c", "d0", TEXTS["d0"], replace=True, metadata={"id": "d0"})
        await running  # before or after the late ones
        after = await library.collection("c")
        assert (after.embedding_model, after.dimension, after.document_count) == ("small", 32, 6)
        assert await all_found(library)
        passages, model = await library.search("c", text="late", top_k=100)
        assert (len(passages), model) == (after.chunk_count, "small")
        count = after.chunk_count
        await store.sweep()
        left = await rows(store)
        assert {left[f"rag_{name}"] for name in ("chunks", "vectors")} == {count}
        assert (left["rag_texts"], left["rag_attributes"]) == (6, 5)


async def test_an_interrupted_reindex_goes_on_and_keeps_the_old_vectors_until_it_is_done(place: Place) -> None:
    async with watched(place) as (library, models, store):
        await library.reindex_document("c", "d3")
        models.failure = Lost("the model is gone")
        with pytest.raises(Lost):
            await library.reindex_collection("c", embedding_model="twin")
        models.failure = None
        assert (await library.collection("c")).embedding_model == "words"
        assert await all_found(library)
        models.gate.clear()
        models.reached.clear()
        running = asyncio.create_task(library.reindex_collection("c", embedding_model="twin"))
        await models.reached.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        models.gate.set()
        after = await library.reindex_collection("c", embedding_model="twin")
        assert after.embedding_model == "twin"
        assert await all_found(library)
        count = after.chunk_count
        await swept(store, versions=10, texts=5, attributes=5, chunks=count, vectors=count)


async def test_a_document_that_fails_leaves_nothing(place: Place) -> None:
    async with watched(place) as (library, models, store):
        before = await rows(store)
        models.failure = Lost("the model is gone")
        with pytest.raises(Lost):
            await add(library, "c", "new", "Some text.")
        await store.sweep()
        assert await rows(store) == before
        assert not (await library.documents("c", 10))[1]


async def test_a_document_that_is_written_slowly_keeps_its_lease(place: Place) -> None:
    # It is renewed every 0.1 s. What is not renewed is swept after 0.3 s, but here a busy machine may take longer.
    async with watched(place, lease_seconds=0.3, kept=PATIENCE) as (library, models, store):
        models.gate.clear()
        writing = asyncio.create_task(add(library, "c", "slow", "A slow text."))
        await models.reached.wait()
        first = await _until(store)

        async def renewed_twice() -> bool:
            await store.sweep()
            return await _until(store) > first + 100_000

        assert await until_told(renewed_twice)
        models.gate.set()
        await writing
        assert (await library.document("c", "slow")).chunk_count == 1


async def _until(store: SqlStore) -> int:
    staged = select(schema.versions.c.until).where(schema.versions.c.state == schema.State.STAGED)
    until: int = await store.database.read(lambda connection: connection.execute(staged).scalar_one())
    return until


async def test_what_nobody_renews_is_swept_and_cannot_be_published(place: Place) -> None:
    async with watched(place, sweep_seconds=3600.0) as (library, models, store):
        before = await rows(store)
        impatient = SqlStore(store.database, lease_seconds=-1.0)  # its leases are over when they begin
        slow = Library(impatient, models, [TextReader()], LibrarySettings())
        models.gate.clear()
        writing = asyncio.create_task(add(slow, "c", "slow", "A slow text."))
        await models.reached.wait()
        await store.sweep()
        models.gate.set()
        with pytest.raises(Lost):
            await writing
        assert await rows(store) == before
        assert "slow" not in [one.id for one in (await library.documents("c"))[0]]


async def test_a_deleted_collection_leaves_nothing(place: Place) -> None:
    async with watched(place) as (library, models, store):
        await library.reindex_collection("c", chunk_tokens=32)
        models.gate.clear()
        writing = asyncio.create_task(add(library, "c", "slow", "A slow text."))
        await models.reached.wait()
        await library.delete_collection("c", force=True)
        models.gate.set()
        with pytest.raises(Lost):
            await writing
        await swept(store, versions=0, texts=0, attributes=0, chunks=0, vectors=0)


async def test_chunks_that_are_too_small_for_a_document_are_refused_by_their_size(place: Place) -> None:
    async with watched(place, max_chunks=3) as (library, _, _):
        with pytest.raises(Invalid, match="'d0'") as caught:
            await library.reindex_collection("c", chunk_tokens=32)
        assert [fault.field for fault in caught.value.faults] == ["chunk_tokens"]
        assert await all_found(library)
        with pytest.raises(Invalid):
            await library.reindex_collection("c", embedding_model="small", chunk_tokens=32)
        # What can never be done keeps no other from being done.
        made = await library.reindex_collection("c", embedding_model="twin", chunk_tokens=64)
        assert (made.embedding_model, made.chunk_tokens) == ("twin", 64)
        assert await all_found(library)


async def test_a_reindex_that_another_process_gives_up_does_not_look_done(place: Place) -> None:
    async with watched(place) as (library, models, store):
        models.gate.clear()
        indexing = asyncio.create_task(library.reindex_collection("c", embedding_model="small"))
        await models.reached.wait()
        held = await store.collection("c")
        assert held.next_form is not None
        await store.abandon(held, held.next_form)
        models.gate.set()
        with pytest.raises(Reindexing, match="given up"):
            await indexing
        assert (await library.collection("c")).embedding_model == "words"
        assert await all_found(library)


@pytest.mark.parametrize("by_vectors", [False, True])
async def test_a_search_that_meets_the_change_of_the_model_is_made_again(place: Place, by_vectors: bool) -> None:
    async with watched(place) as (library, models, _):
        models.gate.clear()
        query = Query(text="topic3", mode=Mode.VECTORS, top_k=1)

        async def search() -> tuple[list[Passage], str]:
            if by_vectors:
                return await library.search("c", text="topic3", top_k=1)
            return await library.retrieve(["c"], query), "small"

        searching = asyncio.create_task(search())
        await models.reached.wait()
        held, models.gate = models.gate, asyncio.Event()
        models.gate.set()
        await library.reindex_collection("c", embedding_model="small")
        held.set()
        found, model = await searching
        assert ([one.document for one in found], model) == (["d3"], "small")


async def test_a_collection_whose_model_is_gone_from_the_settings_says_so_and_can_get_another(place: Place) -> None:
    async with watched(place) as (library, models, _):
        models.failure = UnknownModel("words", ("small",))
        words = Query(text="topic1", mode=Mode.WORDS)
        for call in (
            library.retrieve(["c"], Query(text="topic1")),
            library.search("c", text="topic1"),
            add(library, "c", "new", "A text."),
            library.reindex_document("c", "d1"),
        ):
            with pytest.raises(ModelGone, match="model 'words' is not in the server's settings any more"):
                await call
        assert await library.retrieve(["c"], words)
        models.failure = None
        assert (await library.reindex_collection("c", embedding_model="small")).dimension == 32
        assert await all_found(library)
