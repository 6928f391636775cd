"""Chat while PostgreSQL or Valkey is away: what callers and probes are told, and that it comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from artificer.chat.v1 import message_service_pb2 as pb
from artificer.chat.v1 import message_service_pb2_grpc as rpc
from artificer_services.chat.build import ChatSettings, build
from diptych import Gateway, ServiceCheck, Settings
from tests.services.mortal import MortalPostgres
from tests.valkey import start_valkey

from .conftest import send

SERVICE = "artificer.chat.v1.MessageService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PATIENCE = 60


@dataclass(frozen=True)
class Running:
    """Chat behind a gateway, and clients of it."""

    http: httpx2.AsyncClient
    stub: rpc.MessageServiceAsyncStub
    watch: Any

    async def hears(self, wanted: int) -> None:
        """Wait until whoever watches health is told so."""
        async with asyncio.timeout(PATIENCE):
            while (await self.watch.read()).status != wanted:
                pass

    async def metric(self, name: str) -> float:
        lines = (await self.http.get("/metrics")).text.splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@asynccontextmanager
async def running(**place: Any) -> AsyncIterator[Running]:
    chat = build(ChatSettings(breaker_failures=3, breaker_seconds=0.2, sweep_seconds=0.2, **place))
    gateway = Gateway(
        Settings.model_validate(
            {"http_port": 0, "grpc_port": 0, "readiness": {"keep_seconds": 0, "watch_seconds": 0.05}}
        ),
        lifespan=chat.lifespan,
        readiness={"chat": ServiceCheck(chat.ready, (SERVICE,))},
        on_stop=[chat.begin_shutdown],
        collectors=chat.collectors,
    )
    rpc.add_MessageServiceServicer_to_server(chat.servicer, gateway)
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=PATIENCE) as http:
            yield Running(http, rpc.MessageServiceStub(channel), watch)
            watch.cancel()
            await gateway.stop(0)


async def test_postgresql_goes_away_and_comes_back(database: MortalPostgres) -> None:
    async with running(database_url=database.url) as chat:
        await chat.hears(SERVING)
        await send(chat.stub, "town", "before")

        await asyncio.to_thread(database.kill)
        await chat.hears(NOT_SERVING)
        answer = await chat.http.get("/readyz")
        # Other services of the process can serve: only chat's own status turns.
        assert (answer.status_code, answer.json()["checks"]) == (200, {"chat": "failed"})
        with pytest.raises(grpc.aio.AioRpcError) as found:
            await send(chat.stub, "town", "meanwhile")
        assert found.value.code() is grpc.StatusCode.UNAVAILABLE
        failure: Any = found.value
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in rpc_status.from_call(failure).details)
        assert retry.retry_delay.ToMilliseconds() > 0
        while not await chat.metric("diptych_upstream_open"):
            refused = await chat.http.get("/v1/channels/town/messages")
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
        assert (await chat.http.get("/healthz")).status_code == 200  # a restart would not help

        await asyncio.to_thread(database.start)
        await chat.hears(SERVING)
        assert (await chat.http.get("/readyz")).status_code == 200
        await send(chat.stub, "town", "after")
        listed = await chat.stub.ListMessages(pb.ListMessagesRequest(channel="town"))
        texts = [one.content for one in listed.messages]
        # The message in between may or may not be stored; acknowledged ones are.
        assert [text for text in texts if text != "meanwhile"] == ["before", "after"]
        assert await chat.metric("diptych_upstream_open") == 0


async def test_calls_fail_at_once_while_postgresql_is_down(database: MortalPostgres) -> None:
    """A crowd of calls is refused at once, each with a time to come back, and none of them fills up the threads."""
    async with running(database_url=database.url, database_connections=1) as chat:
        await chat.hears(SERVING)
        await asyncio.to_thread(database.kill)
        await chat.hears(NOT_SERVING)
        while not await chat.metric("diptych_upstream_open"):
            await chat.http.get("/v1/channels/town/messages")
        answers = await asyncio.gather(*(chat.http.get("/v1/channels/town/messages") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {503}
        assert await chat.metric('diptych_upstream_refused_total{reason="open"') >= 1
        await asyncio.to_thread(database.start)
        await chat.hears(SERVING)


async def test_valkey_goes_away_and_comes_back(tmp_path: Path) -> None:
    valkey = start_valkey()
    port = valkey.port
    try:
        url = f"redis://127.0.0.1:{port}/0"
        async with running(data_dir=str(tmp_path), broker="redis", redis_url=url) as chat:
            await chat.hears(SERVING)
            await asyncio.to_thread(valkey.stop)
            await chat.hears(NOT_SERVING)
            answer = await chat.http.get("/readyz")
            assert (answer.status_code, answer.json()["checks"]) == (200, {"chat": "failed"})
            # Acknowledged messages are stored; other processes only receive them later.
            sent = await send(chat.stub, "town", "meanwhile")
            assert sent.stored_count == 1
            valkey = start_valkey(port)
            await chat.hears(SERVING)
            assert (await chat.http.get("/readyz")).status_code == 200
    finally:
        valkey.stop()
