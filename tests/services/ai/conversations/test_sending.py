"""Messages that are sent and answered, over gRPC and REST, on both databases."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import pytest

from artificer.ai.v1 import chat_pb2
from artificer.conversation.v1 import conversation_service_pb2 as pb
from tests.waiting import until_here

from .conftest import Serve, Served, fields_of, refused
from .gates import Gate

STORY = " ".join(f"word{number}" for number in range(400))


def text_of(events: list[pb.AnswerEvent]) -> str:
    return "".join(event.text for event in events)


def kinds(events: list[pb.AnswerEvent]) -> list[str]:
    """The kinds of events, those that follow one another once."""
    found = [event.WhichOneof("event") or "" for event in events]
    return [kind for at, kind in enumerate(found) if not at or found[at - 1] != kind]


async def sse(served: Served, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a call over SSE, without its last event, `end` or `error`."""
    found, name = [], ""
    headers = {"accept": "text/event-stream"}
    async with served.http.stream("POST", path, json=body, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        async for line in response.aiter_lines():
            name = line.removeprefix("event: ") if line.startswith("event: ") else name
            if line.startswith("data: ") and name == "message":
                found.append(json.loads(line.removeprefix("data: ")))
    return found


async def test_both_sides_of_a_conversation_are_stored(served: Served) -> None:
    id_ = await served.start()
    events = await served.send(id_, "What is  the answer\nto everything?")
    assert kinds(events) == ["sent", "started", "text", "finished"]
    assert text_of(events) == "The answer is 42."
    sent, started, finished = events[0].sent, events[1].started, events[-1].finished
    assert (sent.role, sent.content) == (chat_pb2.CHAT_ROLE_USER, "What is  the answer\nto everything?")
    assert (started.state, started.content, started.id) == (pb.MESSAGE_STATE_RUNNING, "", finished.id)
    assert finished.state == pb.MESSAGE_STATE_COMPLETE
    assert finished.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert (finished.content, finished.model, finished.usage.completion_tokens) == ("The answer is 42.", "scripted", 4)
    assert not finished.HasField("history_cut")
    assert await served.messages(id_) == [sent, finished]
    found = await served.stub.GetConversation(pb.GetConversationRequest(conversation=id_))
    assert (found.message_count, found.answering) == (2, False)
    assert found.display_name == "What is the answer to everything?"


async def test_an_answer_streams_over_sse_too(served: Served) -> None:
    id_ = await served.start(display_name="Named")
    events = await sse(served, f"/v1/conversations/{id_}:send", {"content": "Hello"})
    assert [*events[0]] == ["sent"]
    assert [*events[1]] == ["started"]
    assert "".join(event.get("text", "") for event in events) == "The answer is 42."
    assert events[-1]["finished"]["state"] == "MESSAGE_STATE_COMPLETE"
    answer = await served.http.get(f"/v1/conversations/{id_}/messages/{events[-1]['finished']['id']}")
    assert answer.json()["content"] == "The answer is 42."
    listed = (await served.http.get(f"/v1/conversations/{id_}/messages?page_size=1")).json()
    assert [one["content"] for one in listed["messages"]] == ["Hello"]
    rest = (await served.http.get(f"/v1/conversations/{id_}/messages?pageToken={listed['nextPageToken']}")).json()
    assert [one["content"] for one in rest["messages"]] == ["The answer is 42."]
    assert rest["nextPageToken"] == ""
    assert (await served.http.get(f"/v1/conversations/{id_}")).json()["displayName"] == "Named"


async def test_a_repeated_message_is_answered_by_what_is_stored(served: Served) -> None:
    id_ = await served.start()
    first = await served.send(id_, "Hello", request_id="one")
    generated = served.model.generated
    again = await served.send(id_, "Hello", request_id="one")
    assert (served.model.generated, again[0], again[-1]) == (generated, first[0], first[-1])
    assert kinds(again) == ["sent", "started", "text", "finished"]
    assert again[1].started.state == pb.MESSAGE_STATE_RUNNING
    path, header = f"/v1/conversations/{id_}:send", {"idempotency-key": "one"}
    same = await served.http.post(path, json={"content": "Hello"}, headers=header)
    assert same.json()[-1]["finished"]["id"] == first[-1].finished.id
    other = await served.http.post(path, json={"content": "Other"}, headers=header)
    assert (other.status_code, other.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
    assert len(await served.messages(id_)) == 2


async def test_a_repeated_message_follows_an_answer_that_still_runs(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, chat={"replies": (STORY,)}, flush_seconds=0.05) as served:
        gate = served.model.gate = Gate(3)
        id_ = await served.start()
        first = asyncio.create_task(served.send(id_, "Hello", request_id="one"))
        await gate.held.wait()
        request = pb.SendMessageRequest(conversation=id_, content="Hello", request_id="one")
        following = served.stub.SendMessage(request)
        heard = ""
        async for event in following:
            heard += event.text
            if heard == "word0 word1 word2":
                gate.allow(1000)
            last = event
        assert heard == STORY
        assert (await first)[-1] == last
        assert (served.model.generated, len(await served.messages(id_))) == (400, 2)


async def test_of_two_messages_at_once_one_is_refused(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place) as served:
        gate = served.model.gate = Gate(1)
        id_ = await served.start()
        sends = [asyncio.create_task(served.send(id_, f"message {number}")) for number in range(5)]
        await gate.held.wait()
        await until_here(lambda: sum(one.done() for one in sends) == 4)
        assert (await served.stub.GetConversation(pb.GetConversationRequest(conversation=id_))).answering
        answer = await served.http.post(f"/v1/conversations/{id_}:regenerate", json={})
        assert (answer.status_code, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
        gate.allow(1000)
        done = await asyncio.gather(*sends, return_exceptions=True)
        errors = [one for one in done if isinstance(one, grpc.aio.AioRpcError)]
        assert [one.code() for one in errors] == [grpc.StatusCode.FAILED_PRECONDITION] * 4
        assert len(await served.messages(id_)) == 2


async def test_another_answer_replaces_the_last_one(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, chat={"replies": ("first", "second")}) as served:
        id_ = await served.start()
        await served.send(id_, "Hello")
        call = served.stub.RegenerateMessage(pb.RegenerateMessageRequest(conversation=id_))
        events = [event async for event in call]
        assert kinds(events) == ["started", "text", "finished"]
        assert [one.content for one in await served.messages(id_)] == ["Hello", "second"]
        again = await served.http.post(f"/v1/conversations/{id_}:regenerate", json={})
        assert again.json()[-1]["finished"]["content"] == "first"
        assert len(await served.messages(id_)) == 2
        empty = await served.start()
        error = await refused(served.stub.RegenerateMessage(pb.RegenerateMessageRequest(conversation=empty)).read())
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_model_that_breaks_off_leaves_what_it_had(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, chat={"replies": (STORY,), "fail_after": 3}) as served:
        id_ = await served.start()
        events: list[pb.AnswerEvent] = []

        async def read() -> None:
            async for event in served.stub.SendMessage(pb.SendMessageRequest(conversation=id_, content="Hello")):
                events.append(event)

        assert (await refused(read())).code() == grpc.StatusCode.INTERNAL
        finished = events[-1].finished
        assert (finished.state, finished.content) == (pb.MESSAGE_STATE_FAILED, "word0 word1 word2")
        assert (await served.messages(id_))[-1] == finished
        metrics = (await served.http.get("/metrics")).text
        assert 'artificer_conversation_answers_total{state="failed"} 1.0' in metrics
        assert "artificer_conversation_answers_running 0.0" in metrics


async def test_a_model_that_refuses_leaves_nothing(place: dict[str, Any], serve: Serve) -> None:
    chat = {"replies": (STORY,), "concurrency": 1, "queue": 0}
    async with serve(place, chat=chat) as served:
        gate = served.model.gate = Gate(1)
        busy, id_ = await served.start(), await served.start()
        first = asyncio.create_task(served.send(busy, "Hello"))
        await gate.held.wait()
        answer = await served.http.post(f"/v1/conversations/{id_}:send", json={"content": "Hello", "requestId": "a"})
        assert (answer.status_code, answer.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert int(answer.headers["retry-after"]) >= 1
        assert await served.messages(id_) == []
        found = await served.stub.GetConversation(pb.GetConversationRequest(conversation=id_))
        assert (found.message_count, found.display_name, found.answering) == (0, "", False)
        gate.allow(1000)
        await first
        assert len(await served.send(id_, "Hello", request_id="a")) >= 4


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, ["content"]),
        ({"content": " \n"}, ["content"]),
        ({"content": "a\0b"}, ["content"]),
        ({"content": "x" * (64 * 1024 + 1)}, ["content"]),
        ({"content": "a", "request_id": "x" * 257}, ["request_id"]),
        ({"content": "a", "request_id": "a\nb"}, ["request_id"]),
        ({"content": "a", "options": chat_pb2.ChatOptions(temperature=3)}, ["options.temperature"]),
        ({"content": "a", "options": chat_pb2.ChatOptions(max_tokens=0)}, ["options.max_tokens"]),
        ({"content": "a", "options": chat_pb2.ChatOptions(max_tokens=5000)}, ["options.max_tokens"]),
    ],
)
async def test_a_wrong_message_is_refused_by_its_field(
    served: Served, fields: dict[str, Any], wrong: list[str]
) -> None:
    id_ = await served.start()
    error = await refused(served.stub.SendMessage(pb.SendMessageRequest(conversation=id_, **fields)).read())
    assert (error.code(), fields_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, wrong)
    assert await served.messages(id_) == []


async def test_a_conversation_has_a_limited_number_of_messages(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, max_messages=3) as served:
        id_ = await served.start()
        await served.send(id_, "Hello")
        error = await refused(served.stub.SendMessage(pb.SendMessageRequest(conversation=id_, content="a")).read())
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
        again = await served.http.post(f"/v1/conversations/{id_}:regenerate", json={})  # adds none
        assert again.json()[-1]["finished"]["state"] == "MESSAGE_STATE_COMPLETE"


async def test_instructions_of_the_project_are_its_conversations_defaults(
    place: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(place) as served:
        prompts: list[list[tuple[str, str]]] = []
        stream = served.model.stream

        def seen(chat: Any) -> Any:
            prompts.append([(one.role, one.content) for one in chat.messages])
            return stream(chat)

        monkeypatch.setattr(served.model, "stream", seen)
        made = await served.stub.CreateProject(pb.CreateProjectRequest(project=pb.Project(instructions="Be kind.")))
        for own in ("", "Be brief."):
            id_ = await served.start(project=made.id, instructions=own)
            await served.send(id_, "One")
            await served.send(id_, "Two")
        answer = ("assistant", "The answer is 42.")
        assert prompts[1] == [("system", "Be kind."), ("user", "One"), answer, ("user", "Two")]
        assert prompts[3][0] == ("system", "Be brief.")
