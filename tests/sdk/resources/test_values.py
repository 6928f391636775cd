"""What callers see besides calls: errors, enums, oneofs, pages and messages of channels."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import pytest

from artificer import APIError, Artificer, ArtificerError, AsyncArtificer
from artificer._sync.pages import Pager
from artificer.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    InvalidRequestError,
    NotFoundError,
    UnknownError,
    error_type,
)
from artificer.types.batch import JobStatus, Phase
from artificer.types.rag import AskResponse


def test_an_error_says_all_that_is_known(client: Artificer) -> None:
    with pytest.raises(InvalidArgumentError) as failed:
        client.batch.create("", [])
    error = failed.value
    assert [one.field for one in error.field_violations] == ["name", "phases"]
    assert str(error) == f"INVALID_ARGUMENT: {error.message} [request {error.request_id}]"
    assert error.request_id
    with pytest.raises(NotFoundError) as missing:
        client.batch.get("absent")
    assert missing.value.code == "NOT_FOUND"
    assert isinstance(missing.value, APIError)
    assert isinstance(missing.value, ArtificerError)


def test_a_wrong_argument_is_not_sent(client: Artificer) -> None:
    with pytest.raises(InvalidRequestError) as failed:
        client.batch.create("job", [{"task_type": 4, "nme": "x"}])
    assert {one.field for one in failed.value.field_violations} == {"phases[0].task_type", "phases[0].nme"}
    with pytest.raises(TypeError, match="not int"):
        client.documents.process(3)  # type: ignore[arg-type]


def test_pages_are_fetched_as_they_are_read(client: Artificer) -> None:
    made = [client.projects.create(display_name=f"Project {number}").id for number in range(5)]
    client.collections.create(f"c-{made[0]}")
    with pytest.raises(AlreadyExistsError):
        client.collections.create(f"c-{made[0]}")
    pager = client.projects.list(page_size=2)
    assert [one.id for one in pager][:5] == made[::-1]
    assert [one.id for one in pager.to_list(3)] == made[:1:-1]
    first, token = pager.page()
    assert [one.id for one in first] == made[:2:-1]
    assert [one.id for one in pager.page(token)[0]] == made[2:0:-1]


def test_a_page_that_names_itself_ends_the_list() -> None:
    pager = Pager[int](lambda token: SimpleNamespace(jobs=[1], next_page_token="again"), "jobs")
    read = iter(pager)
    assert [next(read), next(read)] == [1, 1]
    with pytest.raises(UnknownError, match="the same page"):
        next(read)


def test_enums_and_oneofs() -> None:
    assert JobStatus("running") is JobStatus.RUNNING
    assert str(JobStatus.RUNNING) == "JOB_STATUS_RUNNING"
    unknown = JobStatus("JOB_STATUS_LATER")
    assert not unknown.known
    with pytest.raises(ValueError, match="'JOB_STATUS_LATER' is no JobStatus: expected one of pending"):
        unknown.number  # noqa: B018
    assert AskResponse(text="").which("event") == "text"
    assert AskResponse().which("event") is None
    assert Phase.model_validate({"taskType": "embed", "later": 1}).task_type == "embed"
    assert error_type("LATER") is error_type("UNKNOWN")


def test_messages_of_a_channel(client: Artificer) -> None:
    channel = f"town-{uuid4().hex[:8]}"
    user = {"id": "ann", "display_name": "Ann"}
    sent = client.channels.messages.send(channel, [{"user": user, "content": text} for text in ("one", "two")])
    assert sent.stored_count == 2
    assert [one.content for one in client.channels.messages.list(channel)] == ["one", "two"]
    with client.channels.messages.stream(channel, history_size=1) as live:
        assert next(live).content == "two"
    with client.channels.messages.chat(channel) as chat:
        chat.send({"user": user, "content": "three"})
        assert [next(chat).which("event") for _ in range(2)] == ["joined", "message"]


async def test_messages_asynchronously(async_client: AsyncArtificer) -> None:
    channel = f"town-{uuid4().hex[:8]}"
    async with async_client.channels.messages.chat(channel) as chat:
        await chat.send({"user": {"id": "ann", "display_name": "Ann"}, "content": "hello"})
        async with asyncio.timeout(60):
            assert [(await anext(chat)).which("event") for _ in range(2)] == ["joined", "message"]
    assert [one.content async for one in async_client.channels.messages.list(channel)] == ["hello"]
