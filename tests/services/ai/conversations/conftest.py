"""Conversations as their clients meet them: a real gateway over a real SQLite or PostgreSQL, with scripted models."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from artificer.conversation.v1 import conversation_service_pb2 as pb
from artificer.conversation.v1 import conversation_service_pb2_grpc as rpc
from artificer_services.ai.build import AiService, AiSettings
from artificer_services.ai.conversations import database
from artificer_services.ai.conversations.settings import ConversationSettings
from artificer_services.ai.conversations.sql_store import SqlStore
from artificer_services.ai.models.scripted import ScriptedChat
from artificer_services.ai.models.settings import ScriptedChatSettings, ScriptedEmbeddingSettings
from artificer_services.kit.composition import gateway_of
from diptych import Gateway, Settings
from tests.services.postgres import Postgres
from tests.waiting import PATIENCE

KINDS = ["sqlite", "postgres"]


def migrated(**place: Any) -> None:
    """Make the tables of an empty database, and leave it."""
    opened = database.connect(**{"data_dir": "", **place})
    opened.prepare()
    opened.engine.dispose()


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database whose tables were made, for copies."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    migrated(data_dir=str(folder))
    return folder


@pytest.fixture(scope="session")
def migrated_url(postgres: Postgres) -> str:
    """A PostgreSQL database whose tables were made, for copies."""
    url = postgres.fresh()
    migrated(database_url=url)
    return url


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where conversations are kept: what AiSettings takes, for a database of each kind with empty tables."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated_folder"), tmp_path / "data")
        return {"data_dir": str(tmp_path / "data")}
    postgres: Postgres = request.getfixturevalue("postgres")
    url = postgres.fresh(like=request.getfixturevalue("migrated_url"))
    return {"data_dir": str(tmp_path / "data"), "database_url": url}


@pytest.fixture(params=KINDS)
def bare_place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The same without tables, as the first start of a service finds it."""
    place = {"data_dir": str(tmp_path / "data")}
    return place if request.param == "sqlite" else place | {"database_url": request.getfixturevalue("postgres").fresh()}


@pytest.fixture
async def store(place: dict[str, Any]) -> AsyncIterator[SqlStore]:
    """A store over an empty database of each kind."""
    opened = database.connect(**place)
    await opened.open()
    try:
        yield SqlStore(opened)
    finally:
        await opened.close()


@dataclass(frozen=True)
class Served:
    """A running gateway and its clients."""

    gateway: Gateway
    service: AiService
    http: httpx2.AsyncClient
    stub: rpc.ConversationServiceAsyncStub

    @property
    def http_port(self) -> int:
        """The port of HTTP."""
        return self.gateway.http_port

    @property
    def model(self) -> ScriptedChat:
        """The default chat model."""
        model = self.service.models.chat_model()
        assert isinstance(model, ScriptedChat)
        return model

    async def start(self, **fields: Any) -> str:
        """Returns the id of a new conversation."""
        made = await self.stub.CreateConversation(pb.CreateConversationRequest(conversation=pb.Conversation(**fields)))
        return made.id

    async def send(self, conversation: str, content: str, **fields: Any) -> list[pb.AnswerEvent]:
        """Returns the events of an answer."""
        request = pb.SendMessageRequest(conversation=conversation, content=content, **fields)
        return [event async for event in self.stub.SendMessage(request)]

    async def messages(self, conversation: str) -> list[pb.Message]:
        """Returns the messages of a conversation."""
        found = await self.stub.ListMessages(pb.ListMessagesRequest(conversation=conversation, page_size=1000))
        return list(found.messages)


async def refused(call: Any) -> grpc.aio.AioRpcError:
    """The error of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def fields_of(error: grpc.aio.AioRpcError) -> list[str]:
    """The fields that a BadRequest names."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    found = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(found)
    return [violation.field for violation in found.field_violations]


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def serving(
    place: dict[str, Any], *, chat: dict[str, Any] | None = None, models: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Served]:
    """A gateway with the AI services on free ports. `chat` is of the default model, `models` are further ones."""
    chats = {"scripted": ScriptedChatSettings(**(chat or {"replies": ("The answer is 42.",)})), **(models or {})}
    service = AiService(
        AiSettings(
            chat_models=chats,
            embedding_models={"hashed": ScriptedEmbeddingSettings()},
            conversations=ConversationSettings(**settings),
            **place,
        )
    )
    async with gateway_of(Settings(http_port=0, grpc_port=0), [service]) as gateway:
        # Otherwise channels to one address share a connection and its flow control.
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with (
            grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}", options=options) as channel,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=PATIENCE) as http,
        ):
            yield Served(gateway, service, http, rpc.ConversationServiceStub(channel))
        await gateway.stop(0)


@pytest.fixture
def serve() -> Serve:
    """Starts a gateway of the test's own: `async with serve(place, **settings) as served`."""
    return serving


@pytest.fixture
async def served(place: dict[str, Any]) -> AsyncIterator[Served]:
    """A gateway over an empty database of each kind, whose model says that the answer is 42."""
    async with serving(place) as running:
        yield running
