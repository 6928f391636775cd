"""The tables as migrations make them, in both databases."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from artificer_services.ai.library import schema
from artificer_services.ai.library.database import MIGRATIONS, connect
from artificer_services.kit.storage import alembic_config

from .conftest import Place


def _known(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or not str(name).startswith(
        ("rag_words", "rag_pgvectors")
    )  # each database has its own kind of it


def test_migrations_make_the_tables_of_the_schema(bare_place: Place) -> None:
    opened = connect(bare_place.data_dir, bare_place.database_url)
    opened.prepare()
    opened.prepare()  # nothing to do
    with opened.engine.connect() as connection:
        options = {"version_table": MIGRATIONS.table, "include_name": _known}
        context = MigrationContext.configure(connection, opts=options)
        assert context.get_current_revision() == MIGRATIONS.head
        assert compare_metadata(context, schema.metadata) == []
        config = alembic_config(connection, MIGRATIONS)
        assert ScriptDirectory.from_config(config).get_heads() == [MIGRATIONS.head]
    opened.engine.dispose()


def test_migrations_can_be_reverted(bare_place: Place) -> None:
    opened = connect(bare_place.data_dir, bare_place.database_url)
    opened.prepare()
    with opened.engine.connect().execution_options(write=True) as connection, connection.begin():
        command.downgrade(alembic_config(connection, MIGRATIONS), "base")
    assert inspect(opened.engine).get_table_names() == [MIGRATIONS.table]
    opened.prepare()
    assert set(inspect(opened.engine).get_table_names()) >= {"rag_words", *schema.metadata.tables}
    opened.engine.dispose()
