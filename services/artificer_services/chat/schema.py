"""The tables as SQLAlchemy describes them; `migrations` creates them."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from ..kit.storage.columns import BIG, table_metadata

metadata = table_metadata()

# One row per channel. A send locks it, so that message numbers become visible in their order.
channels = Table(
    "chat_channels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("last_sequence", BIG, nullable=False),
    Column("last_time", BIG, nullable=False),  # microseconds since 1970, as in messages
    sqlite_strict=True,
)

messages = Table(
    "chat_messages",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("created", BIG, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("size", BIG, nullable=False),  # bytes including files, so that a page can be cut before its files are read
    Column("request_id", Text, nullable=False),  # empty if there is none
    Column("digest", LargeBinary, nullable=False),
    ForeignKeyConstraint(["channel"], ["chat_channels.name"]),
    sqlite_strict=True,
)

HAS_REQUEST_ID = text("request_id <> ''")

Index(
    "ix_chat_messages_request",
    messages.c.channel,
    messages.c.user_id,
    messages.c.request_id,
    unique=True,
    sqlite_where=HAS_REQUEST_ID,
    postgresql_where=HAS_REQUEST_ID,
)

files = Table(
    "chat_files",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    ForeignKeyConstraint(["channel", "sequence"], ["chat_messages.channel", "chat_messages.sequence"]),
    sqlite_strict=True,
)
