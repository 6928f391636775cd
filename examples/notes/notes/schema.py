"""The table, as SQLAlchemy sees it. `migrations` brings it into a database."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from artificer_services.kit.storage.columns import BIG, table_metadata

metadata = table_metadata()

notes = Table(
    "notes",
    metadata,
    Column("id", BIG, primary_key=True),
    Column("text", Text, nullable=False),
    Column("created", BIG, nullable=False),  # microseconds since 1970
    sqlite_strict=True,
)
