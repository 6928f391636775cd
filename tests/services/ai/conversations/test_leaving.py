"""Answers that end early: their reader leaves, somebody stops them, the conversation is deleted, the server stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from websockets.asyncio.client import connect

from artificer.ai.v1 import chat_pb2
from artificer.conversation.v1 import conversation_service_pb2 as pb
from artificer_services.ai.models.tokens import estimate
from tests.waiting import until_told

from .conftest import Serve, Served, refused
from .gates import Gate

STORY = " ".join(f"word{number}" for number in range(400))
BEGINNING = "word0 word1 word2"

Leaving = Callable[[Served, str, asyncio.Event], Awaitable[None]]


@asynccontextmanager
async def telling(serve: Serve, place: dict[str, Any], **settings: Any) -> AsyncIterator[tuple[Served, Gate, str]]:
    """A gateway whose model tells three words of a story and then waits, and a conversation."""
    async with serve(place, chat={"replies": (STORY,)}, **settings) as served:
        gate = served.model.gate = Gate(3)
        yield served, gate, await served.start()


async def ended(served: Served, id_: str) -> pb.Message:
    """The answer, once it has ended."""

    async def look() -> pb.Message | None:
        found = await served.messages(id_)
        answer = found[-1] if len(found) == 2 else None
        return answer if answer is not None and answer.state != pb.MESSAGE_STATE_RUNNING else None

    answer = await until_told(look)
    assert answer is not None
    return answer


async def leave_grpc(served: Served, id_: str, held: asyncio.Event) -> None:
    call = served.stub.SendMessage(pb.SendMessageRequest(conversation=id_, content="Hello"))
    await call.read()
    await held.wait()
    call.cancel()


async def leave_grpc_converse(served: Served, id_: str, held: asyncio.Event) -> None:
    call = served.stub.Converse()
    await call.write(pb.ConverseRequest(conversation=id_, content="Hello"))
    await call.read()
    await held.wait()
    call.cancel()


async def leave_rest(served: Served, id_: str, held: asyncio.Event) -> None:
    path, headers = f"/v1/conversations/{id_}:send", {"accept": "text/event-stream"}
    async with served.http.stream("POST", path, json={"content": "Hello"}, headers=headers) as response:
        await anext(response.aiter_lines())
        await held.wait()


async def leave_web_socket(served: Served, id_: str, held: asyncio.Event) -> None:
    url = f"ws://127.0.0.1:{served.http_port}/v1/conversations/{id_}:converse"
    async with connect(url, proxy=None) as socket:
        await socket.send(json.dumps({"content": "Hello"}))
        await socket.recv()
        await held.wait()
        socket.transport.abort()  # as when the network is gone: without a close


@pytest.mark.parametrize("leave", [leave_grpc, leave_grpc_converse, leave_rest, leave_web_socket])
async def test_a_reader_that_leaves_stops_the_model(place: dict[str, Any], serve: Serve, leave: Leaving) -> None:
    async with telling(serve, place) as (served, gate, id_):
        await leave(served, id_, gate.held)
        answer = await ended(served, id_)
        assert (answer.state, answer.finish_reason) == (
            pb.MESSAGE_STATE_STOPPED,
            chat_pb2.FINISH_REASON_CANCELLED,
        )
        assert answer.content == BEGINNING
        gate.allow(1000)
        other = await served.start()
        await served.send(other, "Hello")  # the model serves others, and has generated nothing more of the first answer
        assert served.model.generated == 3 + 400
        metrics = (await served.http.get("/metrics")).text
        assert 'artificer_conversation_answers_total{state="stopped"} 1.0' in metrics
        assert "artificer_conversation_answers_running 0.0" in metrics


async def test_a_stop_ends_the_stream_with_what_there_was(place: dict[str, Any], serve: Serve) -> None:
    async with telling(serve, place) as (served, gate, id_):
        sending = asyncio.create_task(served.send(id_, "Hello"))
        await gate.held.wait()
        stopped = (await served.http.post(f"/v1/conversations/{id_}:stop", json={})).json()["message"]
        events = await sending
        assert events[-1].finished.id == stopped["id"]
        assert (stopped["state"], stopped["content"]) == ("MESSAGE_STATE_STOPPED", BEGINNING)
        assert stopped["finishReason"] == "FINISH_REASON_CANCELLED"
        assert stopped["usage"] == {"promptTokens": estimate("Hello"), "completionTokens": estimate(BEGINNING)}
        assert served.model.generated == 3
        again = await served.stub.StopGeneration(pb.StopGenerationRequest(conversation=id_))
        assert not again.HasField("message")


async def test_another_gateway_of_the_database_stops_an_answer(place: dict[str, Any], serve: Serve) -> None:
    async with telling(serve, place, flush_seconds=0.05) as (served, gate, id_), serve(place) as other:
        sending = asyncio.create_task(served.send(id_, "Hello"))
        await gate.held.wait()
        error = await refused(other.stub.SendMessage(pb.SendMessageRequest(conversation=id_, content="No")).read())
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
        stopped = await other.stub.StopGeneration(pb.StopGenerationRequest(conversation=id_))
        assert (stopped.message.state, stopped.message.content) == (pb.MESSAGE_STATE_STOPPED, BEGINNING)
        assert (await sending)[-1].finished == stopped.message
        assert served.model.generated == 3


async def test_a_deleted_conversation_takes_its_answer_along(place: dict[str, Any], serve: Serve) -> None:
    async with telling(serve, place, flush_seconds=0.05) as (served, gate, id_), serve(place) as other:
        for gateway in (served, other):
            sending = asyncio.create_task(served.send(id_, "Hello"))
            await gate.held.wait()
            await gateway.stub.DeleteConversation(pb.DeleteConversationRequest(conversation=id_))
            assert (await refused(sending)).code() == grpc.StatusCode.ABORTED
            gate.allow(3)
            id_ = await served.start()
        assert served.model.generated == 6


async def test_a_server_that_stops_stores_what_there_was(place: dict[str, Any], serve: Serve) -> None:
    async with telling(serve, place) as (served, gate, id_):
        sending = asyncio.create_task(served.send(id_, "Hello"))
        await gate.held.wait()
        await served.gateway.stop(0)
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):  # by which of its two ends it is noticed
            await sending
    async with serve(place) as served:
        answer = (await served.messages(id_))[-1]
        assert (answer.state, answer.content) == (pb.MESSAGE_STATE_STOPPED, BEGINNING)


async def test_what_is_generated_is_stored_meanwhile(place: dict[str, Any], serve: Serve) -> None:
    async with telling(serve, place, flush_seconds=0.05) as (served, gate, id_):
        sending = asyncio.create_task(served.send(id_, "Hello"))

        async def stored(text: str) -> bool:
            found = await served.messages(id_)
            return len(found) == 2 and found[1].content == text

        await until_told(lambda: stored(BEGINNING))
        assert (await served.messages(id_))[1].state == pb.MESSAGE_STATE_RUNNING
        gate.allow(2)
        await until_told(lambda: stored(f"{BEGINNING} word3 word4"))
        gate.allow(1000)
        await sending
