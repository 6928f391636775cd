"""ChatStream and GetEmbedding of the AI worker, over gRPC and in the three forms of REST's streams."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import httpx2
import orjson
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from artificer.ai.v1 import ai_worker_service_pb2 as pb
from artificer.ai.v1 import ai_worker_service_pb2_grpc as rpc
from artificer.ai.v1 import chat_pb2
from artificer_services.ai.build import AiSettings
from artificer_services.ai.models.settings import UpstreamChatSettings
from tests.services.ai.models.upstream.servers import serve as serve_model
from tests.services.ai.models.upstream.test_chat import answering, endless
from tests.services.ai.servicers.doors import FOX, SCRIPTED, relaying
from tests.services.ai.serving import Faces, serve

HELLO = {"model": "fox", "messages": [{"role": "CHAT_ROLE_USER", "content": "hello"}]}
WORDS = ["The", " quick", " brown", " fox."]


def request_for(model: str, **fields: Any) -> pb.ChatStreamRequest:
    message = chat_pb2.ChatMessage(role=chat_pb2.CHAT_ROLE_USER, content="hello")
    return pb.ChatStreamRequest(model=model, messages=[message], **fields)


async def answered(faces: Faces, request: pb.ChatStreamRequest) -> list[pb.ChatStreamResponse]:
    return [part async for part in rpc.AiWorkerServiceStub(faces.channel).ChatStream(request)]


async def test_of_many_faults_the_first_are_named_since_a_status_is_a_header() -> None:
    async with serve(SCRIPTED) as faces:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await answered(faces, pb.ChatStreamRequest(messages=[chat_pb2.ChatMessage()] * 1000))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "messages[7].role: expected one of" in str(caught.value.details())
    assert "only the first 16 are listed" in str(caught.value.details())


@pytest.mark.parametrize("model", ["", "fox"])
async def test_a_chat_by_grpc(model: str) -> None:
    async with serve(SCRIPTED) as faces:
        *parts, last = await answered(faces, request_for(model))
    assert parts == [
        pb.ChatStreamResponse(text=word, model="" if number else "fox") for number, word in enumerate(WORDS)
    ]
    assert (last.text, last.finish_reason, last.model) == ("", chat_pb2.FINISH_REASON_STOP, "")
    assert (last.usage.prompt_tokens > 0, last.usage.completion_tokens) == (True, 4)


def _ndjson(answer: httpx2.Response) -> list[Any]:
    return [orjson.loads(line) for line in answer.content.splitlines()]


def _events(answer: httpx2.Response) -> list[Any]:
    events = [event for event in answer.text.split("\n\n") if "data: " in event]
    return [orjson.loads(event.partition("data: ")[2]) for event in events]


@pytest.mark.parametrize(
    ("accept", "read"),
    [
        ("application/x-ndjson", _ndjson),
        ("text/event-stream", _events),
        ("application/json", lambda answer: answer.json()),
    ],
)
async def test_a_chat_by_rest(accept: str, read: Any) -> None:
    async with relaying() as (front, _):
        answer = await front.http.post("/v1/chat:stream", json=HELLO, headers={"accept": accept})
    assert answer.headers["content-type"].startswith(accept)
    parts = [part for part in read(answer) if part]
    assert "".join(part["text"] for part in parts) == FOX
    assert parts[-1]["finishReason"] == "FINISH_REASON_STOP"
    assert parts[-1]["usage"]["completionTokens"] == 4


async def test_tools_are_relayed() -> None:
    tools = [chat_pb2.Tool(name="weather"), chat_pb2.Tool(name="time")]
    async with relaying() as (front, _):
        parts = await answered(front, request_for("tools", tools=tools))
    assert [(call.name, call.arguments) for part in parts for call in part.tool_calls] == [
        ("weather", '{"city": "Oslo"}'),
        ("time", "{}"),
    ]
    assert parts[-1].finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": "none"}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"options": {"temperature": 9}}, "options.temperature"),
        ({"tools": [{"name": "f"}]}, "tools"),
    ],
)
async def test_a_wrong_chat_is_refused_by_field(fields: Any, path: str) -> None:
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post("/v1/chat:stream", json={**HELLO, **fields})
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert [violation["field"] for violation in detail["fieldViolations"]] == [path]


async def test_a_failed_upstream_says_when_to_try_again() -> None:
    async with serve_model(answering(429, **{"retry-after": "33"})) as server:
        settings = AiSettings(chat_models={"m": UpstreamChatSettings(base_url=server.url)})
        async with serve(settings) as faces:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await answered(faces, request_for("m"))
    status = rpc_status.from_call(raised.value)  # type: ignore[arg-type]  # it reads only what both kinds of calls have
    retry, info = error_details_pb2.RetryInfo(), error_details_pb2.ErrorInfo()
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status.details[0].Unpack(retry)
    assert status.details[1].Unpack(info)
    assert (retry.retry_delay.seconds, info.reason, info.domain) == (33, "UPSTREAM_EXHAUSTED", "ai.artificer")


@pytest.mark.parametrize("face", ["grpc", "rest"])
async def test_a_caller_who_leaves_stops_the_upstream(face: str) -> None:
    async with serve_model(endless) as server:
        settings = AiSettings(chat_models={"fox": UpstreamChatSettings(base_url=server.url)})
        async with serve(settings) as faces:
            if face == "grpc":
                call = rpc.AiWorkerServiceStub(faces.channel).ChatStream(request_for("fox"))
                assert (await anext(aiter(call))).text
                call.cancel()
            else:
                async with faces.http.stream("POST", "/v1/chat:stream", json=HELLO) as answer:
                    await anext(answer.aiter_bytes())
            await asyncio.wait_for(server.left.wait(), 30)


async def test_vectors() -> None:
    async with relaying() as (front, _):
        stub = rpc.AiWorkerServiceStub(front.channel)
        made = await stub.GetEmbedding(pb.GetEmbeddingRequest(texts=["a fox", "a dog", "a fox"]))
        answer = await front.http.post("/v1/embeddings:get", json={"model": "team/words", "texts": ["a fox"]})
    first, second, third = (list(one.values) for one in made.embeddings)
    assert (made.model, made.dimension, len(first), first == third) == ("team/words", 8, 8, True)
    assert sum(value * value for value in first) == pytest.approx(1)
    assert first != second
    assert made.usage.prompt_tokens == 6
    assert answer.json()["embeddings"][0]["values"] == pytest.approx(first)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "texts"),
        ({"texts": ["a"] * 6}, "texts"),
        ({"texts": ["a", ""]}, "texts[1]"),
        ({"texts": ["x" * 40_000]}, "texts[0]"),
        ({"texts": ["a"], "model": "fox"}, "model"),
    ],
)
async def test_wrong_texts_are_refused_by_field(body: Any, path: str) -> None:
    async with serve(SCRIPTED) as faces:
        answer = await faces.http.post("/v1/embeddings:get", json=body)
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert [violation["field"] for violation in detail["fieldViolations"]] == [path]
