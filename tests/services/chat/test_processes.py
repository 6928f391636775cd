"""The built program as processes of their own: two gateways on one PostgreSQL, and a kill in the middle of sends."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx2

from artificer.chat.v1 import message_service_pb2 as pb
from artificer.chat.v1 import message_service_pb2_grpc as rpc
from tests.services.postgres import Postgres
from tests.waiting import PATIENCE, until_told

from .conftest import send

ROOT = Path(__file__).parents[3]
_LISTENING = re.compile(r"HTTP on (http://\S+:\d+), gRPC on (\S+:\d+)")
_CREATE = """
import sys
from artificer.chat.v1 import message_service_pb2_grpc as rpc
from artificer_services.chat.build import ChatService, ChatSettings
from diptych import Gateway, Settings

chat = ChatService(ChatSettings(**{sys.argv[1]: sys.argv[2]}))
gateway = Gateway(Settings(http_port=0, grpc_port=0), lifespan=chat.lifespan, readiness={"chat": chat.ready})
rpc.add_MessageServiceServicer_to_server(chat.servicer, gateway)
import logging
logging.basicConfig(level=logging.INFO)
gateway.run()
"""


@dataclass(frozen=True)
class Running:
    """A process, where it listens, and a client of it."""

    process: asyncio.subprocess.Process
    http: str
    stub: rpc.MessageServiceAsyncStub


@asynccontextmanager
async def running(place: dict[str, str]) -> AsyncIterator[Running]:
    """A gateway with chat behind it, in a process of its own; ended if it is not."""
    ((name, value),) = place.items()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CREATE, name, value, stderr=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ}
    )
    assert process.stderr is not None
    seen = b""
    try:
        async with asyncio.timeout(60):
            while (found := _LISTENING.search(seen.decode())) is None:
                line = await process.stderr.readline()
                assert line, seen.decode()
                seen += line
        draining = asyncio.create_task(process.stderr.read())
        async with grpc.aio.insecure_channel(found[2]) as channel:
            yield Running(process, found[1], rpc.MessageServiceStub(channel))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    await draining


async def take(stream: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(60):
        return [await anext(stream) for _ in range(count)]


async def _ready(client: httpx2.AsyncClient, address: str) -> bool:
    answer = await client.get(address + "/readyz")
    return bool(answer.json()["checks"] == {"chat": "ok"})


async def test_two_processes_on_one_postgresql_deliver_to_each_other(postgres: Postgres) -> None:
    place = {"database_url": postgres.fresh()}
    async with running(place) as one, running(place) as other:
        ann, bob = one.stub.ChatStream(), other.stub.ChatStream()
        for call, name in ((ann, "ann"), (bob, "bob")):
            await call.write(pb.ChatStreamRequest(channel="town", user=pb.User(id=name)))
            event: Any = await call.read()
            assert event.joined.channel == "town"
        for call, text in ((ann, "from one"), (bob, "from the other")):
            await call.write(pb.ChatStreamRequest(content=text))
            heard: list[Any] = [await ann.read(), await bob.read()]
            assert [event.message.content for event in heard] == [text, text]
            assert heard[0] == heard[1]
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            for process in (one, other):
                assert await until_told(partial(_ready, client, process.http))  # the first may be too early
                page = await client.get(process.http + "/v1/channels/town/messages?include_user=true")
                texts = [(message["user"]["id"], message["content"]) for message in page.json()["messages"]]
                assert texts == [("ann", "from one"), ("bob", "from the other")]
        ann.cancel()
        bob.cancel()


async def _talk(
    stub: rpc.MessageServiceAsyncStub, name: str, acknowledged: dict[str, str], enough: asyncio.Event
) -> None:
    """Say one thing after another until the connection breaks; what was echoed is acknowledged."""
    call = stub.ChatStream()
    await call.write(pb.ChatStreamRequest(channel="town", user=pb.User(id=name)))
    try:
        number = 0
        while True:
            await call.write(pb.ChatStreamRequest(content=f"{name} {number}", request_id=f"{name}-{number}"))
            number += 1
            event: Any = None
            while event is None or event.message.user.id != name:
                event = await call.read()
                assert event is not grpc.aio.EOF
            acknowledged[event.message.request_id] = event.message.id
            if len(acknowledged) >= 100:
                enough.set()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return


async def test_a_process_that_is_killed_loses_nothing_it_acknowledged(place: dict[str, str]) -> None:
    acknowledged: dict[str, str] = {}
    enough = asyncio.Event()
    async with running(place) as first:
        talking = [asyncio.create_task(_talk(first.stub, f"p{n}", acknowledged, enough)) for n in range(8)]
        async with asyncio.timeout(60):
            await enough.wait()
        first.process.kill()
        await asyncio.gather(*talking)
    assert len(acknowledged) >= 100
    async with running(place) as second:
        # Callers repeat unacknowledged messages; stored ones are not stored twice.
        unsure = [(name, number) for name in (f"p{n}" for n in range(8)) for number in range(5)]
        again = await second.stub.SendMessages(
            iter(
                pb.SendMessagesRequest(
                    channel="town", user=pb.User(id=name), content=f"{name} {number}", request_id=f"{name}-{number}"
                )
                for name, number in unsure
            )
        )
        assert again.stored_count + again.duplicate_count == len(unsure)
        stored: list[pb.Message] = []
        token = ""
        while not stored or token:
            page = await second.stub.ListMessages(
                pb.ListMessagesRequest(channel="town", page_size=1000, page_token=token)
            )
            stored += page.messages
            token = page.next_page_token
        ids = {message.request_id: message.id for message in stored}
        assert len(ids) == len(stored)  # everything once
        assert acknowledged.items() <= ids.items()
        assert [message.id for message in stored] == [f"{number:015d}" for number in range(1, len(stored) + 1)]
        # The channel continues.
        answer = await send(second.stub, "town", "after")
        assert list(answer.ids) == [f"{len(stored) + 1:015d}"]


async def test_a_reader_resumes_at_another_process(postgres: Postgres) -> None:
    place = {"database_url": postgres.fresh()}
    async with running(place) as other:
        async with running(place) as one:
            reading = one.stub.StreamMessages(pb.StreamMessagesRequest(channel="town"))
            await reading.initial_metadata()
            await send(other.stub, "town", "1", "2")
            seen = await take(aiter(reading), 2)
            one.process.kill()
        await send(other.stub, "town", "3")
        again = other.stub.StreamMessages(pb.StreamMessagesRequest(channel="town", after=seen[-1].id))
        assert [message.content for message in await take(aiter(again), 1)] == ["3"]
        again.cancel()
