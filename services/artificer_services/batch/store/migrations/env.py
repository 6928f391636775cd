"""Alembic's environment: the connection comes from `kit.storage.migrate`, the tables from `schema`."""

from __future__ import annotations

from alembic import context

from artificer_services.batch.store import schema

VERSION_TABLE = "batch_alembic_version"  # other services may keep theirs in the same database


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
