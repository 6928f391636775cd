"""Ask: the passages, the answer with its citations, and its end, over both faces."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import grpc
import pytest
from google.api import httpbody_pb2

from artificer.ai.v1 import chat_pb2
from artificer.rag.v1 import rag_service_pb2 as pb
from artificer_services.ai.grounding.answers import NOTHING_FOUND, Answers
from artificer_services.ai.grounding.values import Citation, Ended
from artificer_services.ai.library.values import Query
from artificer_services.ai.models.errors import PromptTooLong
from artificer_services.ai.models.scripted import ScriptedChat
from artificer_services.ai.models.values import Options
from artificer_services.ai.reading.values import AssetKind, Page, Reading
from tests.services.ai.conversations.gates import Gate
from tests.services.ai.rag.conftest import HOTEL, Doors, settings
from tests.services.ai.serving import serve
from tests.services.mortal import MortalPostgres
from tests.waiting import PATIENCE


async def events(doors: Doors, **asked: Any) -> list[pb.AskResponse]:
    return [one async for one in doors.rag.Ask(pb.AskRequest(collection="rules", **asked))]


async def test_an_answer_over_grpc(filled: Doors) -> None:
    first, *texts, end = await events(filled, question="How much may a hotel cost?")
    assert [one.document for one in first.passages.passages] == ["travel", "leave"]
    assert "".join(one.text for one in texts) == "A hotel may cost 120 euros a night [1][7]."
    (citation,) = [one.citation for one in texts if one.HasField("citation")]
    assert (citation.passage, citation.document, citation.collection) == (1, "travel", "rules")
    assert (
        citation.quote == HOTEL[citation.span.start : citation.span.end] == "Hotels may cost at most 120 euros a night."
    )
    assert (citation.answer_start, citation.answer_end) == (0, 42)
    assert citation.origin == pb.CITATION_ORIGIN_MODEL
    assert end.end.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert end.end.model == "hotel"
    assert end.end.usage.completion_tokens > 0


async def test_an_answer_without_marks_is_cited_by_its_words(filled: Doors) -> None:
    found = await events(filled, question="How many days of leave do I have?", model="leave")
    (citation,) = [one.citation for one in found if one.HasField("citation")]
    assert (citation.document, citation.quote) == ("leave", "Every employee has 30 days of leave.")
    assert citation.origin == pb.CITATION_ORIGIN_SERVER


async def test_a_model_that_repeats_itself_is_stopped(filled: Doors) -> None:
    *found, end = await events(filled, question="How much may a hotel cost?", model="turning")
    assert "".join(one.text for one in found).count("A hotel may cost 120 euros.") == 2
    assert end.end.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert end.end.usage.prompt_tokens > 0
    assert 0 < end.end.usage.completion_tokens < 40


async def test_an_answer_over_server_sent_events(filled: Doors) -> None:
    asked = {"question": "How much may a hotel cost?", "top_k": 1}
    async with filled.faces.http.stream(
        "POST", "/v1/collections/rules:ask", json=asked, headers={"accept": "text/event-stream"}
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [json.loads(line[6:]) async for line in answer.aiter_lines() if line.startswith('data: {"')]
    assert [next(iter(one)) for one in lines[:2]] == ["passages", "text"]
    assert len([one for one in lines if "text" in one]) > 1  # word by word
    assert [one["citation"]["document"] for one in lines if "citation" in one] == ["travel"]
    assert "end" in lines[-1]


async def test_without_passages_no_model_is_asked(filled: Doors) -> None:
    first, text, end = await events(filled, question="hotel", model="breaking", filter={"kind": "none"})
    assert not first.passages.passages
    assert text.text == NOTHING_FOUND
    assert end.end.usage.completion_tokens == 0


async def test_an_answer_that_breaks_off_ends_with_the_error(filled: Doors) -> None:
    found: list[pb.AskResponse] = []

    async def read() -> None:
        async for one in filled.rag.Ask(pb.AskRequest(collection="rules", question="hotel", model="breaking")):
            found.append(one)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await read()
    assert error.value.code() is grpc.StatusCode.INTERNAL
    assert "".join(one.text for one in found) == "one two"


async def test_passages_that_do_not_fit_are_left_out_from_the_worst_on(filled: Doors) -> None:
    for number in range(6):
        text = f"Rule {number} on hotels. " + "It is long and tells much of hotels and of rules. " * 6
        await filled.post(f"/v1/collections/rules/documents?document_id=long{number}", content=text.encode())
    options = chat_pb2.ChatOptions(max_tokens=20)
    found = await events(filled, question="hotel rules", model="echo", top_k=8, options=options)
    count = len(found[0].passages.passages)
    assert 1 <= count < 8
    assert found[-1].end.finish_reason == chat_pb2.FINISH_REASON_LENGTH


async def test_a_passage_that_does_not_fit_alone_is_shortened(place: dict[str, Any]) -> None:
    async with serve(settings(place)) as faces:
        library, answers = faces.service.library, Answers(faces.service.library, faces.service.models)
        await library.create_collection("rules", chunk_tokens=2048)
        text = "The first sentence is about hotels. " + "More words follow here. " * 100
        await library.add_document("rules", text.encode(), document_id="long")
        options = Options(max_tokens=20)
        batches = [
            one
            async for batch in answers.answer(["rules"], Query(text="hotels"), model="echo", options=options)
            for one in batch
        ]
        (passage,) = batches[0].passages  # type: ignore[union-attr]  # the first is Retrieved
        assert text.startswith(passage.chunk.text)
        assert len(passage.chunk.text) < len(text.strip())
        assert passage.chunk.span.end == len(passage.chunk.text)
        with pytest.raises(PromptTooLong) as error:
            async for _ in answers.answer(["rules"], Query(text="hotels " * 400), model="echo", options=options):
                pass
        assert error.value.faults[0].field == "question"


class Pages:
    """A reader of a document with two pages."""

    kinds = frozenset({AssetKind.PDF})

    async def read(self, data: bytes, content_type: str, filename: str) -> Reading:
        pages = (Page(1, "Trains are booked in second class."), Page(2, HOTEL.partition(". ")[0] + "."))
        return Reading(kind=AssetKind.PDF, content_type="application/pdf", pages=pages)


async def test_an_answer_that_has_begun_needs_no_store(database: MortalPostgres, tmp_path: Path) -> None:
    chosen = settings({"data_dir": str(tmp_path), "database_url": database.url})
    async with serve(chosen, readers=[Pages()]) as faces:
        await faces.service.library.create_collection("rules")
        await faces.service.library.add_document("rules", b"%PDF-1.7", document_id="travel")
        model = faces.service.models.chat_model("hotel")
        assert isinstance(model, ScriptedChat)
        model.gate = gate = Gate(2)
        answer = faces.service.answers.answer(["rules"], Query(text="How much may a hotel cost?"))
        found = [*await anext(answer)]
        await asyncio.to_thread(database.kill)
        gate.allow(100)
        found += [one async for batch in answer for one in batch]
        await asyncio.to_thread(database.start)
    (citation,) = [one for one in found if isinstance(one, Citation)]
    assert (citation.quote, citation.span.page, citation.span.last_page) == (
        "Hotels may cost at most 120 euros a night.",
        1,
        2,
    )
    assert isinstance(found[-1], Ended)


async def test_a_citation_names_the_page_within_a_chunk_of_several(place: dict[str, Any]) -> None:
    async with serve(settings(place), readers=[Pages()]) as faces:
        library = faces.service.library
        await library.create_collection("rules")
        await library.add_document("rules", b"%PDF-1.7", document_id="travel")
        answer = faces.service.answers.answer(["rules"], Query(text="How much may a hotel cost?"))
        found = [one async for batch in answer for one in batch]
    (citation,) = [one for one in found if isinstance(one, Citation)]
    assert (citation.quote, citation.span.page, citation.span.last_page) == (
        "Hotels may cost at most 120 euros a night.",
        2,
        2,
    )


class Watched(Gate):
    """A gate that tells when the answer that waits at it is given up."""

    def __init__(self, words: int) -> None:
        super().__init__(words)
        self.left = asyncio.Event()

    async def wait(self) -> Literal[True]:
        try:
            return await super().wait()
        except asyncio.CancelledError:
            self.left.set()
            raise


async def test_a_caller_that_leaves_stops_the_model(filled: Doors) -> None:
    model = filled.faces.service.models.chat_model("hotel")
    assert isinstance(model, ScriptedChat)
    model.gate = gate = Watched(2)
    call = filled.rag.Ask(pb.AskRequest(collection="rules", question="hotel"))
    seen = ""
    async for one in call:
        seen += one.text
        if seen == "A hotel":
            break
    await asyncio.wait_for(gate.held.wait(), PATIENCE)
    call.cancel()
    await asyncio.wait_for(gate.left.wait(), PATIENCE)
    model.gate = None
    assert (await events(filled, question="hotel"))[-1].HasField("end")  # its place at the model is free


async def test_a_document_in_the_first_message_only_counts(doors: Doors) -> None:
    await doors.post("/v1/collections?collection_id=rules", {})
    pieces = [
        pb.CreateDocumentRequest(collection="rules", document_id="a", content=httpbody_pb2.HttpBody(data=b"Hotels ")),
        pb.CreateDocumentRequest(collection="other", document_id="b", content=httpbody_pb2.HttpBody(data=b"are nice.")),
    ]
    made = await doors.rag.CreateDocument(iter(pieces))
    assert (made.id, made.collection, made.character_count) == ("a", "rules", 16)
