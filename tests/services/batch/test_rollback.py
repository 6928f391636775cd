"""Rollback to the previous version: it works on the tables of a newer one, over both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from artificer_services.batch.store import database

from .helpers import make_job, open_store, settings_for


def test_the_previous_version_starts_on_newer_tables(place: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_for(place)
    store = open_store(settings, durable=True)
    job = make_job(store, 3)
    store.close()
    engine = database.connect(settings, durable=True)
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.execute(text("UPDATE batch_alembic_version SET version_num = '9999'"))
    engine.dispose()

    store = open_store(settings, durable=True)
    try:
        assert store.job(job.id).total == 3
        assert "batch_alembic_version is at revision 9999, which is newer than this program" in caplog.text
    finally:
        store.close()
