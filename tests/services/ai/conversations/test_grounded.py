"""Conversations that are bound to collections: the model reads their passages, and citations are kept."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from artificer.conversation.v1 import conversation_service_pb2 as pb
from artificer.rag.v1 import rag_service_pb2 as rag
from tests.waiting import PATIENCE

from .conftest import Serve, Served, fields_of, refused

HARBOUR = b"# Harbour\n\nThe ferry to Juist leaves at nine in the morning.\n\nDogs travel for free."
ANSWER = "The ferry to Juist leaves at nine in the morning [1]. Bring a coat."


async def library(served: Served) -> None:
    """Make the collection `harbour` with one document."""
    await served.service.library.create_collection("harbour")
    await served.service.library.add_document(
        "harbour", HARBOUR, document_id="times", display_name="Times", content_type="text/markdown"
    )


async def test_an_answer_has_the_passages_first_and_keeps_its_citations(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, chat={"replies": (ANSWER,)}) as served:
        await library(served)
        id_ = await served.start(collections=["harbour"])
        events = await served.send(id_, "When does the ferry leave?", request_id="one")
        kinds = [event.WhichOneof("event") for event in events]
        assert kinds[:3] == ["sent", "started", "passages"]
        passage = events[2].passages.passages[0]
        assert (passage.collection, passage.document, passage.document_name) == ("harbour", "times", "Times")
        citations = [event.citation for event in events if event.HasField("citation")]
        finished = events[-1].finished
        assert citations
        assert list(finished.citations) == citations
        first = citations[0]
        assert (first.passage, first.document, first.origin) == (1, "times", rag.CITATION_ORIGIN_MODEL)
        text = HARBOUR.decode()
        assert text[first.span.start : first.span.end] == first.quote
        assert "nine" in finished.content[first.answer_start : first.answer_end]
        assert (await served.messages(id_))[1] == finished
        again = await served.send(id_, "When does the ferry leave?", request_id="one")
        assert [event.citation for event in again if event.HasField("citation")] == citations
        listed = (await served.http.get(f"/v1/conversations/{id_}/messages")).json()["messages"]
        assert listed[1]["citations"][0]["quote"] == first.quote


async def test_the_model_reads_the_conversation_beside_the_passages(
    place: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(place, chat={"replies": (ANSWER,)}) as served:
        await library(served)
        prompts: list[Any] = []
        stream = served.model.stream

        def recorded(chat: Any) -> Any:
            prompts.append(chat.messages)
            return stream(chat)

        monkeypatch.setattr(served.model, "stream", recorded)
        made = await served.stub.CreateProject(
            pb.CreateProjectRequest(project=pb.Project(instructions="Be kind.", collections=["harbour"]))
        )
        id_ = await served.start(project=made.id)  # bound by its project
        await served.send(id_, "When does the ferry leave?")
        await served.send(id_, "And dogs?")
        roles = [message.role for message in prompts[1]]
        assert roles == ["system", "user", "assistant", "user"]
        assert prompts[1][0].content.startswith("Be kind.")
        assert (prompts[1][1].content, prompts[1][2].content.startswith("The ferry")) == (
            "When does the ferry leave?",
            True,
        )
        assert "Dogs travel for free." in prompts[1][-1].content


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is not announced before its answer has begun, even if that takes long."""
    monkeypatch.setattr("artificer_services.ai.conversations.running.ANNOUNCE_SECONDS", PATIENCE)


@pytest.mark.usefixtures("patient")
async def test_a_collection_that_is_gone_refuses_the_message(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place) as served:
        await library(served)
        id_ = await served.start(collections=["harbour"])
        await served.service.library.delete_collection("harbour", force=True)
        error = await refused(served.stub.SendMessage(pb.SendMessageRequest(conversation=id_, content="Hello")).read())
        assert error.code() == grpc.StatusCode.NOT_FOUND
        assert "harbour" in (error.details() or "")
        assert await served.messages(id_) == []
        for name in ("harbour", "a\0b", "\u00fc" * 300, "../x"):
            error = await refused(served.start(collections=[name]))
            assert fields_of(error) == ["conversation.collections[0]"]
        error = await refused(
            served.stub.CreateProject(pb.CreateProjectRequest(project=pb.Project(collections=["none"])))
        )
        assert fields_of(error) == ["project.collections[0]"]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("content", "context_tokens"),
    [
        ("ferry " * 150, 300),  # leaves no room for a passage
        ("ferry " * 2000, 100_000),  # is longer than a search may be
    ],
)
async def test_a_question_that_is_too_long_for_passages_is_the_content_that_is_too_long(
    place: dict[str, Any], serve: Serve, content: str, context_tokens: int
) -> None:
    chat = {"replies": (ANSWER,), "context_tokens": context_tokens}
    async with serve(place, chat=chat, answer_tokens=50) as served:
        await library(served)
        id_ = await served.start(collections=["harbour"])
        error = await refused(served.send(id_, content))
        assert (error.code(), fields_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["content"]), error.details()
        assert await served.messages(id_) == []


async def test_a_long_grounded_conversation_leaves_room_for_the_passages(place: dict[str, Any], serve: Serve) -> None:
    chat = {"replies": (ANSWER,), "context_tokens": 1000}
    async with serve(place, chat=chat, answer_tokens=100) as served:
        await library(served)
        id_ = await served.start(collections=["harbour"])
        for number in range(14):
            events = await served.send(id_, f"When does the ferry leave, and do dogs pay, {number}?")
            assert events[2].passages.passages
        assert events[-1].finished.history_cut.dropped_messages > 0
        assert events[-1].finished.state == pb.MESSAGE_STATE_COMPLETE
