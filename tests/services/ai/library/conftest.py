"""Libraries over real SQLite and real PostgreSQL, with the scripted embedding models: shared words, similar vectors."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from artificer_services.ai.library.database import connect
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.library.sql_store import SqlStore
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.models.settings import ModelsSettings, ScriptedEmbeddingSettings
from artificer_services.ai.reading.text_reader import TextReader
from tests.services.postgres import Postgres

KINDS = ["sqlite", "postgres"]
MODELS = ModelsSettings(
    embedding_models={
        "words": ScriptedEmbeddingSettings(dimension=64),
        "small": ScriptedEmbeddingSettings(dimension=32),
        "twin": ScriptedEmbeddingSettings(dimension=64),
    }
)


@dataclass(frozen=True)
class Place:
    """Where a library's data is."""

    data_dir: str
    database_url: str = ""


def migrated(place: Place) -> None:
    """Make the tables of an empty database, and leave it."""
    opened = connect(place.data_dir, place.database_url)
    opened.prepare()
    opened.engine.dispose()


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database whose tables were made, for copies."""
    folder = tmp_path_factory.mktemp("migrated-rag") / "data"
    migrated(Place(str(folder)))
    return folder


@pytest.fixture(scope="session")
def migrated_url(postgres: Postgres) -> str:
    """A PostgreSQL database whose tables were made, for copies."""
    url = postgres.fresh()
    migrated(Place("unused", url))
    return url


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A database of each kind with empty tables."""
    data = tmp_path / "data"
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated_folder"), data)
        return Place(str(data))
    postgres: Postgres = request.getfixturevalue("postgres")
    return Place(str(data), postgres.fresh(like=request.getfixturevalue("migrated_url")))


@pytest.fixture(params=KINDS)
def bare_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The same without tables, as the first start of a service finds it."""
    url = request.getfixturevalue("postgres").fresh() if request.param == "postgres" else ""
    return Place(str(tmp_path / "data"), url)


Opened = Callable[..., AbstractAsyncContextManager[Library]]


@asynccontextmanager
async def opened(place: Place, **settings: Any) -> AsyncIterator[Library]:
    """A running library with a store of its own."""
    chosen = LibrarySettings(**settings)
    models = Models(MODELS)
    store = SqlStore(connect(place.data_dir, place.database_url, chosen), lease_seconds=chosen.lease_seconds)
    library = Library(store, models, [TextReader()], chosen)
    await models.start()
    await library.start()
    try:
        yield library
    finally:
        await library.stop()
        await models.stop()


@pytest.fixture
async def library(place: Place) -> AsyncIterator[Library]:
    """A running library with an empty database of each kind."""
    async with opened(place) as running:
        yield running


async def add(library: Library, collection: str, document_id: str, text: str, **more: Any) -> None:
    """Add a text as a document."""
    await library.add_document(collection, text.encode(), document_id=document_id, **more)
