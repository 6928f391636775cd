"""MessageService through gRPC, over SQLite and PostgreSQL: what it gives, and what it answers to mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from artificer.chat.v1 import message_service_pb2 as pb
from tests.waiting import until_here

from .conftest import Serve, Served, send

ANN, BOB = pb.User(id="ann", display_name="Ann"), pb.User(id="bob")
INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def violations(status: status_pb2.Status) -> list[str]:
    found = []
    for detail in status.details:
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad):
            found += [violation.field for violation in bad.field_violations]
    return found


def facts(status: status_pb2.Status) -> dict[str, str]:
    found: dict[str, str] = {}
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            found = {"reason": info.reason, **info.metadata}
    return found


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, status_pb2.Status]:
    """The status of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    trailers = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    return caught.value.code(), caught.value.details() or "", status


def said(content: str = "", **fields: Any) -> pb.SendMessagesRequest:
    return pb.SendMessagesRequest(**{"channel": "town", "user": ANN, "content": content, **fields})


async def take(stream: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(60):
        return [await anext(stream) for _ in range(count)]


# Reading.


async def test_a_message_has_the_requested_parts(served: Served) -> None:
    files = [pb.File(name="a.txt", media_type="text/plain", data=b"abc"), pb.File(name="b", data=b"")]
    answer = await served.stub.SendMessages(iter([said("hello", files=files, request_id="r1")]))
    get = served.stub.GetMessage
    (id_,) = answer.ids
    bare = await get(pb.GetMessageRequest(channel="town", id=id_))
    assert (bare.id, bare.channel, bare.content, bare.request_id) == (id_, "town", "hello", "r1")
    assert bare.create_time.ToSeconds() > 0
    assert (bare.HasField("user"), list(bare.files), bare.file_count) == (False, [], 2)
    whole = await get(pb.GetMessageRequest(channel="town", id=id_, include_user=True, include_files=True))
    assert whole.user == ANN
    assert list(whole.files) == files


async def test_a_missing_message_is_not_found(served: Served) -> None:
    await send(served.stub, "town", "a")
    for channel, id_ in (("town", "000000000000002"), ("village", "000000000000001")):
        code, text, _ = await refused(served.stub.GetMessage(pb.GetMessageRequest(channel=channel, id=id_)))
        assert (code, id_ in text) == (grpc.StatusCode.NOT_FOUND, True)
    code, _, status = await refused(served.stub.GetMessage(pb.GetMessageRequest(channel="town", id="7")))
    assert (code, violations(status)) == (INVALID, ["id"])


@pytest.mark.parametrize("order", ["", "create_time", "create_time desc"])
async def test_pages_give_every_message_once(served: Served, order: str) -> None:
    texts = [str(number) for number in range(25)]
    await send(served.stub, "town", *texts)
    seen: list[str] = []
    token, pages = "", 0
    while not pages or token:
        page = await served.stub.ListMessages(
            pb.ListMessagesRequest(channel="town", page_size=10, page_token=token, order_by=order, include_user=True)
        )
        seen += [message.content for message in page.messages]
        assert all(message.user.id == "ann" for message in page.messages)
        token, pages = page.next_page_token, pages + 1
        if pages == 1:
            await send(served.stub, "elsewhere", "not of this list")
    assert (seen, pages) == (texts[::-1] if order.endswith("desc") else texts, 3)


async def test_an_empty_channel_has_an_empty_page(served: Served) -> None:
    page = await served.stub.ListMessages(pb.ListMessagesRequest(channel="nobody.yet"))
    assert page == pb.ListMessagesResponse()


async def test_pages_have_fifty_messages_by_default_and_at_most_a_thousand(served: Served) -> None:
    await send(served.stub, "town", *[str(number) for number in range(1100)])
    for size, expected in ((0, 50), (7, 7), (5000, 1000)):
        page = await served.stub.ListMessages(pb.ListMessagesRequest(channel="town", page_size=size))
        assert len(page.messages) == expected


async def test_a_page_stays_below_a_clients_message_limit(served: Served) -> None:
    file = pb.File(name="f", data=b"x" * 500_000)
    await served.stub.SendMessages(iter([said(files=[file] * 4) for _ in range(4)]))
    seen, token = 0, ""
    while not seen or token:
        page = await served.stub.ListMessages(
            pb.ListMessagesRequest(channel="town", page_token=token, include_files=True)
        )
        assert 0 < page.ByteSize() < 4 * 1024 * 1024
        seen, token = seen + len(page.messages), page.next_page_token
    assert seen == 4


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListMessagesRequest(), "channel"),
        (pb.ListMessagesRequest(channel="a/b"), "channel"),
        (pb.ListMessagesRequest(channel=".."), "channel"),
        (pb.ListMessagesRequest(channel="c" * 129), "channel"),
        (pb.ListMessagesRequest(channel="town", page_size=-1), "page_size"),
        (pb.ListMessagesRequest(channel="town", page_token="x"), "page_token"),
        (pb.ListMessagesRequest(channel="town", page_token="é"), "page_token"),
        (pb.ListMessagesRequest(channel="town", order_by="content"), "order_by"),
    ],
)
async def test_an_invalid_list_request_names_the_field(
    served: Served, request_: pb.ListMessagesRequest, field: str
) -> None:
    code, _, status = await refused(served.stub.ListMessages(request_))
    assert (code, violations(status)) == (INVALID, [field])


async def test_a_page_token_of_another_list_is_refused(served: Served) -> None:
    await send(served.stub, "town", "a", "b")
    page = await served.stub.ListMessages(pb.ListMessagesRequest(channel="town", page_size=1))
    for channel, order in (("village", ""), ("town", "create_time desc")):
        request = pb.ListMessagesRequest(channel=channel, order_by=order, page_token=page.next_page_token)
        _, _, status = await refused(served.stub.ListMessages(request))
        assert violations(status) == ["page_token"]


# Streaming.


async def test_history_then_live(served: Served) -> None:
    await send(served.stub, "town", "1", "2", "3")
    call = served.stub.StreamMessages(pb.StreamMessagesRequest(channel="town", include_user=True))
    stream = aiter(call)
    history = await take(stream, 3)
    await send(served.stub, "town", "4", "5")
    live = await take(stream, 2)
    assert [message.content for message in history + live] == ["1", "2", "3", "4", "5"]
    assert {message.user.id for message in history + live} == {"ann"}
    assert dict(await call.initial_metadata())["x-sse-id-field"] == "id"


async def test_files_and_users_are_sent_only_on_request(served: Served) -> None:
    requests = [pb.StreamMessagesRequest(channel="town", include_files=files) for files in (False, True)]
    streams = [aiter(served.stub.StreamMessages(request)) for request in requests]
    file = pb.File(name="f", data=b"x")
    await served.stub.SendMessages(iter([said("history", files=[file])]))
    for stream, files in zip(streams, ([], [file]), strict=True):
        (message,) = await take(stream, 1)
        assert (list(message.files), message.file_count, message.HasField("user")) == (files, 1, False)
    await served.stub.SendMessages(iter([said("live", files=[file])]))
    for stream, files in zip(streams, ([], [file]), strict=True):
        (message,) = await take(stream, 1)
        assert (list(message.files), message.file_count, message.HasField("user")) == (files, 1, False)


@pytest.mark.parametrize(
    ("fields", "header", "expected"),
    [
        ({}, None, ["1", "2", "3", "4"]),
        ({"history_size": 2}, None, ["3", "4"]),
        ({"history_size": 0}, None, []),
        ({"history_size": 9}, None, ["1", "2", "3", "4"]),
        ({"after": "000000000000001"}, None, ["2", "3", "4"]),
        ({"after": "000000000000004"}, None, []),
        ({"after": "000000000000001", "history_size": 1}, None, ["2", "3", "4"]),
        ({}, "000000000000003", ["4"]),
        # A browser that connects again repeats the URL it was given.
        ({"after": "000000000000001", "history_size": 1}, "000000000000002", ["3", "4"]),
        ({"history_size": 3}, "", ["2", "3", "4"]),
    ],
)
async def test_a_stream_begins_at_the_requested_position(
    served: Served, fields: dict[str, Any], header: str | None, expected: list[str]
) -> None:
    await send(served.stub, "town", "1", "2", "3", "4")
    metadata = () if header is None else (("last-event-id", header),)
    call = served.stub.StreamMessages(pb.StreamMessagesRequest(channel="town", **fields), metadata=metadata)
    await call.initial_metadata()
    await send(served.stub, "town", "live")
    found = await take(aiter(call), len(expected) + 1)
    assert [message.content for message in found] == [*expected, "live"]


@pytest.mark.parametrize(
    ("fields", "header", "code", "fault"),
    [
        ({"after": "7"}, None, INVALID, "after"),
        ({}, "7", INVALID, "last-event-id"),
        ({"history_size": -1}, None, INVALID, "history_size"),
        ({"channel": ""}, None, INVALID, "channel"),
        ({"after": "000000000000009"}, None, grpc.StatusCode.OUT_OF_RANGE, None),
    ],
)
async def test_an_invalid_stream_request_is_refused_with_its_reason(
    served: Served, fields: dict[str, Any], header: str | None, code: grpc.StatusCode, fault: str | None
) -> None:
    await send(served.stub, "town", "1")
    metadata = () if header is None else (("last-event-id", header),)
    request = pb.StreamMessagesRequest(**{"channel": "town", **fields})
    found, _, status = await refused(anext(aiter(served.stub.StreamMessages(request, metadata=metadata))))
    assert (found, violations(status)) == (code, [fault] if fault else [])


async def test_a_reader_that_stops_is_ended_with_its_last_id_and_others_continue(
    serve: Serve, place: dict[str, Any]
) -> None:
    content = "x" * 15_000  # connections buffer some hundred kilobytes: these fill them soon
    async with serve(**place, queue_messages=20) as served:
        slow = served.stub.StreamMessages(pb.StreamMessagesRequest(channel="town"))
        await slow.initial_metadata()
        quick = served.stub.StreamMessages(pb.StreamMessagesRequest(channel="town"))
        await quick.initial_metadata()
        reading = aiter(quick)
        for _ in range(30):
            await send(served.stub, "town", *[content] * 20)
            await take(reading, 20)
        seen: list[str] = []

        async def read_on() -> None:
            async with asyncio.timeout(60):
                async for message in slow:
                    seen.append(message.id)

        code, text, status = await refused(read_on())
        assert (code, "`after`" in text) == (EXHAUSTED, True)
        assert facts(status) == {"reason": "READER_TOO_SLOW", "after": seen[-1]}
        again = served.stub.StreamMessages(pb.StreamMessagesRequest(channel="town", after=seen[-1]))
        rest = await take(aiter(again), 600 - len(seen))
        assert seen + [message.id for message in rest] == [f"{number:015d}" for number in range(1, 601)]
        again.cancel()
        quick.cancel()


async def test_a_stream_whose_client_leaves_leaves_nothing_behind(served: Served) -> None:
    chat = served.service.chat
    calls = [served.stub.StreamMessages(pb.StreamMessagesRequest(channel=f"c{number}")) for number in range(5)]
    for call in calls:
        await call.initial_metadata()
    assert len(chat._hub.channels) == 5
    for call in calls:
        call.cancel()
    await until_here(lambda: not chat._hub.channels)


# Sending.


async def test_a_stream_of_messages_is_counted_and_named_in_order(served: Served) -> None:
    answer = await send(served.stub, "town", *[str(number) for number in range(700)])
    assert (answer.stored_count, answer.duplicate_count) == (700, 0)
    assert list(answer.ids) == [f"{number:015d}" for number in range(1, 701)]


async def test_channel_and_user_are_sent_once(served: Served) -> None:
    requests = [said("a"), pb.SendMessagesRequest(content="b"), pb.SendMessagesRequest(content="c", user=BOB)]
    await served.stub.SendMessages(iter(requests))
    page = await served.stub.ListMessages(pb.ListMessagesRequest(channel="town", include_user=True))
    assert [(one.content, one.user.id) for one in page.messages] == [("a", "ann"), ("b", "ann"), ("c", "bob")]


async def test_an_empty_stream_is_refused(served: Served) -> None:
    """So are batch's: a client that sends nothing has lost its messages."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.stub.SendMessages(iter([]))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_may_be_sent_again(served: Served) -> None:
    requests = [said(str(number), request_id=f"r{number}") for number in range(20)]
    first = await served.stub.SendMessages(iter(requests[:12]))
    again = await served.stub.SendMessages(iter(requests))
    assert (again.stored_count, again.duplicate_count) == (8, 12)
    assert list(again.ids)[:12] == list(first.ids)
    page = await served.stub.ListMessages(pb.ListMessagesRequest(channel="town"))
    assert [one.content for one in page.messages] == [str(number) for number in range(20)]


async def test_concurrent_repeats_are_stored_once(served: Served) -> None:
    requests = [said(str(number), request_id=f"r{number}") for number in range(10)]
    answers = await asyncio.gather(*(served.stub.SendMessages(iter(requests)) for _ in range(20)))
    assert len({tuple(answer.ids) for answer in answers}) == 1
    assert sum(answer.stored_count for answer in answers) == 10
    assert sum(answer.duplicate_count for answer in answers) == 190


FILE = pb.File(name="f", data=b"1")


@pytest.mark.parametrize(
    "other",
    [
        said("other", request_id="r", files=[FILE]),
        said("content", request_id="r"),
        said("content", request_id="r", files=[pb.File(name="g", data=b"1")]),
        said("content", request_id="r", files=[pb.File(name="f", data=b"2")]),
        said("content", request_id="r", files=[FILE, FILE]),
    ],
)
async def test_a_request_id_with_other_content_already_exists(served: Served, other: pb.SendMessagesRequest) -> None:
    first = await served.stub.SendMessages(iter([said("content", request_id="r", files=[FILE])]))
    code, text, status = await refused(served.stub.SendMessages(iter([said("fine"), other])))
    assert code is grpc.StatusCode.ALREADY_EXISTS
    assert "'r'" in text
    expected = {"reason": "REQUEST_ID_IN_USE", "id": first.ids[0], "position": "2", "stored": "1"}
    assert facts(status) == expected


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no content": ({}, ["content"]),
    "blank content": ({"content": " \n"}, ["content"]),
    "long content": ({"content": "é" * 10_000}, ["content"]),
    "a zero": ({"content": "a\0b"}, ["content"]),
    "nobody": ({"content": "a", "user": None}, ["user.id"]),
    "an empty user": ({"content": "a", "user": pb.User()}, ["user.id"]),
    "a long user": ({"content": "a", "user": pb.User(id="x" * 129)}, ["user.id"]),
    "a line break in a name": ({"content": "a", "user": pb.User(id="a", display_name="a\nb")}, ["user.display_name"]),
    "no channel": ({"content": "a", "channel": ""}, ["channel"]),
    "a colon": ({"content": "a", "channel": "a:b"}, ["channel"]),
    "a long request id": ({"content": "a", "request_id": "r" * 129}, ["request_id"]),
    "nine files": ({"files": [FILE] * 9}, ["files"]),
    "a nameless file": ({"files": [FILE, pb.File(data=b"1")]}, ["files[1].name"]),
    "a path": ({"files": [pb.File(name="../f", data=b"1")]}, ["files[0].name"]),
    "no media type": ({"files": [pb.File(name="f", media_type="<b>")]}, ["files[0].media_type"]),
    "a large file": ({"files": [pb.File(name="f", data=bytes(512 * 1024 + 1))]}, ["files[0].data"]),
    "large files": ({"files": [pb.File(name="f", data=bytes(500_000))] * 5}, ["files"]),
    "all at once": ({"user": None, "channel": "", "content": ""}, ["channel", "user.id", "content"]),
}


@pytest.mark.parametrize("name", BAD)
async def test_an_invalid_message_is_refused_with_every_fault(served: Served, name: str) -> None:
    fields, faults = BAD[name]
    code, text, status = await refused(served.stub.SendMessages(iter([said(**fields)])))
    assert (code, violations(status)) == (INVALID, faults)
    assert all(fault in text for fault in faults)


async def test_messages_before_an_invalid_one_are_stored(served: Served) -> None:
    requests = [said("a"), said("b"), said(""), said("c")]
    code, text, status = await refused(served.stub.SendMessages(iter(requests)))
    assert (code, "message 3" in text) == (INVALID, True)
    assert facts(status) == {"reason": "MESSAGE_NOT_TAKEN", "position": "3", "stored": "2"}
    page = await served.stub.ListMessages(pb.ListMessagesRequest(channel="town"))
    assert [one.content for one in page.messages] == ["a", "b"]


async def test_one_stream_goes_to_one_channel(served: Served) -> None:
    requests = [said("a"), said("b", channel="village")]
    code, _, status = await refused(served.stub.SendMessages(iter(requests)))
    assert (code, violations(status)) == (INVALID, ["channel"])


async def test_a_stream_has_a_maximum_length(serve: Serve, place: dict[str, Any]) -> None:
    async with serve(**place, max_send=10) as served:
        assert (await send(served.stub, "town", *["x"] * 10)).stored_count == 10
        code, text, _ = await refused(served.stub.SendMessages(iter([said("x")] * 11)))
        assert (code, "10 messages" in text) == (INVALID, True)
