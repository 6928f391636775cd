"""A database server that is away: calls fail at once, and everything goes on when it is back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from artificer_services.ai.library.build import SNAPSHOTS, library_of
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.settings import LibrarySettings
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.reading.text_reader import TextReader
from artificer_services.kit.errors import Unavailable
from tests.services.mortal import MortalPostgres
from tests.waiting import until_told

from .conftest import MODELS, add


async def answers(library: Library) -> bool:
    try:
        await library.ping()
    except Unavailable:
        return False
    return True


async def test_a_library_waits_for_its_database(database: MortalPostgres, tmp_path: Path) -> None:
    database.kill()
    folder = tmp_path / SNAPSHOTS
    folder.mkdir()
    (folder / "7.json").touch()  # of a collection that may be gone, which only the database can tell
    settings = LibrarySettings(breaker_seconds=0.05)
    library = library_of(settings, Models(MODELS), [TextReader()], data_dir=str(tmp_path), database_url=database.url)
    await library.start()
    try:
        with pytest.raises(Unavailable):
            await library.create_collection("c")
        database.start()
        assert await until_told(partial(answers, library))
        await library.create_collection("c")
        await add(library, "c", "first", "Some text.")
        database.kill()
        for call in (add(library, "c", "second", "More text."), library.search("c", text="text")):
            with pytest.raises(Unavailable):
                await call
        database.start()
        assert await until_told(partial(answers, library))
        await add(library, "c", "second", "More text.")
        passages, _ = await library.search("c", text="More text.")
        assert [one.document for one in passages] == ["second", "first"]
    finally:
        await library.stop()
