"""Removal of old jobs, and of blobs that no job names, over both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from artificer_services.batch.build import BatchService
from artificer_services.batch.jobs.errors import NotFound
from artificer_services.batch.jobs.job import ItemDraft, Job, JobDraft, LogLine
from artificer_services.batch.jobs.states import ItemState, JobState, Verb
from artificer_services.batch.jobs.store import Store
from artificer_services.batch.jobs.work import Done
from artificer_services.batch.settings import BatchSettings
from artificer_services.batch.store import database, schema
from tests.waiting import until

from .helpers import make_job, open_store, phase, settings_for, states

DAY = 86_400.0
MANY = 450  # items that are removed in three pieces


@pytest.fixture
def settings(place: dict[str, Any]) -> BatchSettings:
    return settings_for(place)


@pytest.fixture
def store(settings: BatchSettings) -> Iterator[Store]:
    opened = open_store(settings, durable=False)
    try:
        yield opened
    finally:
        opened.close()


class Tables:
    """The tables of a store: their timestamps, and the number of their rows."""

    def __init__(self, settings: BatchSettings) -> None:
        self._engine = database.connect(settings, durable=False)

    def age(self, days: float, table: Any = schema.jobs, **row: Any) -> None:
        """Moves the time of an end or an upload into the past."""
        moment = table.c.ended if table is schema.jobs else table.c.created
        change = update(table).values({moment: moment - round(days * DAY * 1_000_000)})
        with self._engine.connect().execution_options(write=True) as connection, connection.begin():
            connection.execute(change.where(*(table.c[name] == value for name, value in row.items())))

    def count(self) -> dict[str, int]:
        """Returns the number of rows by table, without empty ones."""
        with self._engine.connect() as connection:
            found = {
                name: connection.scalar(select(func.count()).select_from(table)) or 0
                for name, table in schema.metadata.tables.items()
            }
        return {name: count for name, count in found.items() if count}

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture
def tables(settings: BatchSettings, store: Store) -> Iterator[Tables]:
    opened = Tables(settings)
    yield opened
    opened.close()


def worked_on(store: Store, count: int = 5, **options: Any) -> Job:
    """A job that was cancelled after two items, with results and log lines."""
    job = make_job(store, count, phase("a"), **options)
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    outcomes = [Done(index=one.index, phase=0, output="out") for one in store.claim(slot, 2)]
    store.checkpoint(slot, outcomes, [LogLine(level=20, message="a line", time=0, item=0)])
    store.change(job.id, Verb.CANCEL)
    store.close_slot(slot)
    return store.job(job.id)


def purge(store: Store, days: float = 30.0) -> None:
    while store.purge(days * DAY):
        pass
    seen: str | None = ""
    while seen is not None:
        seen = store.purge_blobs(days * DAY, seen)


def listed(store: Store) -> set[str]:
    return {job.id for job in store.jobs(states=(), project_id="", after="", limit=100)}


def test_old_jobs_are_removed_completely(store: Store, tables: Tables) -> None:
    assert BatchSettings().keep_days == 30
    old = worked_on(store, MANY)
    tables.age(31, id=old.id)
    purge(store)
    for ask in (store.job, lambda job_id: states(store, job_id), lambda job_id: store.change(job_id, Verb.CANCEL)):
        with pytest.raises(NotFound):
            ask(old.id)
    assert listed(store) == set()
    assert tables.count() == {}


def test_other_jobs_are_kept(store: Store, tables: Tables) -> None:
    young, running, pending = worked_on(store), make_job(store, 3), make_job(store, 3, start=False)
    old = worked_on(store)
    tables.age(29, id=young.id)
    tables.age(31, id=old.id)
    # Unfinished jobs have no end time, at any age.
    before = [(store.job(one.id), states(store, one.id)) for one in (young, running, pending)]
    purge(store)
    assert listed(store) == {young.id, running.id, pending.id}
    after = [(store.job(one.id), states(store, one.id)) for one in (young, running, pending)]
    assert [found for _, found in after] == [found for _, found in before]
    assert [job.state for job, _ in after] == [JobState.CANCELLED, JobState.RUNNING, JobState.PENDING]
    assert len(store.logs(young.id, item=None, after=0, limit=10)) == 1


def test_a_removed_job_is_gone_at_once_and_its_rows_after_a_crash(
    store: Store, tables: Tables, settings: BatchSettings
) -> None:
    old = worked_on(store, MANY)
    tables.age(31, id=old.id)
    assert store.purge(30 * DAY)
    with pytest.raises(NotFound):
        store.job(old.id)
    assert store.purge(30 * DAY)
    left = tables.count()
    assert 0 < left["batch_items"] < MANY
    after = open_store(settings, durable=False)  # like a process that starts after another has died
    try:
        purge(after)
    finally:
        after.close()
    assert tables.count() == {}


def test_a_job_with_a_running_worker_is_kept(store: Store, tables: Tables) -> None:
    job = make_job(store, 2)
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    store.change(job.id, Verb.CANCEL)
    tables.age(31, id=job.id)
    purge(store)
    assert store.job(job.id).state is JobState.CANCELLED
    store.close_slot(slot)
    purge(store)
    assert tables.count() == {}


def test_gateways_can_remove_concurrently(store: Store, tables: Tables, settings: BatchSettings) -> None:
    kept = make_job(store, 3)
    for job in [worked_on(store, MANY) for _ in range(4)]:
        tables.age(31, id=job.id)
    other = open_store(settings, durable=False)
    faults: list[BaseException] = []

    def remove(one: Store) -> None:
        try:
            purge(one)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=remove, args=(one,)) for one in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert faults == []
    assert tables.count() == {"batch_jobs": 1, "batch_items": 3, "batch_inputs": 3}
    assert states(store, kept.id) == [ItemState.PENDING] * 3


def test_a_request_id_can_be_reused(store: Store, tables: Tables) -> None:
    draft = JobDraft(
        name="n", project_id="p", phases=(phase("a"),), concurrency=1, checkpoint_frequency=1, request_id="r"
    )
    first, _ = store.create(draft, [ItemDraft(input="x")])
    store.change(first.id, Verb.CANCEL)
    tables.age(31, id=first.id)
    purge(store)
    second, fresh = store.create(draft, [ItemDraft(input="x")])
    assert fresh
    assert second.id != first.id


def test_a_blob_stays_while_a_job_names_it(store: Store, tables: Tables) -> None:
    blobs = {text: store.put_blob("text/plain", [text.encode()]) for text in ("input", "output", "unused", "young")}
    for text in ("input", "output", "unused"):
        tables.age(31, schema.blobs, id=blobs[text].id)
    job = make_job(store, [ItemDraft(input=f"blob:{blobs['input'].id}")], phase("a"))
    slot = store.open_slot("w", job_id=job.id)
    assert slot is not None
    (claimed,) = store.claim(slot, 1)
    store.checkpoint(slot, [Done(index=claimed.index, phase=0, output=f"blob:{blobs['output'].id}")])
    store.close_slot(slot)
    purge(store)
    for text in ("input", "output", "young"):
        assert b"".join(store.blob(blobs[text].id)[1]) == text.encode()
    with pytest.raises(NotFound):
        store.blob(blobs["unused"].id)

    tables.age(31, id=job.id)
    purge(store)  # now nothing references them
    assert tables.count() == {"batch_blobs": 1, "batch_blob_pieces": 1}
    again = store.put_blob("text/plain", [b"input"])
    assert again.id == blobs["input"].id
    assert b"".join(store.blob(again.id)[1]) == b"input"


def test_uploading_a_blob_again_keeps_it(store: Store, tables: Tables) -> None:
    blob = store.put_blob("text/plain", [b"many", b"pieces"])
    tables.age(31, schema.blobs, id=blob.id)
    assert store.put_blob("text/plain", [b"manypieces"]) == blob
    purge(store)
    assert b"".join(store.blob(blob.id)[1]) == b"manypieces"


def test_inputs_of_any_length_may_begin_like_a_blob(store: Store) -> None:
    texts = ["blob:", "blob:" + "é" * 64, "blob:" + "x" * 1_000_000]
    job = make_job(store, [ItemDraft(input=text) for text in texts], phase("a"))
    purge(store, 0.0)
    assert states(store, job.id) == [ItemState.PENDING] * 3


@pytest.mark.parametrize("days", [0.0, 30.0])
async def test_a_gateway_removes_old_jobs_by_setting(
    place: dict[str, Any], store: Store, tables: Tables, days: float
) -> None:
    old, young = worked_on(store), worked_on(store)
    tables.age(31, id=old.id)
    service = BatchService(settings_for(place, engine="none", keep_days=days))
    async with service.lifespan():
        if days:
            await until(lambda: tables.count()["batch_items"] == 5)
            with pytest.raises(NotFound):
                await service.jobs.get(old.id)
        assert (await service.jobs.get(young.id)).id == young.id
    assert (old.id in listed(store)) is (days == 0)


@pytest.mark.parametrize("days", [-1.0, 0.001])
def test_invalid_retention_stops_the_start(days: float) -> None:
    with pytest.raises(ValueError, match="keep_days must be"):
        BatchSettings(keep_days=days)
