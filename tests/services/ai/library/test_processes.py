"""Several processes on one database: others find what one commits, and a kill while indexing loses nothing."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update

from artificer_services.ai.library import schema
from artificer_services.ai.library.database import connect
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.sql_store import SqlStore
from artificer_services.ai.library.values import Mode, Query

from .conftest import Place, add, opened

ROOT = Path(__file__).parents[4]
WORDS = [f"word{number}" for number in range(500)]

# Writes documents, replaces some and deletes some, for as long as it lives; says what is committed.
_WRITE = """
import asyncio, random, sys
from tests.services.ai.library.conftest import Place, opened
from tests.services.ai.library.test_processes import text_of

async def main(data_dir, url, name, seed):
    chance = random.Random(seed)
    async with opened(Place(data_dir, url), embed_batch=4) as library:
        for number in range(10_000):
            id_, turn = f"{name}-{number % 7}", number // 7
            text = text_of(id_, turn, chance.randrange(1, 40))
            print("begin", id_, turn, flush=True)
            await library.add_document("c", text.encode(), document_id=id_, replace=True, metadata={"turn": str(turn)})
            print("done", id_, turn, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def text_of(id_: str, turn: int, sentences: int) -> str:
    """A text whose every sentence, and so every chunk, names its document and turn."""
    return " ".join(f"This is {id_.replace('-', 'x')} in turn{turn} at {place}." for place in range(sentences))


@asynccontextmanager
async def writer(place: Place, name: str, seed: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WRITE, place.data_dir, place.database_url, name, str(seed)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said_until_killed(place: Place, name: str, seed: int) -> list[tuple[str, str, int]]:
    """Let a writer run, kill it at a random moment, and return what it said."""
    chance = random.Random(seed)
    said: list[tuple[str, str, int]] = []
    async with writer(place, name, seed) as process:
        assert process.stdout is not None
        lines = chance.randrange(3, 40)
        for _ in range(lines):
            word, id_, turn = (await process.stdout.readline()).decode().split()
            said.append((word, id_, int(turn)))
        # Some thousand steps of the event loop are a few milliseconds: a moment within a document.
        for _ in range(chance.randrange(2000)):
            await asyncio.sleep(0)
        process.kill()
        for line in (await process.stdout.read()).decode().splitlines():
            parts = line.split()
            if len(parts) == 3:
                said.append((parts[0], parts[1], int(parts[2])))
    return said


@pytest.mark.parametrize("seed", range(4))
async def test_a_kill_loses_nothing_committed_and_leaves_no_half_document(place: Place, seed: int) -> None:
    async with opened(place) as library:
        await library.create_collection("c", chunk_tokens=32, chunk_overlap=0)
        await add(library, "c", "old", text_of("old", 0, 30))
        ended = await asyncio.gather(*(said_until_killed(place, name, seed * 10 + at) for at, name in enumerate("ab")))
        said = [one for some in ended for one in some]
        committed = {id_: turn for word, id_, turn in said if word == "done"}
        begun = {id_: turn for word, id_, turn in said if word == "begin"}
        documents, _ = await library.documents("c", 1000)
        turns = {one.id: int(one.metadata["turn"]) for one in documents if one.id != "old"}
        for id_, turn in committed.items():
            assert turn <= turns[id_] <= begun[id_]
        assert turns.keys() <= begun.keys()
        total = 0
        for document in documents:
            turn = int(document.metadata.get("turn", "0"))
            chunks, _ = await library.chunks("c", document.id, 1000)
            total += len(chunks)
            whole = " ".join(chunk.text for chunk in chunks)
            assert len(chunks) == document.chunk_count
            assert whole == text_of(document.id, turn, whole.count("This is"))
            assert len(whole) == document.character_count
            found, _ = await library.search("c", text=whole, top_k=1000)
            mine = [one for one in found if one.document == document.id]
            assert sorted(one.chunk.index for one in mine) == list(range(len(chunks)))
            query = Query(text=document.id.replace("-", "x"), mode=Mode.WORDS, top_k=100)
            assert {one.document for one in await library.retrieve(["c"], query)} == {document.id}
        collection = await library.collection("c")
        assert (collection.document_count, collection.chunk_count) == (len(documents), total)
        assert len((await library.search("c", text="This is", top_k=1000))[0]) == total
        await _expire(place)
        store = SqlStore(connect(place.data_dir, place.database_url))
        await store.sweep()
        assert await _numbers(store, schema.chunks.c.number) == total
        assert await _numbers(store, schema.vectors.c.number) == total
        assert await _numbers(store, schema.texts.c.version) == len(documents)
        await store.close()


async def _expire(place: Place) -> None:
    """End every lease, as time would."""
    store = SqlStore(connect(place.data_dir, place.database_url))
    await store.open()
    await store.database.write(lambda c: c.execute(update(schema.versions).values(until=0)))
    await store.close()


async def _numbers(store: SqlStore, column: object) -> int:
    await store.open()
    return await store.database.read(lambda c: len(c.execute(select(column)).all()))  # type: ignore[call-overload]


async def found(library: Library, text: str) -> list[str]:
    passages, _ = await library.search("c", text=text, top_k=100)
    return [one.document for one in passages]


async def test_the_next_search_finds_what_another_process_has_committed(place: Place) -> None:
    async with opened(place) as one, opened(place) as other:
        await one.create_collection("c")
        await add(one, "c", "first", "The first text.")
        assert await found(other, "The first text.") == ["first"]
        await add(one, "c", "second", "A second text.")
        assert await found(other, "A second text.") == ["second", "first"]
        await add(one, "c", "first", "Another first text.", replace=True)
        assert await found(other, "Another first text.") == ["first", "second"]
        await one.delete_document("c", "second")
        assert await found(other, "A second text.") == ["first"]
        await one.reindex_collection("c", embedding_model="small")
        assert await found(other, "text") == ["first"]
        await one.delete_collection("c", force=True)
        await one.create_collection("c")
        assert await found(other, "text") == []
