"""Converse: messages that wait for one another, stops, and refusals, over gRPC, WebSocket and REST."""

from __future__ import annotations

import json
from typing import Any

import grpc
from websockets.asyncio.client import connect

from artificer.ai.v1 import chat_pb2
from artificer.conversation.v1 import conversation_service_pb2 as pb

from .conftest import Serve, Served, fields_of, refused
from .gates import Gate

STORY = " ".join(f"word{number}" for number in range(400))


async def heard(call: Any) -> list[pb.ConverseResponse]:
    """The rest of a call."""
    return [response async for response in call]


def story(responses: list[pb.ConverseResponse]) -> list[str]:
    """What came, in short: the contents of messages that were sent and finished, and the reasons of refusals."""
    told = []
    for response in responses:
        if response.HasField("refusal"):
            told.append(f"refused {response.refusal.status.code}")
        elif response.answer.HasField("sent"):
            told.append(f"sent {response.answer.sent.content}")
        elif response.answer.HasField("finished"):
            told.append(f"finished {response.answer.finished.content}")
    return told


async def test_messages_are_answered_one_after_another(served: Served) -> None:
    id_ = await served.start()
    call = served.stub.Converse()
    for content in ("One", "Two"):
        await call.write(pb.ConverseRequest(conversation=id_, content=content))
    await call.write(pb.ConverseRequest(content="Three"))
    await call.done_writing()
    answer = "finished The answer is 42."
    assert story(await heard(call)) == ["sent One", answer, "sent Two", answer, "sent Three", answer]
    assert len(await served.messages(id_)) == 6


async def test_a_message_may_stop_the_answer_before_it(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, chat={"replies": (STORY, "Yes.", "No.")}) as served:
        gate = served.model.gate = Gate(3)
        id_ = await served.start()
        call = served.stub.Converse()
        await call.write(pb.ConverseRequest(conversation=id_, content="Tell me"))
        await gate.held.wait()
        await call.write(pb.ConverseRequest(content="And then?"))  # waits
        gate.allow(0)
        await call.write(pb.ConverseRequest(stop=True))
        told: list[pb.ConverseResponse] = []
        async for response in call:
            told.append(response)
            if response.answer.HasField("finished"):
                break
        assert told[-1].answer.finished.state == pb.MESSAGE_STATE_STOPPED
        await gate.held.wait()  # the answer to "And then?" has its reply
        gate.allow(1000)
        await call.write(pb.ConverseRequest(content="Really?", stop=True))
        await call.done_writing()
        told += await heard(call)
        assert story(told)[:3] == ["sent Tell me", "finished word0 word1 word2", "sent And then?"]
        assert story(told)[-2:] == ["sent Really?", "finished No."]


async def test_a_refused_message_does_not_end_the_stream(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, max_waiting=1) as served:
        gate = served.model.gate = Gate(0)
        id_ = await served.start()
        call: Any = served.stub.Converse()
        responses = aiter(call)
        await call.write(pb.ConverseRequest(conversation=id_))  # only names the conversation
        wrong = [
            pb.ConverseRequest(request_id="empty"),
            pb.ConverseRequest(content="a", conversation="0" * 32, request_id="elsewhere"),
            pb.ConverseRequest(content="a", options=chat_pb2.ChatOptions(top_p=7), request_id="options"),
            pb.ConverseRequest(content="a\0", request_id="zero"),
        ]
        for request in wrong:
            await call.write(request)
            refusal = (await anext(responses)).refusal
            assert (refusal.request_id, refusal.status.code) == (request.request_id, 3)
            assert len(refusal.status.details) == 1
        await call.write(pb.ConverseRequest(content="One"))
        await gate.held.wait()
        for number in range(2):
            await call.write(pb.ConverseRequest(content="More", request_id=str(number)))
        await call.done_writing()
        told: list[pb.ConverseResponse] = []
        async for response in responses:
            told.append(response)
            if response.HasField("refusal"):
                assert response.refusal.request_id == "1"
                gate.allow(1000)
        assert sorted(story(told)) == sorted(
            ["sent One", "refused 8", "finished The answer is 42.", "sent More", "finished The answer is 42."]
        )


async def test_a_first_message_with_wrong_options_does_not_end_the_stream(served: Served) -> None:
    id_ = await served.start()
    call: Any = served.stub.Converse()
    wrong = chat_pb2.ChatOptions(max_tokens=-1)
    await call.write(pb.ConverseRequest(conversation=id_, content="One", options=wrong, request_id="options"))
    await call.write(pb.ConverseRequest(content="Two"))
    await call.done_writing()
    told = await heard(call)
    assert sorted(story(told)) == ["finished The answer is 42.", "refused 3", "sent Two"]
    assert [one.refusal.request_id for one in told if one.HasField("refusal")] == ["options"]


async def test_a_failed_answer_does_not_end_the_stream(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place, chat={"replies": (STORY,), "fail_after": 2}) as served:
        id_ = await served.start()
        call: Any = served.stub.Converse()
        for content in ("One", "Two"):
            await call.write(pb.ConverseRequest(conversation=id_, content=content, request_id=content))
        await call.done_writing()
        told = await heard(call)
        assert story(told) == [
            *("sent One", "finished word0 word1", "refused 13", "sent Two", "finished word0 word1", "refused 13")
        ]
        assert [one.refusal.request_id for one in told if one.HasField("refusal")] == ["One", "Two"]


async def test_the_first_message_must_name_a_conversation(served: Served) -> None:
    for request, code in (
        (pb.ConverseRequest(content="Hello"), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.ConverseRequest(conversation="0" * 32, content="Hello"), grpc.StatusCode.NOT_FOUND),
    ):
        call = served.stub.Converse()
        await call.write(request)
        assert (await refused(call.read())).code() == code
    call = served.stub.Converse()
    await call.done_writing()
    assert fields_of(await refused(call.read())) == ["conversation"]


async def test_a_conversation_over_a_web_socket(served: Served) -> None:
    id_ = await served.start()
    url = f"ws://127.0.0.1:{served.http_port}/v1/conversations/{id_}:converse"
    async with connect(url, proxy=None) as socket:
        for content in ("One", ""):
            await socket.send(json.dumps({"content": content, "requestId": content or "empty"}))
        told = [json.loads(await socket.recv())]
        while not ("finished" in told[-1].get("answer", {}) or ("refusal" in told[0] and len(told) > 4)):
            told.append(json.loads(await socket.recv()))
        await socket.send("")
        async for frame in socket:
            told.append(json.loads(frame))
    assert "".join(one.get("answer", {}).get("text", "") for one in told) == "The answer is 42."
    (refusal,) = [one["refusal"] for one in told if "refusal" in one]
    assert (refusal["requestId"], refusal["status"]["code"]) == ("empty", 3)


async def test_a_whole_conversation_in_one_request(served: Served) -> None:
    id_ = await served.start()
    lines = [{"content": "One"}, {"content": " "}, {"content": "Two"}]
    answer = await served.http.post(
        f"/v1/conversations/{id_}:converse",
        content="\n".join(map(json.dumps, lines)),
        headers={"content-type": "application/x-ndjson", "accept": "application/x-ndjson"},
    )
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["answer"]["sent"]["content"] for one in told if "sent" in one.get("answer", {})] == ["One", "Two"]
    assert [one["refusal"]["status"]["code"] for one in told if "refusal" in one] == [3]


async def test_an_unreadable_message_ends_the_stream(served: Served) -> None:
    id_ = await served.start()
    answer = await served.http.post(
        f"/v1/conversations/{id_}:converse",
        content='{"content": "One"}\n{"content": \n',
        headers={"content-type": "application/x-ndjson", "accept": "application/x-ndjson"},
    )
    error = json.loads(answer.text.splitlines()[-1])["error"]
    assert (error["status"], "message 2 of the stream" in error["message"]) == ("INVALID_ARGUMENT", True)
