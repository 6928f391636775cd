"""What Alembic runs for every service's migrations: the connection and the version table come from `migrate`."""

from __future__ import annotations

from alembic import context

_given = context.config.attributes

context.configure(connection=_given["connection"], version_table=_given["version_table"])
with context.begin_transaction():
    context.run_migrations()
