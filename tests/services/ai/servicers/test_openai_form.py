"""OpenAI's form on the wire: the bytes of its streams and errors, and callers who leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import orjson
import pytest

from artificer.openai.v1 import openai_service_pb2 as pb
from artificer.openai.v1 import openai_service_pb2_grpc as rpc
from artificer_services.ai.build import AiSettings
from artificer_services.ai.models.settings import UpstreamChatSettings
from tests.services.ai.models.upstream.servers import Answer, Request, Server, text
from tests.services.ai.models.upstream.servers import serve as serve_model
from tests.services.ai.models.upstream.test_chat import answering, endless, silent
from tests.services.ai.servicers.doors import FOX, SCRIPTED
from tests.services.ai.serving import Faces, serve
from tests.waiting import PATIENCE, until_here

HELLO = {"model": "fox", "messages": [{"role": "user", "content": "hello"}], "stream": True}
CHAT = "/v1/chat/completions"


@asynccontextmanager
async def door_to(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[Faces, Server]]:
    async with serve_model(*answers) as server:
        model = UpstreamChatSettings(base_url=server.url, **settings)
        async with serve(AiSettings(chat_models={"fox": model})) as faces:
            yield faces, server


def events_of(body: bytes) -> list[Any]:
    *events, done, end = body.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    return [orjson.loads(event.removeprefix(b"data: ")) for event in events]


def running(faces: Faces) -> float:
    samples = [sample for one in faces.service.collectors for family in one.collect() for sample in family.samples]
    return next(sample.value for sample in samples if sample.name == "artificer_ai_running")


async def test_a_stream_is_events_that_no_proxy_holds_back() -> None:
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post(CHAT, json=HELLO)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
    events = events_of(answer.content)
    assert [set(event) for event in events] == [{"id", "object", "created", "model", "choices"}] * 6
    assert events[0]["choices"] == [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    assert events[1]["choices"] == [{"index": 0, "delta": {"content": "The"}, "finish_reason": None}]
    assert events[5]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]


async def test_the_same_stream_comes_over_grpc() -> None:
    async with serve(SCRIPTED) as faces:
        request = pb.CreateChatCompletionRequest(model="fox", stream=True)
        request.messages.add().update({"role": "user", "content": "hello"})
        bodies = [body async for body in rpc.OpenAIServiceStub(faces.channel).CreateChatCompletion(request)]
    assert {body.content_type for body in bodies} == {"text/event-stream; charset=utf-8"}
    assert len(events_of(b"".join(body.data for body in bodies))) == 6


async def test_each_piece_is_sent_as_it_comes() -> None:
    told = asyncio.Event()

    async def in_turns(request: Request) -> None:
        await request.events(text("one"), end=False)
        await told.wait()
        await request.event(text("two", "stop"))
        await request.write(b"0\r\n\r\n")

    async with door_to(in_turns) as (faces, _), faces.http.stream("POST", CHAT, json=HELLO) as answer:
        pieces = answer.aiter_bytes()
        seen = b""
        while b"one" not in seen:
            seen += await anext(pieces)
        assert b"two" not in seen
        told.set()
        seen += b"".join([piece async for piece in pieces])
    assert len(events_of(seen)) == 4


async def test_an_error_in_the_middle_is_an_event() -> None:
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post(CHAT, json={**HELLO, "model": "breaking"})
    assert answer.status_code == 200
    *_, last, end = answer.content.split(b"\n\n")
    assert end == b""
    error = orjson.loads(last.removeprefix(b"data: "))["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["message"]) == ("server_error", "the scripted model breaks off, as its settings say")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "status", "after"),
    [
        (answering(429, **{"retry-after": "33"}), 429, "33"),
        (answering(503, **{"retry-after": "44"}), 503, "44"),
        (answering(401), 500, None),
        (answering(400), 400, None),
        (answering(418), 400, None),
        (silent, 504, None),
    ],
)
async def test_a_failed_upstream_is_a_status(answer: Answer, status: int, after: str | None, stream: bool) -> None:
    async with door_to(answer, retries=0, timeout=0.3 if answer is silent else PATIENCE) as (faces, server):
        got = await faces.http.post(CHAT, json={**HELLO, "stream": stream})
        host = server.url.removeprefix("http://").removesuffix("/v1")
    assert (got.status_code, got.headers.get("retry-after")) == (status, after)
    assert got.json()["error"]["code"] == status
    assert host not in got.text


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe\x00", b'{"messages": 3}', b'{"messages": ["x"]}']
)
async def test_garbage_is_refused(body: bytes) -> None:
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_null_is_absent() -> None:
    names = [field.json_name for field in pb.CreateChatCompletionRequest.DESCRIPTOR.fields]
    body = {**dict.fromkeys(names), "messages": HELLO["messages"]}
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post(CHAT, json=body)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == FOX


async def test_a_prompt_beyond_the_limit_is_refused() -> None:
    messages = [{"role": "user", "content": "x" * 1_100_000}]
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post(CHAT, json={"model": "fox", "messages": messages})
    assert (answer.status_code, "1,048,576" in answer.text) == (400, True)


async def test_a_bias_is_refused_by_models_that_do_not_read_it() -> None:
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post(CHAT, json={**HELLO, "logit_bias": {"5": 1}})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "logit_bias: the model fox does not read it"


async def test_a_caller_who_leaves_stops_the_upstream() -> None:
    async with door_to(endless) as (faces, server):
        async with faces.http.stream("POST", CHAT, json=HELLO) as answer:
            await anext(answer.aiter_bytes())
        await asyncio.wait_for(server.left.wait(), 30)
        await until_here(lambda: running(faces) == 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_before_the_first_token_stops_the_upstream(stream: bool) -> None:
    async with door_to(silent) as (faces, server):
        task = asyncio.create_task(faces.http.post(CHAT, json={**HELLO, "stream": stream}))
        await until_here(lambda: server.requests)
        task.cancel()
        await asyncio.wait_for(server.left.wait(), 30)


async def test_a_caller_over_grpc_who_leaves_stops_the_upstream() -> None:
    async with door_to(endless) as (faces, server):
        request = pb.CreateChatCompletionRequest(stream=True)
        request.messages.add().update({"role": "user", "content": "hello"})
        call = rpc.OpenAIServiceStub(faces.channel).CreateChatCompletion(request)
        assert await anext(aiter(call))
        call.cancel()
        await asyncio.wait_for(server.left.wait(), 30)


async def test_a_wrong_field_is_named_over_grpc() -> None:
    async with serve(SCRIPTED) as faces:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await rpc.OpenAIServiceStub(faces.channel).GetModel(pb.GetModelRequest(model="none"))
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
