"""Answers of models as events, as text and as a whole; from a chat, a collection and a conversation."""

from __future__ import annotations

from uuid import uuid4

import pytest

from artificer import Answer, Artificer, AsyncArtificer
from artificer.errors import InvalidArgumentError, NotFoundError
from artificer.types.completions import ChatCompletion

HANDBOOK = "# Safety\n\nThe assembly point is the car park behind building C.\n\n# Travel\n\nTrains are second class."
ASK = [{"role": "user", "content": "Say hello."}]


def test_a_chat(client: Artificer) -> None:
    stream = client.chat.stream(ASK, options={"max_tokens": 6})
    with stream:
        pieces = list(stream.text())
    assert len(pieces) > 1
    answer = stream.so_far
    assert answer.text == "".join(pieces)
    assert answer.usage
    assert answer.usage.completion_tokens
    assert answer.finish_reason in {"FINISH_REASON_STOP", "FINISH_REASON_LENGTH"}


def test_a_completion_is_whole_or_streamed(client: Artificer) -> None:
    whole = client.chat.completions.create(ASK, max_tokens=6)
    assert isinstance(whole, ChatCompletion)
    assert whole.text == whole.choices[0].message.content
    assert whole.choices[0].finish_reason in {"stop", "length"}
    asked = {"include_usage": True}
    with client.chat.completions.create(ASK, max_tokens=6, stream=True, stream_options=asked) as chunks:
        found = list(chunks)
    assert "".join(chunk.text for chunk in found)
    assert {chunk.id for chunk in found} == {found[0].id}
    assert found[-1].usage
    assert found[-1].choices == []
    with pytest.raises(InvalidArgumentError, match="unknown model 'absent'"):
        list(client.chat.completions.create(ASK, model="absent", stream=True))


def cited(answer: Answer) -> None:
    """The answer names the passage that supports it."""
    assert "car park" in answer.text
    assert answer.citations[0].document == "handbook"
    assert answer.passages[answer.citations[0].passage - 1].document == "handbook"
    assert answer.usage


def test_an_answer_from_a_collection(client: Artificer) -> None:
    name = f"rules-{uuid4().hex[:8]}"
    assert client.collections.create(name, display_name="Rules").display_name == "Rules"
    made = client.collections.documents.create(name, HANDBOOK.encode(), document_id="handbook", filename="handbook.md")
    assert made.display_name == "handbook.md"
    with client.collections.ask(name, "Where is the assembly point?", options={"max_tokens": 30}) as events:
        kinds = [event.which("event") for event in events]
        cited(events.so_far)
    assert kinds[0] == "passages"
    assert kinds[-1] == "end"
    assert client.collections.search(name, text="assembly point", top_k=1).matches
    client.collections.delete(name, force=True)
    with pytest.raises(NotFoundError):
        client.collections.get(name)


def test_assets_and_embeddings(client: Artificer) -> None:
    name = f"assets-{uuid4().hex[:8]}"
    client.collections.create(name)
    assert client.assets.process(name, HANDBOOK.encode(), document="rules", filename="rules.md").document == "rules"
    assert [one.id for one in client.collections.documents.list(name)] == ["rules"]
    assert next(iter(client.collections.documents.chunks.list(name, "rules"))).index == 0
    assert len(client.embeddings.get(["one", "two"]).embeddings) == 2
    assert len(client.embeddings.create(["one", "two"]).data) == 2
    with pytest.raises(InvalidArgumentError) as failed:
        client.assets.process(name)
    assert failed.value.field_violations


def test_a_conversation(client: Artificer) -> None:
    project = client.projects.create(display_name="Travels")
    conversation = client.conversations.create(project=project.id, display_name="Rome")
    answer = client.conversations.send(conversation.id, "Say hello.", options={"max_tokens": 6}).collect()
    assert answer.message
    assert answer.message.content == answer.text
    assert [one.role.name for one in client.conversations.messages.list(conversation.id)] == ["USER", "ASSISTANT"]
    changed = client.conversations.update(conversation.id, display_name="Roma")
    assert (changed.display_name, changed.project) == ("Roma", project.id)
    assert [one.id for one in client.conversations.list(project=project.id)] == [conversation.id]
    client.projects.delete(project.id, force=True)


async def test_asynchronously(async_client: AsyncArtificer) -> None:
    answer = await async_client.chat.stream(ASK, options={"max_tokens": 6}).collect()
    assert answer.text
    whole = await async_client.chat.completions.create(ASK, max_tokens=6)
    assert whole.text
    async with await async_client.chat.completions.create(ASK, max_tokens=6, stream=True) as chunks:
        assert "".join([chunk.text async for chunk in chunks])
    name = f"rules-{uuid4().hex[:8]}"
    await async_client.collections.create(name)
    await async_client.collections.documents.create(name, HANDBOOK.encode(), document_id="handbook", filename="a.md")
    cited(
        await async_client.collections.ask(name, "Where is the assembly point?", options={"max_tokens": 30}).collect()
    )
    assert [one.id async for one in async_client.collections.documents.list(name)] == ["handbook"]
