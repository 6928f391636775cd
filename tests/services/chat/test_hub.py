"""Readers of a channel, in one process over SQLite: no gap, nothing twice, and a slow one is cut alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from artificer_services.chat import database
from artificer_services.chat.hub import ChannelReader, Hub
from artificer_services.chat.settings import ChatSettings
from artificer_services.chat.sql_store import SqlStore
from artificer_services.chat.store import Draft, File, Message, User, id_of
from artificer_services.chat.writer import Writer
from artificer_services.kit.errors import TooSlow, Unavailable


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    settings = ChatSettings(data_dir=str(tmp_path))
    opened = database.connect(settings)
    opened.prepare()
    made = SqlStore(opened)
    yield made
    await made.database.close()


def hub_of(store: SqlStore, *, messages: int = 8, max_bytes: int = 10**6) -> Hub:
    return Hub(store, messages=messages, max_bytes=max_bytes, batch=3)


async def put(store: SqlStore, count: int, size: int = 1) -> list[Message]:
    drafts = [
        Draft(channel="town", user=User(id="ann"), content="x", files=(File(name="f", data=b"y" * (size - 1)),))
        for _ in range(count)
    ]
    return [one.message for one in await store.append(drafts)]


async def until(reader: ChannelReader, last: int) -> list[int]:
    seen: list[int] = []
    while not seen or seen[-1] < last:
        seen += [message.sequence for message in await reader.next()]
    return seen


@pytest.mark.parametrize("seed", range(8))
async def test_no_gap_and_no_duplicate_under_any_interleaving(store: SqlStore, seed: int) -> None:
    """Readers come at any time and begin anywhere; messages are offered, told of late, told of twice, or swept."""
    dice = random.Random(seed)
    hub = hub_of(store, messages=50)
    done = asyncio.Event()
    total = 60

    async def write() -> None:
        written = 0
        while written < total:
            messages = await put(store, min(dice.randint(1, 4), total - written))
            written += len(messages)
            match dice.randrange(4):
                case 0:
                    hub.stored(messages)
                case 1:
                    hub.notified("town", messages[-1].sequence)
                    hub.stored(messages)
                case 2:
                    hub.notified("town", messages[-1].sequence - 1)
                case _:
                    await hub.sweep()
        done.set()

    async def read() -> None:
        for _ in range(dice.randint(0, 30)):
            await store.ping()
        async with hub.listen("town") as listening:
            after = dice.randint(0, listening.last)
            assert await until(listening.read(after, files=False), total) == list(range(after + 1, total + 1))

    async def sweep() -> None:
        await done.wait()
        await hub.sweep()

    async with asyncio.timeout(60):
        await asyncio.gather(write(), sweep(), *(read() for _ in range(12)))
    assert hub.channels == []
    await hub.close()


async def test_only_the_reader_that_stops_is_ended(store: SqlStore) -> None:
    hub = hub_of(store)
    async with hub.listen("town") as listening:
        slow, quick = listening.read(0, files=False), listening.read(0, files=False)
        hub.stored(await put(store, 1))
        assert [await until(slow, 1), await until(quick, 1)] == [[1], [1]]
        for number in range(2, 12):
            hub.stored(await put(store, 1))
            assert await until(quick, number) == [number]
        with pytest.raises(TooSlow, match="`after`") as caught:
            await slow.next()
        assert caught.value.after == id_of(1)
        again = listening.read(1, files=False)
        assert await until(again, 11) == list(range(2, 12))


async def test_a_reader_is_also_ended_by_bytes(store: SqlStore) -> None:
    hub = hub_of(store, messages=1000, max_bytes=10_000)
    async with hub.listen("town") as listening:
        slow = listening.read(0, files=True)
        hub.stored(await put(store, 1))
        await until(slow, 1)
        for _ in range(4):
            hub.stored(await put(store, 1, 4000))
        with pytest.raises(TooSlow):
            await slow.next()


async def test_a_burst_larger_than_the_queue_ends_no_reader(store: SqlStore) -> None:
    """As after a lost connection: who kept up until then gets them from the store."""
    hub = hub_of(store)
    async with hub.listen("town") as listening:
        readers = [listening.read(0, files=False) for _ in range(3)]
        hub.stored(await put(store, 2))
        assert [await until(reader, 2) for reader in readers] == [[1, 2]] * 3
        waiting = [asyncio.create_task(until(reader, 40)) for reader in readers]
        hub.stored(await put(store, 38))
        assert await asyncio.gather(*waiting) == [list(range(3, 41))] * 3
        hub.stored(await put(store, 1))
        assert [await until(reader, 41) for reader in readers] == [[41]] * 3


async def test_readers_of_history_are_never_ended(store: SqlStore) -> None:
    hub = hub_of(store)
    await put(store, 30)
    async with hub.listen("town") as listening:
        reader = listening.read(0, files=False)
        seen = [message.sequence for message in await reader.next()]
        for _ in range(20):
            hub.stored(await put(store, 1))
        assert seen + await until(reader, 50) == list(range(1, 51))


async def test_files_of_history_are_read_only_on_request(store: SqlStore) -> None:
    hub = hub_of(store)
    await put(store, 1, 100)
    async with hub.listen("town") as listening:
        (bare,) = await listening.read(0, files=False).next()
        (whole,) = await listening.read(0, files=True).next()
    assert (bare.files, bare.file_count) == ((), 1)
    assert len(whole.files[0].data) == 99


@pytest.mark.parametrize("number", [5, 10**12])
async def test_a_notification_of_a_missing_message_is_harmless(store: SqlStore, number: int) -> None:
    """As where two databases share a broker."""
    hub = hub_of(store)
    async with hub.listen("town") as listening:
        reader = listening.read(0, files=False)
        hub.notified("town", number)
        while looking := [task for task in asyncio.all_tasks() if task.get_name() == "chat-catch-up"]:
            await asyncio.wait(looking)
        hub.stored(await put(store, 1))
        assert await until(reader, 1) == [1]


async def test_a_failed_subscription_can_be_repeated(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = hub_of(store)
    with monkeypatch.context() as patched:

        async def last(channels: object) -> dict[str, int]:
            raise Unavailable("the message store cannot be reached")

        patched.setattr(store, "last", last)
        for _ in range(2):
            with pytest.raises(Unavailable):
                async with hub.listen("town"):
                    raise AssertionError("there is nothing to listen to")
    assert hub.channels == []
    await put(store, 1)
    async with hub.listen("town") as listening:
        assert listening.last == 1


async def test_closing_ends_every_reader(store: SqlStore) -> None:
    hub = hub_of(store)
    async with hub.listen("town") as listening:
        waiting = asyncio.create_task(listening.read(0, files=False).next())
        await hub.close()
        with pytest.raises(Unavailable):
            await waiting


async def test_sends_that_wait_share_a_transaction_and_keep_their_order(store: SqlStore) -> None:
    seen: list[list[int]] = []
    writer = Writer(store, lambda messages: seen.append([message.sequence for message in messages]))
    drafts = [Draft(channel="town", user=User(id="ann"), content=str(number)) for number in range(600)]
    done = await asyncio.gather(*(writer.submit(draft) for draft in drafts))
    assert [one.message.content for one in done] == [draft.content for draft in drafts]
    assert [one.message.sequence for one in done] == list(range(1, 601))
    assert [number for batch in seen for number in batch] == list(range(1, 601))
    assert len(seen) <= 4
    await writer.close()
    with pytest.raises(Unavailable, match="stopping"):
        await writer.submit(drafts[0])


async def test_a_send_cancelled_before_it_began_is_not_stored(store: SqlStore) -> None:
    writer = Writer(store, lambda messages: None)
    first, second, third = (
        writer.submit(Draft(channel="town", user=User(id="ann"), content=text)) for text in ("a", "b", "c")
    )
    second.cancel()
    await first
    await third
    await writer.close()
    found = await store.read("town", after=0, limit=10, max_bytes=1000, files=False)
    assert [message.content for message in found] == ["a", "c"]


async def test_closing_stores_accepted_messages(store: SqlStore) -> None:
    writer = Writer(store, lambda messages: None)
    taken = [writer.submit(Draft(channel="town", user=User(id="ann"), content=str(number))) for number in range(300)]
    await writer.close()
    assert all(one.done() for one in taken)
    assert await store.last(["town"]) == {"town": 300}
