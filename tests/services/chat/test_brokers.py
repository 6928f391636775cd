"""Between processes: two services on one database hear of each other's messages, and of those they missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from artificer.chat.v1 import message_service_pb2 as pb
from artificer_services.chat.broker import parse, payload_of
from artificer_services.chat.settings import ChatSettings
from tests.services.postgres import Postgres
from tests.valkey import start_valkey
from tests.waiting import until_told

from .conftest import Serve, Served, send

# No sweep runs within a test, except in tests of the sweep.
NEVER = 10_000.0


@pytest.fixture(params=["postgres", "redis over sqlite", "redis over postgres"])
def between(request: pytest.FixtureRequest, postgres: Postgres, valkey: str, tmp_path: Path) -> dict[str, Any]:
    """What two processes have in common."""
    if request.param == "postgres":
        return {"database_url": postgres.fresh(), "sweep_seconds": NEVER}
    redis = {"broker": "redis", "redis_url": valkey, "redis_channel": str(tmp_path), "sweep_seconds": NEVER}
    if request.param == "redis over sqlite":
        return {"data_dir": str(tmp_path), **redis}
    return {"database_url": postgres.fresh(), **redis}


async def listening(served: Served, channel: str = "town") -> tuple[Any, AsyncIterator[pb.Message]]:
    """A stream that has begun: whatever is sent from now on reaches it."""
    call = served.stub.StreamMessages(pb.StreamMessagesRequest(channel=channel))
    await call.initial_metadata()
    return call, aiter(call)


async def take(stream: AsyncIterator[pb.Message], count: int) -> list[str]:
    async with asyncio.timeout(60):
        return [(await anext(stream)).content for _ in range(count)]


async def healthy(*services: Served) -> None:
    """Both are ready: they hear from each other."""
    for served in services:
        await until_told(served.service.ready)


async def test_two_processes_hear_each_other(serve: Serve, between: dict[str, Any]) -> None:
    async with serve(**between) as one, serve(**between) as other:
        await healthy(one, other)
        _, at_one = await listening(one)
        _, at_other = await listening(other)
        await send(one.stub, "town", "from one")
        assert [await take(at_one, 1), await take(at_other, 1)] == [["from one"]] * 2
        await send(other.stub, "town", "from the other")
        assert [await take(at_one, 1), await take(at_other, 1)] == [["from the other"]] * 2


async def test_concurrent_senders_see_the_same_order(serve: Serve, between: dict[str, Any]) -> None:
    async with serve(**between) as one, serve(**between) as other:
        await healthy(one, other)
        _, at_one = await listening(one)
        _, at_other = await listening(other)
        texts = [f"{number}" for number in range(50)]
        await asyncio.gather(
            *(send(served.stub, "town", *texts, user=name) for served, name in ((one, "a"), (other, "b")))
        )
        async with asyncio.timeout(60):
            first = [(await anext(at_one)).id for _ in range(100)]
            second = [(await anext(at_other)).id for _ in range(100)]
    assert first == second == sorted(set(first))


async def test_messages_sent_during_a_lost_connection_arrive_after_it(serve: Serve, postgres: Postgres) -> None:
    shared: dict[str, Any] = {"database_url": postgres.fresh(), "sweep_seconds": NEVER}
    # The sender notifies no process: only the new connection can deliver the messages.
    async with serve(**shared, broker="memory") as silent, serve(**shared) as reader:
        await healthy(reader)
        _, stream = await listening(reader)
        await send(silent.stub, "town", "nobody was told", "of these")
        assert postgres.cut_listeners(shared["database_url"]) == 1
        assert await take(stream, 2) == ["nobody was told", "of these"]
        await healthy(reader)


async def test_messages_sent_while_redis_is_down_arrive_after_its_return(serve: Serve, tmp_path: Path) -> None:
    server = start_valkey()
    port = server.port
    shared = {
        "data_dir": str(tmp_path),
        "broker": "redis",
        "redis_url": f"redis://127.0.0.1:{port}/0",
        "sweep_seconds": NEVER,
    }
    async with serve(**shared) as one, serve(**shared) as other:
        await healthy(one, other)
        _, stream = await listening(other)
        await send(one.stub, "town", "before")
        assert await take(stream, 1) == ["before"]
        server.stop()
        await send(one.stub, "town", "while it was gone")

        async def deaf() -> bool:
            return not await other.service.ready()

        await until_told(deaf)
        server = start_valkey(port)
        assert await take(stream, 1) == ["while it was gone"]
        await send(one.stub, "town", "after")
        assert await take(stream, 1) == ["after"]
    server.stop()


async def test_the_sweep_finds_messages_without_a_notification(serve: Serve, tmp_path: Path) -> None:
    """Two processes on one SQLite file without a broker between them: late, and whole."""
    shared = {"data_dir": str(tmp_path), "sweep_seconds": 0.05}
    async with serve(**shared) as one, serve(**shared) as other:
        _, stream = await listening(other)
        await send(one.stub, "town", "a", "b")
        assert await take(stream, 2) == ["a", "b"]


async def test_a_service_without_its_broker_serves_and_is_not_ready(serve: Serve, tmp_path: Path) -> None:
    shared = {"data_dir": str(tmp_path), "broker": "redis", "redis_url": "redis://127.0.0.1:1/0"}
    async with serve(**shared) as served:
        _, stream = await listening(served)
        await send(served.stub, "town", "to myself")
        assert await take(stream, 1) == ["to myself"]
        assert not await served.service.ready()


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, "memory"),
        ({"database_url": "postgresql://x/y"}, "postgres"),
        ({"database_url": "postgresql://x/y", "broker": "memory"}, "memory"),
        ({"broker": "redis", "redis_url": "redis://x"}, "redis"),
    ],
)
def test_the_default_broker_depends_on_the_database(settings: dict[str, Any], kind: str) -> None:
    assert ChatSettings(**settings).broker_kind == kind


@pytest.mark.parametrize("payload", ["", "7", "7 ", "x town", "-7 town", "٧ town", "9" * 40 + " town"])
def test_malformed_notifications_are_ignored(payload: str) -> None:
    assert parse(payload) is None


def test_a_notification_survives_a_round_trip() -> None:
    write: Callable[[str, int], str] = payload_of
    assert parse(write("straße-9", 42)) == ("straße-9", 42)
