"""Alembic's environment script for every service; `migrate` passes the connection and the version table."""

from __future__ import annotations

from alembic import context

_given = context.config.attributes

context.configure(connection=_given["connection"], version_table=_given["version_table"])
with context.begin_transaction():
    context.run_migrations()
