"""rag.index: documents of every kind become searchable, once, whatever happens to the worker."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artificer_services.ai.library.build import library_of
from artificer_services.ai.library.library import Library
from artificer_services.ai.library.values import Document, Query
from artificer_services.ai.models.catalog import Models
from artificer_services.ai.settings import AiSettings
from artificer_services.ai.tasks.index import IndexTask
from artificer_services.ai.tasks.settings import ai_settings
from artificer_services.ai_tasks import create_index
from artificer_services.batch.tasks.api import PhaseView
from artificer_services.kit.task_types import NotDone
from tests.services.batch.works import ItemWork, phase
from tests.services.convert import samples as documents
from tests.services.ocr import samples as pages

SHIP, FOG = "The ship entered the harbour at noon.", "A bell is rung twice in fog."


class Shelf:
    """A database of its own, with a collection, the task that fills it, and a look at what it holds."""

    def __init__(self, folder: Path) -> None:
        self.tasks: dict[str, Any] = {
            "ai": {"data_dir": str(folder), "embedding_models": {"words": {"kind": "scripted"}}},
            "rag.index": {"retry_first_seconds": 0.001, "retries": 1},
        }
        self.look(lambda library: library.create_collection("handbook"))
        self.task = create_index(self.tasks)

    def look(self, ask: Any) -> Any:
        """Returns what `ask` awaits of a library that is opened for it, as another process would."""

        async def work() -> Any:
            settings: AiSettings = ai_settings(self.tasks)
            library = library_of(settings.library, Models(settings), data_dir=settings.data_dir)
            await library.start()
            try:
                return await ask(library)
            finally:
                await library.stop()

        return asyncio.run(work())

    @property
    def documents(self) -> list[Document]:
        """The documents of the collection."""

        async def ask(library: Library) -> list[Document]:
            return (await library.documents("handbook"))[0]

        found: list[Document] = self.look(ask)
        return found

    def best(self, text: str) -> str:
        """Returns the text of the passage that matches best."""

        async def ask(library: Library) -> str:
            return (await library.retrieve(["handbook"], Query(text=text)))[0].chunk.text

        found: str = self.look(ask)
        return found


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path / "data")
    yield made
    made.task.close()


def work_of(data: bytes | str, kind: str = "text/plain", **fields: Any) -> ItemWork:
    data = data.encode() if isinstance(data, str) else data
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    parameters = {"collection": "handbook", **fields.pop("parameters", {})}
    return ItemWork(input=uri, phase=phase("rag.index", **parameters), **fields)


def run(task: IndexTask, work: ItemWork) -> dict[str, Any]:
    assert task.check(work.phase) == []
    made: dict[str, Any] = json.loads(task.run(work))
    return made


def test_a_document_can_be_found_by_its_words(shelf: Shelf) -> None:
    made = run(shelf.task, work_of(SHIP, metadata={"name": "ship.txt", "year": "1901"}))
    [document] = shelf.documents
    assert made == {"document": document.id, "chunks": 1, "pages": document.page_count}
    assert (document.display_name, dict(document.metadata)) == ("ship.txt", {"year": "1901"})
    assert shelf.best("ship") == SHIP


def test_every_kind_of_file_is_read(shelf: Shelf) -> None:
    files = {
        "scan.png": pages.picture("The harbour is closed in fog.", form="PNG"),
        "text.pdf": pages.text_pdf("Born-digital words about harbours and fog, enough of them to be a page of text."),
        "letter.docx": documents.docx(documents.paragraph("A letter about bells.")),
        "page.html": b"<!doctype html><html><body><h1>Bells</h1><p>A bell is rung twice.</p></body></html>",
    }
    for number, (name, data) in enumerate(files.items()):
        kind = "application/octet-stream"
        made = run(shelf.task, work_of(data, kind, metadata={"name": name}, effect_key=f"job/{number}/index"))
        assert made["chunks"] >= 1, name
    assert sorted(document.display_name for document in shelf.documents) == sorted(files)


def test_an_item_that_runs_again_finds_its_document(shelf: Shelf) -> None:
    """As after the death of a worker that had stored the document, and not yet the output."""
    first = run(shelf.task, work_of(SHIP))
    created = shelf.documents[0].created
    again = create_index(shelf.tasks)
    assert run(again, work_of(SHIP, attempt=2)) == first
    again.close()
    assert [document.created for document in shelf.documents] == [created]
    assert run(shelf.task, work_of(SHIP, effect_key="job/1/index"))["document"] != first["document"]
    assert len(shelf.documents) == 2


def test_a_phase_names_documents_by_templates_and_replaces_them(shelf: Shelf) -> None:
    names = {"document": "doc-{{metadata.number}}", "display_name": "No. {{metadata.number}}"}
    run(shelf.task, work_of(SHIP, metadata={"number": "7"}, parameters=names))
    run(shelf.task, work_of(FOG, metadata={"number": "7"}, parameters=names, effect_key="job/1/index"))
    [document] = shelf.documents
    assert (document.id, document.display_name) == ("doc-7", "No. 7")
    assert shelf.best("bell") == FOG


def test_the_metadata_of_an_item_name_the_document_and_become_its_own(shelf: Shelf) -> None:
    """As ProcessAsset makes items of large assets."""
    given = {"document": "ship", "display_name": "The ship", "name": "ship.txt", "metadata.name": "x", "year": "1901"}
    run(shelf.task, work_of(SHIP, "application/octet-stream", metadata=given))
    [document] = shelf.documents
    assert (document.id, document.display_name) == ("ship", "The ship")
    assert dict(document.metadata) == {"name": "x", "year": "1901"}


def test_a_document_that_is_there_is_refused_without_replace(shelf: Shelf) -> None:
    kept = {"document": "ship", "replace": "false"}
    first = work_of(SHIP, metadata={"name": "ship.txt"}, parameters=kept)
    made = run(shelf.task, first)
    assert run(shelf.task, first) == made  # the same item, in its next attempt
    other = work_of(FOG, metadata={"name": "fog.txt"}, parameters=kept, effect_key="job/1/index")
    with pytest.raises(NotDone, match="there is a document 'ship'") as error:
        run(shelf.task, other)
    assert error.value.final
    assert shelf.best("ship") == SHIP


def test_the_text_of_an_earlier_phase_is_indexed(shelf: Shelf) -> None:
    work = ItemWork(
        input="whatever",
        outputs={"read": FOG},
        phase=phase("rag.index", before=("read",), collection="handbook", text="{{outputs.read}}"),
    )
    run(shelf.task, work)
    assert shelf.best("fog") == FOG


@pytest.mark.parametrize(
    ("data", "parameters", "reason"),
    [
        (SHIP, {"collection": "missing"}, "missing"),
        ("", {}, "empty"),
        (b"\x00\x01\x02\x03" * 50, {}, "unknown type"),
        (SHIP, {"document": "a/b"}, "document_id"),
        (b"%PDF-1.7\nnot really", {}, "PDF"),
    ],
)
def test_what_can_never_be_indexed_fails_at_once(
    shelf: Shelf, data: bytes | str, parameters: dict[str, str], reason: str
) -> None:
    work = work_of(data, "application/octet-stream", parameters=parameters)
    with pytest.raises(NotDone) as error:
        run(shelf.task, work)
    assert error.value.final
    assert reason in error.value.message
    assert work.lines == []
    assert shelf.documents == []


def test_a_cancelled_job_indexes_nothing(shelf: Shelf) -> None:
    work = work_of("word " * 2_000_000)
    timer = threading.Timer(0.1, work.cancelled.set)
    timer.start()
    with pytest.raises(NotDone, match="cancelled"):
        run(shelf.task, work)
    timer.join()
    assert shelf.documents == []


CHECKED: list[tuple[PhaseView, str, str]] = [
    (phase("rag.index"), "parameters.collection", "is required"),
    (phase("rag.index", collection="a,b"), "parameters.collection", "one collection"),
    (phase("rag.index", collection="a", replace="maybe"), "parameters.replace", "true or false"),
    (phase("rag.index", collection="a", document="{{secret}}"), "parameters.document", "unknown name"),
    (phase("rag.index", collection="a", model="x"), "model", "has no models"),
    (phase("rag.index", collection="a", chunk="9"), "parameters.chunk", "has no such parameter"),
]


@pytest.mark.parametrize(("view", "field", "reason"), CHECKED)
def test_an_invalid_phase_is_refused_at_creation(view: PhaseView, field: str, reason: str) -> None:
    [(found, text)] = create_index({}).check(view)
    assert found == field
    assert reason in text
