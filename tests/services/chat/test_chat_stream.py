"""ChatStream through gRPC: people in a channel see each other, and a mistake ends no conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2

from artificer.chat.v1 import message_service_pb2 as pb
from tests.waiting import until_here

from .conftest import Serve, Served, send


class Person:
    """Somebody in a channel."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def say(self, content: str = "", **fields: Any) -> None:
        await self.call.write(pb.ChatStreamRequest(content=content, **fields))

    async def hear(self) -> pb.ChatStreamResponse:
        async with asyncio.timeout(60):
            event = await self.call.read()
        assert event is not grpc.aio.EOF
        found: pb.ChatStreamResponse = event
        return found

    async def hears(self, count: int = 1) -> list[str]:
        """The next messages, as `user: content`."""
        events = [await self.hear() for _ in range(count)]
        assert {event.WhichOneof("event") for event in events} == {"message"}
        return [f"{event.message.user.id}: {event.message.content}" for event in events]

    async def leave(self) -> list[pb.ChatStreamResponse]:
        """End one's side; everything that still comes."""
        await self.call.done_writing()
        rest = await self.rest()
        assert await self.call.code() is grpc.StatusCode.OK
        return rest

    async def rest(self) -> list[pb.ChatStreamResponse]:
        """Everything until the call ends."""
        found = []
        async with asyncio.timeout(60):
            while (event := await self.call.read()) is not grpc.aio.EOF:
                found.append(event)
        return found


@asynccontextmanager
async def joined(served: Served, name: str, channel: str = "town", **fields: Any) -> AsyncIterator[Person]:
    """A person who is in the channel."""
    call = served.stub.ChatStream()
    person = Person(call)
    await person.say(channel=channel, user=pb.User(id=name), **fields)
    assert (await person.hear()).joined.channel == channel
    yield person
    call.cancel()


async def test_everyone_receives_all_messages_including_their_own(served: Served) -> None:
    async with joined(served, "ann") as ann, joined(served, "bob") as bob, joined(served, "eve", "village") as eve:
        await ann.say("hello")
        assert [await ann.hears(), await bob.hears()] == [["ann: hello"]] * 2
        await bob.say("hi")
        await eve.say("nobody here?")
        assert [await ann.hears(), await bob.hears()] == [["bob: hi"]] * 2
        assert await eve.hears() == ["eve: nobody here?"]


async def test_the_echo_acknowledges_what_is_stored(served: Served) -> None:
    async with joined(served, "ann") as ann:
        await ann.say("hello", request_id="r1", files=[pb.File(name="f", data=b"1")])
        echo = (await ann.hear()).message
    assert (echo.request_id, echo.content, echo.file_count, list(echo.files)) == ("r1", "hello", 1, [])
    stored = await served.stub.GetMessage(pb.GetMessageRequest(channel="town", id=echo.id, include_user=True))
    assert stored == echo


async def test_the_first_message_may_have_content(served: Served) -> None:
    async with joined(served, "ann", content="here I am") as ann:
        assert await ann.hears() == ["ann: here I am"]


async def test_messages_sent_by_other_methods_arrive_too(served: Served) -> None:
    async with joined(served, "ann") as ann:
        await send(served.stub, "town", "by SendMessages", user="bob")
        assert await ann.hears() == ["bob: by SendMessages"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"history_size": 2}, ["2", "3"]),
        ({"history_size": 100}, ["1", "2", "3"]),
        ({"after": "000000000000001"}, ["2", "3"]),
    ],
)
async def test_joining_returns_the_requested_history(
    served: Served, fields: dict[str, Any], expected: list[str]
) -> None:
    await send(served.stub, "town", "1", "2", "3", user="bob")
    async with joined(served, "ann", **fields) as ann:
        await ann.say("now")
        assert await ann.hears(len(expected) + 1) == [*(f"bob: {text}" for text in expected), "ann: now"]


async def test_joined_has_the_last_id_of_the_channel(served: Served) -> None:
    answer = await send(served.stub, "town", "1", "2")
    call = served.stub.ChatStream()
    await call.write(pb.ChatStreamRequest(channel="town"))
    event = await Person(call).hear()
    assert event.joined == pb.Joined(channel="town", last_id=answer.ids[1])
    call.cancel()


def reason(refusal: pb.Refusal) -> tuple[str, list[str]]:
    """The code of a refusal, and the fields at fault."""
    fields = []
    packed: any_pb2.Any
    for packed in refusal.status.details:
        bad = error_details_pb2.BadRequest()
        if packed.Unpack(bad):
            fields += [violation.field for violation in bad.field_violations]
    return code_pb2.Code.Name(refusal.status.code), fields


@pytest.mark.parametrize(
    ("fields", "code", "faults"),
    [
        ({"content": ""}, "INVALID_ARGUMENT", ["content"]),
        ({"content": "x" * 20_000}, "INVALID_ARGUMENT", ["content"]),
        ({"content": "a", "channel": "village"}, "INVALID_ARGUMENT", ["channel"]),
        ({"content": "a", "user": pb.User(id="")}, "INVALID_ARGUMENT", ["user.id"]),
        ({"content": "a", "after": "000000000000001"}, "INVALID_ARGUMENT", ["after"]),
        (
            {"content": "a", "include_files": True, "history_size": 1},
            "INVALID_ARGUMENT",
            ["history_size", "include_files"],
        ),
        ({"content": "a", "files": [pb.File()]}, "INVALID_ARGUMENT", ["files[0].name"]),
        ({"content": "other", "request_id": "taken"}, "ALREADY_EXISTS", []),
    ],
)
async def test_an_invalid_message_is_refused_and_the_stream_continues(
    served: Served, fields: dict[str, Any], code: str, faults: list[str]
) -> None:
    async with joined(served, "ann") as ann, joined(served, "bob") as bob:
        await ann.say("fine", request_id="taken")
        assert [await ann.hears(), await bob.hears()] == [["ann: fine"]] * 2
        await ann.say(**{"request_id": "bad", **fields})
        refusal = (await ann.hear()).refusal
        assert reason(refusal) == (code, faults)
        assert (refusal.request_id, refusal.position) == (fields.get("request_id", "bad"), 3)
        await ann.say("mended", user=pb.User(id="ann"))
        assert [await ann.hears(), await bob.hears()] == [["ann: mended"]] * 2


async def test_a_caller_without_a_user_may_listen_but_not_send(served: Served) -> None:
    call = served.stub.ChatStream()
    listener = Person(call)
    await listener.say(channel="town")
    await listener.hear()
    await send(served.stub, "town", "hello")
    assert await listener.hears() == ["ann: hello"]
    await listener.say("me too")
    assert reason((await listener.hear()).refusal) == ("INVALID_ARGUMENT", ["user.id"])
    await listener.say("me too", user=pb.User(id="eve"))
    assert await listener.hears() == ["eve: me too"]
    call.cancel()


async def test_a_repeated_message_is_acknowledged_again_and_delivered_once(served: Served) -> None:
    async with joined(served, "ann") as ann, joined(served, "bob") as bob:
        await ann.say("hello", request_id="r")
        first = await ann.hear()
        await ann.say("hello", request_id="r")
        assert await ann.hear() == first
        await ann.say("next")
        assert await ann.hears() == ["ann: next"]
        assert await bob.hears(2) == ["ann: hello", "ann: next"]
    async with joined(served, "ann") as later:
        await later.say("hello", request_id="r")
        assert await later.hear() == first


async def test_after_half_closing_the_caller_receives_its_echoes_and_the_call_ends(served: Served) -> None:
    async with joined(served, "ann") as ann:
        for number in range(50):
            await ann.say(str(number))
        rest = await ann.leave()
    assert [event.message.content for event in rest] == [str(number) for number in range(50)]
    async with joined(served, "bob") as bob:
        assert await bob.leave() == []


async def test_refusals_are_sent_before_the_call_ends(served: Served) -> None:
    async with joined(served, "ann") as ann:
        for _ in range(100):
            await ann.say("")
        rest = await ann.leave()
    assert [event.refusal.position for event in rest] == list(range(2, 102))


@pytest.mark.parametrize(
    ("first", "code", "said"),
    [
        (None, grpc.StatusCode.INVALID_ARGUMENT, "channel"),
        (pb.ChatStreamRequest(), grpc.StatusCode.INVALID_ARGUMENT, "channel"),
        (pb.ChatStreamRequest(channel="a/b"), grpc.StatusCode.INVALID_ARGUMENT, "channel"),
        (pb.ChatStreamRequest(channel="town", after="x"), grpc.StatusCode.INVALID_ARGUMENT, "after"),
        (pb.ChatStreamRequest(channel="town", history_size=-1), grpc.StatusCode.INVALID_ARGUMENT, "history_size"),
        (
            pb.ChatStreamRequest(channel="town", after="0" * 14 + "7"),
            grpc.StatusCode.OUT_OF_RANGE,
            "cannot resume after",
        ),
    ],
)
async def test_a_channel_that_cannot_be_joined(
    served: Served, first: pb.ChatStreamRequest | None, code: grpc.StatusCode, said: str
) -> None:
    call = served.stub.ChatStream(iter([first] if first is not None else []))
    with pytest.raises(grpc.aio.AioRpcError, match=said) as caught:
        await anext(aiter(call))
    assert caught.value.code() is code


async def test_many_callers_see_the_same_order(served: Served) -> None:
    """Twenty people say five things each; everybody sees the same hundred, in the same order."""
    seen: list[list[str]] = []
    everybody = asyncio.Barrier(20)

    async def person(number: int) -> None:
        async with joined(served, f"p{number}") as own:
            await everybody.wait()
            for text in range(5):
                await own.say(f"{number}.{text}")
            seen.append(await own.hears(100))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(person(number))
    assert len(set(map(tuple, seen))) == 1
    for number in range(20):
        own = [text for text in seen[0] if text.startswith(f"p{number}:")]
        assert own == [f"p{number}: {number}.{text}" for text in range(5)]


async def test_a_caller_that_does_not_read_is_ended_and_its_messages_are_kept(
    serve: Serve, place: dict[str, Any]
) -> None:
    async with serve(**place, queue_messages=10) as served, joined(served, "deaf") as deaf:
        await deaf.say("I said this")
        async with joined(served, "bob") as bob:
            for _ in range(40):
                for _ in range(10):
                    await bob.say("x" * 15_000)
                await bob.hears(10)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await deaf.rest()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        page = await served.stub.ListMessages(pb.ListMessagesRequest(channel="town", page_size=1))
        assert page.messages[0].content == "I said this"


async def test_leaving_leaves_no_task_behind(served: Served) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(3):
        async with joined(served, "ann") as ann:
            await ann.say("hello")
            await ann.hears()
    hub = served.service.chat._hub
    await until_here(lambda: not hub.channels)
    # Its own and those of the server's calls end a moment later; grpcio's poller may have begun.
    await until_here(lambda: len(asyncio.all_tasks()) <= before + 1)
