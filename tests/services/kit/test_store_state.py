"""What is known of a service's database if part of it cannot be measured."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from artificer_services.kit.errors import Unavailable
from artificer_services.kit.storage.state import BACKUPS, State, StoreMetrics, state_of


def test_a_backup_that_cannot_be_read_does_not_hide_the_size(caplog: pytest.LogCaptureFixture) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE TABLE {BACKUPS} (other text)"))
        connection.commit()
        state = state_of(connection)
    engine.dispose()
    assert state.size
    assert state.backup is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the last backup of the database cannot be measured"
    ]


def test_a_recorded_backup_is_seen() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        # As docs/operations.md says.
        connection.execute(text("CREATE TABLE IF NOT EXISTS artificer_backups (finished text NOT NULL)"))
        connection.execute(text("INSERT INTO artificer_backups VALUES (datetime('now'))"))
        found = state_of(connection)
    engine.dispose()
    assert found.backup is not None
    assert found.backup > 1_700_000_000


async def test_retention_that_has_never_finished_has_an_age() -> None:
    async def measure() -> State:
        raise Unavailable("down")

    metrics = StoreMetrics("batch", measure)
    assert not [*metrics.collect()]
    metrics.retaining()
    await metrics.look()
    assert [family.name for family in metrics.collect()] == ["artificer_retention_timestamp_seconds"]
