"""Vectors in PostgreSQL: the server of the tests has pgvector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from artificer_services.ai.library.build import library_of
from artificer_services.ai.library.database import connect
from artificer_services.ai.library.errors import NoPgvector
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.library.sql_store import SqlStore
from artificer_services.ai.library.vectors.postgres import PgvectorIndex
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.reading.text_reader import TextReader
from artificer_services.kit.settings import InvalidSetting
from tests.services.postgres import Postgres

from .conftest import MODELS, Place
from .test_vectors import fill


@pytest.fixture
def pg_place(postgres: Postgres, migrated_url: str, tmp_path: Path) -> Place:
    return Place(str(tmp_path / "data"), postgres.fresh(like=migrated_url))


@asynccontextmanager
async def indexed(place: Place, approximate_above: int) -> AsyncIterator[tuple[Library, PgvectorIndex, SqlStore]]:
    database = connect(place.data_dir, place.database_url)
    store = SqlStore(database)
    index = PgvectorIndex(database, approximate_above=approximate_above)
    library = Library(store, Models(MODELS), [TextReader()], LibrarySettings(), index)
    await library.start()
    try:
        yield library, index, store
    finally:
        await library.stop()


async def best(library: Library, query: str, **more: object) -> list[str]:
    return [one.document for one in (await library.search("c", text=query, **more))[0]]  # type: ignore[arg-type]


async def indexes(store: SqlStore) -> list[str]:
    asked = text("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'ix_rag_pgvectors_c%\\_%'")
    found = await store.database.read(lambda connection: list(connection.scalars(asked)))
    return [str(one) for one in found if one != "ix_rag_pgvectors_collection"]


@pytest.mark.parametrize("approximate_above", [1000, 50])
async def test_pgvector_finds_what_is_visible(pg_place: Place, approximate_above: int) -> None:
    async with indexed(pg_place, approximate_above) as (library, index, store):
        assert await index.present()
        await fill(library, 100)
        assert await best(library, "topic7", top_k=1) == ["d7"]
        await index.built()
        assert len(await indexes(store)) == (approximate_above == 50)
        assert await best(library, "topic7", top_k=1) == ["d7"]
        await library.add_document("c", b"another matter", document_id="d7", replace=True)
        assert await best(library, "another matter", top_k=1) == ["d7"]
        await library.delete_document("c", "d8")
        everything = await best(library, "topic8", top_k=1000)
        assert len(everything) == 99
        assert "d8" not in everything
        assert len(await best(library, "topic8", top_k=1000, filter={"even": "True"})) == 49
        assert await best(library, "topic13", top_k=1, filter={"tenth": "3"}) == ["d13"]
        after = await library.reindex_collection("c", embedding_model="small")
        assert after.dimension == 32
        assert len(await best(library, "topic13", top_k=1000)) == 99
        await index.built()
        assert all(one.endswith("_32") for one in await indexes(store))
        await library.delete_collection("c", force=True)
        await store.sweep()
        assert await indexes(store) == []
        left = text("SELECT count(*) FROM rag_pgvectors")
        assert await store.database.read(lambda connection: connection.scalar(left)) == 0


async def test_the_index_is_chosen_by_what_the_database_has(pg_place: Place, postgres: Postgres) -> None:
    async def found(settings: LibrarySettings) -> list[str]:
        place = {"data_dir": pg_place.data_dir, "database_url": pg_place.database_url}
        library = library_of(settings, Models(MODELS), [TextReader()], **place)
        await library.start()
        try:
            return await best(library, "topic7", top_k=1)
        finally:
            await library.stop()

    async with indexed(pg_place, 1000) as (library, _, store):
        await fill(library, 20)
        for choice in ("auto", "memory", "pgvector"):
            assert await found(LibrarySettings(vectors=choice)) == ["d7"]
        await store.database.write(lambda connection: connection.execute(text("DROP TABLE rag_pgvectors")))
        assert await found(LibrarySettings()) == ["d7"]
        with pytest.raises(NoPgvector):
            await found(LibrarySettings(vectors="pgvector"))


def test_pgvector_needs_postgresql() -> None:
    with pytest.raises(InvalidSetting):
        library_of(LibrarySettings(vectors="pgvector"), Models(MODELS), data_dir="unused")


async def test_a_pgvector_without_iterative_scans_is_not_used(postgres: Postgres, tmp_path: Path) -> None:
    database = connect(str(tmp_path), postgres.fresh())
    with database.engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION vector"))
        with pytest.raises(DBAPIError, match="reserved prefix"), connection.begin_nested():
            connection.execute(text("SET LOCAL hnsw.of_another_version = 1"))  # so does 0.7 with iterative_scan
        connection.execute(text("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"))
    await database.open()
    try:
        assert not await PgvectorIndex(database, approximate_above=1000).present()
    finally:
        await database.close()
