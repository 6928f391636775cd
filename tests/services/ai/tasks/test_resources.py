"""What a task works with is opened once, and closed if one part of it cannot be opened."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from artificer_services.ai.reading.text_reader import TextReader
from artificer_services.ai.reading.values import Reader
from artificer_services.ai.tasks.resources import Resources
from artificer_services.ai.tasks.settings import ai_settings


class Readers:
    """Readers that are counted while they are open."""

    def __init__(self) -> None:
        self.open = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Sequence[Reader]]:
        self.open += 1
        try:
            yield (TextReader(),)
        finally:
            self.open -= 1


def resources_in(folder: Path, readers: Readers) -> Resources:
    tables = {"data_dir": str(folder), "embedding_models": {"words": {"kind": "scripted"}}}
    return Resources(ai_settings({"ai": tables}), readers.opened)


async def use(resources: Resources) -> None:
    await resources.library()


def test_readers_are_opened_once_and_closed_at_the_end(tmp_path: Path) -> None:
    readers = Readers()
    resources = resources_in(tmp_path, readers)
    for _ in range(2):
        resources.run(use(resources), threading.Event())
        assert readers.open == 1
    resources.close()
    assert readers.open == 0


def test_readers_are_closed_if_the_collections_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    readers = Readers()
    resources = resources_in(tmp_path / "file", readers)
    for _ in range(2):
        with pytest.raises(Exception, match="file"):
            resources.run(use(resources), threading.Event())
        assert readers.open == 0
    resources.close()
