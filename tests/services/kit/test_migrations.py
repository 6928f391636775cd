"""Several services of a process migrate their tables at the same time, as they do when a shared database comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import inspect

from artificer_services.batch.store.database import MIGRATIONS as BATCH
from artificer_services.chat.database import MIGRATIONS as CHAT
from artificer_services.kit import storage
from artificer_services.kit.storage import Migrations

ROUNDS = 4


def tables(place: tuple[Path, Migrations]) -> list[str]:
    file, migrations = place
    engine = storage.sqlite(file, 2)
    try:
        storage.prepare(engine, migrations)
        return inspect(engine).get_table_names()
    finally:
        engine.dispose()


def test_each_service_gets_its_own_tables(tmp_path: Path) -> None:
    places = [(tmp_path / f"{number}.db", one) for number in range(ROUNDS) for one in (CHAT, BATCH)]
    places = [(file.with_stem(f"{file.stem}-{one.table}"), one) for file, one in places]
    with ThreadPoolExecutor(len(places)) as threads:
        found = dict(zip(places, threads.map(tables, places), strict=True))
    for (_, migrations), names in found.items():
        assert ("chat_messages" in names) is (migrations is CHAT)
        assert ("batch_jobs" in names) is (migrations is BATCH)
