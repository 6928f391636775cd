"""The database under the store of jobs: migrations, concurrent processes, and outages."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, inspect, text

from artificer_services.batch.jobs.errors import IllegalTransition, LostSlot, Unavailable
from artificer_services.batch.jobs.job import JobDraft
from artificer_services.batch.jobs.states import ItemState, JobState, Verb
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Done
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store import database, schema
from artificer_services.kit import storage
from tests.services.postgres import Postgres
from tests.waiting import wait_for

from .helpers import item, make_job, open_store, results, settings_for

VERSION_TABLE = "batch_alembic_version"


@pytest.fixture
def store(place: dict[str, Any]) -> Iterator[Store]:
    opened = open_store(settings_for(place), durable=True)
    yield opened
    opened.close()


# Tables.


def test_migrations_and_models_agree(bare_place: dict[str, Any]) -> None:
    settings = BatchSettings(**bare_place)
    for _ in range(2):  # the second call has nothing to do
        open_store(settings, durable=True).close()
    engine = database.connect(settings, durable=True)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == database.MIGRATIONS.head
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()
    assert ScriptDirectory(str(database.MIGRATIONS.folder)).get_heads() == [database.MIGRATIONS.head]


def test_migrations_can_be_reverted_on_every_database(bare_place: dict[str, Any]) -> None:
    settings = BatchSettings(**bare_place)
    open_store(settings, durable=True).close()
    engine = database.connect(settings, durable=True)
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS.folder))
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == [VERSION_TABLE]
    open_store(settings, durable=True).close()
    assert set(inspect(engine).get_table_names()) == {VERSION_TABLE, *schema.metadata.tables}
    engine.dispose()


def test_migrations_have_no_idle_timeout(postgres: Postgres) -> None:
    """On a busy machine, time passes between two statements, and the server ends idle transactions."""
    engine = database.connect(BatchSettings(database_url=postgres.fresh()), durable=True)
    told: list[str] = []

    def idle(connection: Connection) -> str:
        return str(connection.scalar(text("SHOW idle_in_transaction_session_timeout")))

    def look(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if "CREATE TABLE batch_" in statement:
            told.append(idle(connection))

    event.listen(engine, "after_cursor_execute", look)
    storage.prepare(engine, database.MIGRATIONS)
    assert set(told) == {"2min"}
    with engine.connect() as connection:
        assert idle(connection) == "5s"
    engine.dispose()


def test_the_folder_is_private_to_its_owner(tmp_path: Path) -> None:
    open_store(BatchSettings(data_dir=str(tmp_path / "deep" / "data")), durable=True).close()
    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700


# Several at once.

_WORK = """
import json, sys
from artificer_services.batch.jobs.job import LogLine
from artificer_services.batch.jobs.work import Done
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store.database import open_store
settings = BatchSettings(**json.loads(sys.argv[1]))
sys.stdin.readline()
store = open_store(settings, durable=False)
while slot := store.open_slot(sys.argv[2]):
    claimed = store.claim(slot, 2)
    while claimed:
        outcomes = [Done(index=one.index, phase=0, output=sys.argv[2], tokens=1) for one in claimed]
        lines = [LogLine(level=20, message=str(one.index), time=0, item=one.index) for one in claimed]
        claimed = store.checkpoint(slot, outcomes, lines, want=2)
    store.close_slot(slot)
store.close()
"""


async def test_processes_that_start_at_once_share_the_work_and_do_nothing_twice(
    store: Store, place: dict[str, Any]
) -> None:
    """A concurrent reader of the log misses no line either."""
    job = make_job(store, 300, checkpoint=2)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WORK, json.dumps(place), name, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name in ("one", "two", "three")
    ]

    def read_on() -> list[int]:
        seen: list[int] = []
        while len(seen) < 301:  # the last one says how the job ended
            seen += [entry.id for entry in store.logs(job.id, item=None, after=seen[-1] if seen else 0, limit=50)]
        return seen

    reading = asyncio.create_task(asyncio.to_thread(read_on))
    ended = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [(process.returncode, stderr.decode()) for process, (_, stderr) in zip(processes, ended, strict=True)] == [
        (0, "")
    ] * 3
    assert len(set(await reading)) == 301
    found = store.job(job.id)
    assert (found.state, found.counts.completed, found.counts.tokens) == (JobState.COMPLETED, 300, 300)
    assert {one.state for one in results(store, job.id)} == {ItemState.COMPLETED}
    said = Counter(entry.line.message for entry in store.logs(job.id, item=None, after=0, limit=1000))
    assert said == {str(index): 1 for index in range(300)} | {"the job is completed: 300 of 300 items": 1}


def _in_threads(*works: Callable[[], None]) -> list[BaseException]:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return failures


def test_no_item_is_claimed_after_the_response_to_pause(store: Store, place: dict[str, Any]) -> None:
    job = make_job(store, 100_000, concurrency=3)
    begun, answered = threading.Barrier(4), threading.Event()
    others = [open_store(settings_for(place), durable=False) for _ in range(3)]
    after: list[int] = []

    def attempts() -> int:
        return sum(one.attempts for one in store.results(job.id, states=(), after=-1, limit=3000, max_bytes=1 << 30))

    def work(own: Store, name: str) -> None:
        slot = own.open_slot(name, job_id=job.id)
        assert slot is not None
        claimed = own.claim(slot, 1)
        begun.wait(60)
        for count in itertools.count():
            if count == 900:  # enough items to be left even if the pause is slow
                answered.wait(60)
            if not claimed:
                return
            claimed = own.checkpoint(slot, [Done(index=one.index, phase=0, output="") for one in claimed], want=1)

    def pause() -> None:
        begun.wait(60)
        wait_for(lambda: store.job(job.id).counts.completed > 20)
        store.change(job.id, Verb.PAUSE)
        after.append(attempts())
        answered.set()

    works = [lambda own=own, name=str(number): work(own, name) for number, own in enumerate(others)]
    assert _in_threads(pause, *works) == []
    assert 20 < after[0] == attempts() < 3000
    assert store.job(job.id).counts.completed == after[0]
    for own in others:
        own.close()


def test_counts_stay_right_while_slots_open_and_end(store: Store, place: dict[str, Any]) -> None:
    """Lost slots, sweeps, pauses and readers, all at once, without a deadlock."""
    jobs = [make_job(store, 60, concurrency=3) for _ in range(2)]
    over = threading.Event()
    others = [open_store(settings_for(place), durable=False) for _ in range(3)]

    def finished() -> bool:
        return all(store.job(job.id).state.ended for job in jobs)

    def work(own: Store, name: str) -> None:
        while not over.is_set():
            slot = own.open_slot(name)
            try:
                claimed = own.claim(slot, 3) if slot else []
                while slot and claimed:
                    outcomes = [Done(index=one.index, phase=0, output="", tokens=1) for one in claimed[:2]]
                    claimed = claimed[2:] + own.checkpoint(slot, outcomes, want=2)
                if slot:
                    own.close_slot(slot)
            except LostSlot:
                pass

    def disturb() -> None:
        try:
            for number in itertools.count():
                if finished():
                    return
                if number < 30:
                    store.expire(str(number % 3))
                for job in jobs:
                    with suppress(IllegalTransition):  # it has ended in the meantime
                        store.change(job.id, Verb.PAUSE)
                        store.change(job.id, Verb.RESUME)
        finally:
            over.set()

    works = [lambda own=own, name=str(number): work(own, name) for number, own in enumerate(others)]
    failures = _in_threads(disturb, *works)
    assert failures == []
    for job in jobs:
        found, items = store.job(job.id), results(store, job.id)
        ended = Counter(one.state for one in items)
        assert (found.counts.completed, found.counts.failed) == (ended[ItemState.COMPLETED], ended[ItemState.FAILED])
        assert found.counts.tokens == ended[ItemState.COMPLETED]
        assert sum(ended.values()) == found.counts.steps == 60
    for own in others:
        own.close()


def test_the_same_concurrent_request_creates_one_job(store: Store, place: dict[str, Any]) -> None:
    others = [open_store(settings_for(place), durable=True) for _ in range(3)]
    made: list[tuple[str, bool]] = []
    template = make_job(store, 1)
    ready = threading.Barrier(4)

    def create(own: Store) -> None:
        draft = JobDraft(
            name="n",
            project_id="",
            phases=template.phases,
            concurrency=1,
            checkpoint_frequency=1,
            request_id="r",
            digest=b"d",
        )
        ready.wait(60)
        job, fresh = own.create(draft, [item()] * 2000)
        made.append((job.id, fresh))

    assert _in_threads(*(lambda own=own: create(own) for own in (store, *others))) == []
    assert len({job_id for job_id, _ in made}) == 1
    assert sorted(fresh for _, fresh in made) == [False, False, False, True]
    for own in others:
        own.close()


# Outages.


def test_an_unreachable_database_is_unavailable_to_jobs() -> None:
    settings = BatchSettings(database_url="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        open_store(settings, durable=True)


@pytest.mark.parametrize("durable", [False, True])
def test_lost_connections_are_reopened(postgres: Postgres, durable: bool) -> None:
    url = postgres.fresh()
    store = open_store(settings_for({"database_url": url}), durable=durable)
    job = make_job(store, 2)
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    for index in range(2):
        assert postgres.cut(url) > 0
        if not durable:  # a gateway's store checks first
            with pytest.raises(Unavailable, match="cannot be reached"):
                store.ping()
        (mine,) = store.claim(slot, 1)
        assert mine.index == index
        store.checkpoint(slot, [Done(index=index, phase=0, output="")])
    assert store.close_slot(slot) is JobState.COMPLETED
    store.close()


def test_an_interrupted_transaction_stores_nothing(postgres: Postgres) -> None:
    url = postgres.fresh()
    store = open_store(settings_for({"database_url": url}), durable=False)
    job = make_job(store, 2, start=False)

    def cut_meanwhile() -> Iterator[bytes]:
        yield b"x" * 300_000
        postgres.cut(url)
        yield b"y"

    with pytest.raises(Unavailable):
        store.put_blob("a/b", cut_meanwhile())
    assert store.job(job.id) == job
    assert store.put_blob("a/b", [b"x" * 300_000, b"y"]).size == 300_001
    store.close()


def test_expired_leases_are_seen_while_a_stopped_process_holds_the_lock(tmp_path: Path) -> None:
    """A process stopped in the middle of a transaction keeps SQLite's lock until it is killed."""
    short = {"lease_seconds": 0.003, "heartbeat_seconds": 0.001}
    store = open_store(settings_for({"data_dir": str(tmp_path)}, **short), durable=False)
    job = make_job(store, 1)
    slot = store.open_slot("stopped", job_id=job.id)
    stopped = sqlite3.connect(tmp_path / database.FILE, isolation_level=None)
    stopped.execute("BEGIN IMMEDIATE")
    (over,) = wait_for(store.overdue)
    assert (over.worker, slot is not None and slot.id) == ("stopped", over.slot_id)
    assert len(store.backlog()) == 1
    stopped.close()
    assert store.sweep() == [over]
    store.close()
