"""Chat as its clients meet it: real SQLite, real PostgreSQL, real Valkey, grpc.aio servers on free ports."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from artificer.chat.v1 import message_service_pb2 as pb
from artificer.chat.v1 import message_service_pb2_grpc as rpc
from artificer_services.chat import database
from artificer_services.chat.build import ChatService, ChatSettings, build
from tests.services.postgres import Postgres
from tests.valkey import start_valkey


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The URL of a Valkey from pip."""
    server = start_valkey()
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()


KINDS = ["sqlite", "postgres"]


def migrated(**place: Any) -> None:
    """Make the tables of an empty database, and leave it."""
    opened = database.connect(ChatSettings(**place))
    opened.prepare()
    opened.engine.dispose()


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database whose tables were made: to copy it takes a tenth of the time that making them does."""
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
    """Where messages are kept: what ChatSettings takes, for a database of each kind with empty tables."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated_folder"), tmp_path / "data")
        return {"data_dir": str(tmp_path / "data")}
    postgres: Postgres = request.getfixturevalue("postgres")
    return {"database_url": postgres.fresh(like=request.getfixturevalue("migrated_url"))}


@pytest.fixture(params=KINDS)
def bare_place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The same without tables, as the first start of a service finds it."""
    if request.param == "sqlite":
        return {"data_dir": str(tmp_path / "data")}
    return {"database_url": request.getfixturevalue("postgres").fresh()}


@dataclass(frozen=True)
class Served:
    """A running service and a client of it."""

    service: ChatService
    stub: rpc.MessageServiceAsyncStub


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Served]:
    """A service on a grpc.aio server, and a client with a connection of its own."""
    service = build(ChatSettings(**settings))
    server = grpc.aio.server()
    rpc.add_MessageServiceServicer_to_server(service.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    async with service.lifespan():
        await server.start()
        try:
            # Otherwise channels to one address share a connection and its flow control.
            options = [("grpc.use_local_subchannel_pool", 1)]
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                yield Served(service, rpc.MessageServiceStub(channel))
        finally:
            await server.stop(None)


@pytest.fixture
def serve() -> Serve:
    """Starts a service of the test's own: `async with serve(**settings) as served`."""
    return serving


@pytest.fixture
async def served(place: dict[str, Any]) -> AsyncIterator[Served]:
    """A service over an empty database of each kind, with its default settings."""
    async with serving(**place) as running:
        yield running


async def send(
    stub: rpc.MessageServiceAsyncStub, channel: str, *contents: str, user: str = "ann"
) -> pb.SendMessagesResponse:
    """Send texts to a channel."""
    who = pb.User(id=user)
    requests = [pb.SendMessagesRequest(channel=channel, user=who, content=content) for content in contents]
    answer: pb.SendMessagesResponse = await stub.SendMessages(iter(requests))
    return answer
