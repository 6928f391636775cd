"""The tables' history: from nothing to now, twice, back again, and the same as the models say."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from artificer_services.ai.conversations import database, schema
from artificer_services.kit.storage import alembic_config

TABLE = database.MIGRATIONS.table


def test_migrations_and_models_agree(bare_place: dict[str, Any]) -> None:
    opened = database.connect(**bare_place)
    opened.prepare()
    opened.prepare()  # nothing to do
    with opened.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": TABLE})
        assert context.get_current_revision() == database.MIGRATIONS.head
        assert compare_metadata(context, schema.metadata) == []
        config = alembic_config(connection, database.MIGRATIONS)
        assert ScriptDirectory.from_config(config).get_heads() == [database.MIGRATIONS.head]
    opened.engine.dispose()


def test_migrations_can_be_reverted(bare_place: dict[str, Any]) -> None:
    opened = database.connect(**bare_place)
    opened.prepare()
    with opened.engine.connect().execution_options(write=True) as connection, connection.begin():
        command.downgrade(alembic_config(connection, database.MIGRATIONS), "base")
    assert inspect(opened.engine).get_table_names() == [TABLE]
    opened.prepare()
    assert set(inspect(opened.engine).get_table_names()) == {TABLE, *schema.metadata.tables}
    opened.engine.dispose()
