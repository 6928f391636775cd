"""The tables' history: from nothing to now, twice, by many at once, and the same as the models say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from artificer_services.chat import database, schema
from artificer_services.chat.settings import ChatSettings
from artificer_services.kit.storage import alembic_config

VERSION_TABLE = "chat_alembic_version"


def test_migrations_and_models_agree(bare_place: dict[str, Any]) -> None:
    settings = ChatSettings(**bare_place)
    opened = database.connect(settings)
    opened.prepare()
    opened.prepare()  # nothing to do
    with opened.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert context.get_current_revision() == database.MIGRATIONS.head
        assert compare_metadata(context, schema.metadata) == []
        config = alembic_config(connection, database.MIGRATIONS)
        assert ScriptDirectory.from_config(config).get_heads() == [database.MIGRATIONS.head]
    opened.engine.dispose()


def test_migrations_can_be_reverted(bare_place: dict[str, Any]) -> None:
    settings = ChatSettings(**bare_place)
    opened = database.connect(settings)
    opened.prepare()
    with opened.engine.connect().execution_options(write=True) as connection, connection.begin():
        command.downgrade(alembic_config(connection, database.MIGRATIONS), "base")
    assert inspect(opened.engine).get_table_names() == [VERSION_TABLE]
    opened.prepare()
    assert set(inspect(opened.engine).get_table_names()) == {VERSION_TABLE, *schema.metadata.tables}
    opened.engine.dispose()


_START = """
import sys
from artificer_services.chat import database
from artificer_services.chat.settings import ChatSettings
settings = ChatSettings(**{sys.argv[1]: sys.argv[2]})
opened = database.connect(settings)
sys.stdin.readline()
opened.prepare()
opened.engine.dispose()
"""


async def test_processes_that_start_at_once_all_find_the_tables(bare_place: dict[str, Any]) -> None:
    ((name, value),) = bare_place.items()
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _START, name, value, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    ended = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [(process.returncode, stderr.decode()) for process, (_, stderr) in zip(processes, ended, strict=True)] == [
        (0, "")
    ] * 4
