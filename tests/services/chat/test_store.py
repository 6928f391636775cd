"""The store over SQLite and PostgreSQL: order, idempotency, bounds, and what several processes do to one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from artificer_services.chat import database
from artificer_services.chat.settings import ChatSettings
from artificer_services.chat.sql_store import SqlStore
from artificer_services.chat.store import Draft, File, User, id_of, sequence_of
from artificer_services.kit.errors import Unavailable

ANN, BOB = User(id="ann", name="Ann"), User(id="bob")
ALL = {"after": 0, "limit": 1000, "max_bytes": 10**9}


def draft(content: str, *files: File, channel: str = "town", user: User = ANN, request_id: str = "") -> Draft:
    return Draft(
        channel=channel, user=user, content=content, files=files, request_id=request_id, digest=content.encode()
    )


def opened(place: dict[str, Any]) -> SqlStore:
    settings = ChatSettings(**place)
    opened = database.connect(settings)
    opened.prepare()
    return SqlStore(opened)


@pytest.fixture
async def store(place: dict[str, Any]) -> AsyncIterator[SqlStore]:
    made = opened(place)
    yield made
    await made.database.close()


async def test_stored_messages_are_returned_unchanged(store: SqlStore) -> None:
    files = (File(name="a.txt", media_type="text/plain", data=b"\0\xff"), File(name="b", data=b""))
    (appended,) = await store.append([draft("Grüße 🚢\nline two", *files, request_id="r1")])
    assert appended.fresh
    found = await store.get("town", 1, files=True)
    assert found == appended.message
    assert found is not None
    assert (found.content, found.user, found.files, found.request_id) == ("Grüße 🚢\nline two", ANN, files, "r1")
    bare = await store.get("town", 1, files=False)
    assert bare is not None
    assert (bare.files, bare.file_count) == ((), 2)
    assert await store.get("town", 2, files=True) is None
    assert await store.get("village", 1, files=True) is None


async def test_each_channel_counts_from_one(store: SqlStore) -> None:
    done = await store.append([draft("a", channel="x"), draft("b", channel="y"), draft("c", channel="x")])
    assert [(one.message.channel, one.message.sequence) for one in done] == [("x", 1), ("y", 1), ("x", 2)]
    assert await store.last(["x", "y", "z"]) == {"x": 2, "y": 1, "z": 0}


async def test_a_page_ends_at_its_count_or_its_bytes_and_has_one_message_at_least(store: SqlStore) -> None:
    await store.append([draft("x" * 100, File(name="f", data=b"y" * 1000)) for _ in range(5)])

    async def numbers(**bounds: Any) -> list[int]:
        return [one.sequence for one in await store.read("town", **{**ALL, "files": True, **bounds})]

    assert await numbers() == [1, 2, 3, 4, 5]
    assert await numbers(after=2) == [3, 4, 5]
    assert await numbers(limit=2) == [1, 2]
    assert await numbers(max_bytes=2200) == [1, 2]
    assert await numbers(max_bytes=1) == [1]
    assert await numbers(max_bytes=200, files=False) == [1, 2]
    assert await numbers(before=4) == [3, 2, 1]
    assert await numbers(before=4, limit=2) == [3, 2]


async def test_a_request_id_stores_once_for_each_user_and_channel(store: SqlStore) -> None:
    (first,) = await store.append([draft("hello", File(name="f", data=b"1"), request_id="r")])
    again, other_user, other_channel, other_content = await store.append(
        [
            draft("hello", File(name="f", data=b"1"), request_id="r"),
            draft("hello", user=BOB, request_id="r"),
            draft("hello", channel="village", request_id="r"),
            draft("goodbye", request_id="r"),
        ]
    )
    assert (again.fresh, again.same, again.message) == (False, True, first.message)
    assert (other_user.fresh, other_user.message.sequence) == (True, 2)
    assert (other_channel.fresh, other_channel.message.sequence) == (True, 1)
    assert (other_content.fresh, other_content.same, other_content.message.id) == (False, False, first.message.id)
    assert await store.last(["town"]) == {"town": 2}


async def test_a_request_id_twice_in_one_transaction_stores_once(store: SqlStore) -> None:
    done = await store.append([draft("a", request_id="r"), draft("a", request_id="r"), draft("b", request_id="r")])
    assert [(one.fresh, one.same, one.message.sequence) for one in done] == [
        (True, True, 1),
        (False, True, 1),
        (False, False, 1),
    ]


async def test_writers_in_several_processes_leave_no_gap(store: SqlStore, place: dict[str, Any]) -> None:
    """A reader that polls meanwhile never finds number n + 1 before number n."""
    others = [opened(place) for _ in range(3)]
    writing = asyncio.Event()

    async def write(own: SqlStore, name: str) -> None:
        for number in range(25):
            batch = [draft(f"{name} {number} {part}", channel=channel) for part in "ab" for channel in ("x", "y")]
            await own.append(batch if number % 2 else batch[::-1])
            writing.set()

    async def watch() -> list[int]:
        seen: list[int] = []
        await writing.wait()
        while len(seen) < 200:
            found = await store.read("x", after=len(seen), limit=1000, max_bytes=10**9, files=False)
            seen += [one.sequence for one in found]
            assert seen == list(range(1, len(seen) + 1))
        return seen

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(write(own, str(number)) for number, own in enumerate([store, *others])))
    assert len(await watching) == 200
    found = await store.read("y", **ALL, files=False)
    assert [one.sequence for one in found] == list(range(1, 201))
    assert len({one.content for one in found}) == 200
    assert [one.created for one in found] == sorted(one.created for one in found)
    for other in others:
        await other.database.close()


async def test_the_same_request_from_several_processes_is_stored_once(store: SqlStore, place: dict[str, Any]) -> None:
    others = [opened(place) for _ in range(3)]
    requests = [draft("once", request_id=f"r{number}") for number in range(10)]
    rounds = await asyncio.gather(*(own.append([one]) for own in [store, *others] for one in requests))
    assert sum(one.fresh for (one,) in rounds) == 10
    for request in requests:
        assert len({one.message.id for (one,) in rounds if one.message.request_id == request.request_id}) == 1
    assert await store.last(["town"]) == {"town": 10}
    for other in others:
        await other.database.close()


async def test_a_clock_set_back_makes_no_message_older(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = await store.append([draft("a")])
    monkeypatch.setattr("time.time_ns", lambda: 10**18)  # 2001
    (second,) = await store.append([draft("b")])
    assert second.message.created >= first.message.created


async def test_stored_messages_outlive_their_connections(place: dict[str, Any]) -> None:
    for number in range(3):
        store = opened(place)
        (done,) = await store.append([draft(str(number))])
        assert done.message.sequence == number + 1
        await store.database.close()


async def test_an_unreachable_database_is_unavailable() -> None:
    store = SqlStore(database.connect(ChatSettings(database_url="postgresql://nobody@127.0.0.1:1/none")))
    with pytest.raises(Unavailable):
        await store.ping()
    await store.database.close()


def test_ids_are_numbers_that_sort_as_text() -> None:
    ids = [id_of(number) for number in (1, 9, 10, 99, 10**12)]
    assert ids == sorted(ids)
    assert [sequence_of(one) for one in ids] == [1, 9, 10, 99, 10**12]
    assert [sequence_of(bad) for bad in ("", "1", "0" * 15, "x" * 15, "-00000000000001", "٠" * 15)] == [None] * 6


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"broker": "postgres"}, "requires database_url"),
        ({"broker": "redis"}, "requires redis_url"),
        ({"broker": "carrier-pigeon"}, "must be auto, memory, postgres or redis"),
        ({"database_url": "mysql://x"}, "postgresql://"),
        ({"queue_messages": 0}, "must be positive"),
        ({"max_files": -1}, "must not be negative"),
        ({"data_dir": ""}, "must name a folder"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ChatSettings(**settings)


def test_the_sqlite_folder_is_private_to_its_owner(tmp_path: Path) -> None:
    settings = ChatSettings(data_dir=str(tmp_path / "deep" / "data"))
    opened = database.connect(settings)
    opened.prepare()
    opened.engine.dispose()
    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700
