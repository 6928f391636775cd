"""Old messages are removed by a setting, and what readers meet afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from sqlalchemy import Connection, func, select, update

from artificer.chat.v1 import message_service_pb2 as pb
from artificer_services.chat import database, schema
from artificer_services.chat.settings import ChatSettings
from tests.waiting import until_here, until_told

from .conftest import Serve, Served, send

DAY_MICROS = 86_400 * 1_000_000
FILE = pb.File(name="a.txt", data=b"a")


def age(place: dict[str, Any], channel: str, last: int, days: float) -> None:
    """Makes the messages of a channel up to a number so many days old."""
    opened = database.connect(ChatSettings(**place))
    table = schema.messages

    def write(connection: Connection) -> None:
        created = time.time_ns() // 1000 - round(days * DAY_MICROS)
        rows = update(table).where(table.c.channel == channel, table.c.sequence <= last)
        connection.execute(rows.values(created=created))

    with opened.engine.connect().execution_options(write=True) as connection, connection.begin():
        write(connection)
    opened.engine.dispose()


async def fill(served: Served, channel: str, count: int) -> None:
    requests: Iterable[pb.SendMessagesRequest] = (
        pb.SendMessagesRequest(channel=channel, user=pb.User(id="ann"), content=f"{number}", files=[FILE])
        for number in range(1, count + 1)
    )
    await served.stub.SendMessages(iter(requests))


async def contents(served: Served, channel: str, **fields: Any) -> list[str]:
    listed = await served.stub.ListMessages(pb.ListMessagesRequest(channel=channel, page_size=1000, **fields))
    return [message.content for message in listed.messages]


async def test_old_messages_are_removed_with_their_files(place: dict[str, Any], serve: Serve) -> None:
    async with serve(**place) as served:
        await fill(served, "town", 1200)  # more than one transaction removes
        await fill(served, "quiet", 3)
        await fill(served, "new", 2)
    age(place, "town", 1195, 31)
    age(place, "quiet", 3, 31)
    age(place, "new", 2, 29)
    async with serve(**place, keep_days=30) as served:

        async def removed() -> bool:
            return len(await contents(served, "town")) == 5 and not await contents(served, "quiet")

        await until_told(removed)
        assert await contents(served, "town", order_by="create_time desc") == ["1200", "1199", "1198", "1197", "1196"]
        assert await contents(served, "new") == ["1", "2"]
        count = select(func.count()).select_from(schema.files)
        assert await served.service.database.read(lambda connection: connection.scalar(count)) == 7
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await served.stub.GetMessage(pb.GetMessageRequest(channel="town", id="000000000000001"))
        assert gone.value.code() is grpc.StatusCode.NOT_FOUND
        # Numbers continue, and readers resume with what is kept.
        sent = await send(served.stub, "quiet", "again")
        assert sent.ids == ["000000000000004"]
        for channel, after, expected in (
            ("quiet", "000000000000001", ["again"]),
            ("town", "000000000000002", ["1196", "1197", "1198", "1199", "1200"]),
        ):
            stream = served.stub.StreamMessages(pb.StreamMessagesRequest(channel=channel, after=after))
            found: list[Any] = [await stream.read() for _ in expected]
            assert [message.content for message in found] == expected
            stream.cancel()
        metrics = list(served.service.metrics.collect())
        assert "artificer_retention_timestamp_seconds" in {family.name for family in metrics}


async def test_a_machine_whose_clock_is_ahead_removes_no_new_message(
    place: dict[str, Any], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In PostgreSQL the database's clock counts; SQLite has that of its only machine for the messages too."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 60 * DAY_MICROS * 1000)
    async with serve(**place, keep_days=30) as served:
        await fill(served, "town", 2)
        await served.service._retention.once()
        assert await contents(served, "town") == ["1", "2"]


async def test_without_the_setting_messages_are_kept(place: dict[str, Any], serve: Serve) -> None:
    assert ChatSettings().keep_days == 0
    async with serve(**place) as served:
        await fill(served, "town", 2)
    age(place, "town", 2, 10_000)
    async with serve(**place) as served:
        await until_here(lambda: [*served.service.metrics.collect()])  # it has started everything
        assert await contents(served, "town") == ["1", "2"]
        families = {family.name for family in served.service.metrics.collect()}
        assert "artificer_retention_timestamp_seconds" not in families


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="keep_days must not be negative"):
        ChatSettings(keep_days=-1)
