"""The tables of projects and conversations as SQLAlchemy describes them; `migrations` creates them.

Times are microseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Index, Integer, LargeBinary, Table, Text, text

from ...kit.storage.columns import BIG, table_metadata

metadata = table_metadata()
HAS_REQUEST_ID = text("request_id <> ''")

projects = Table(
    "conversation_projects",
    metadata,
    Column("id", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("collections", Text, nullable=False),  # ids as a JSON array
    Column("created", BIG, nullable=False),
    Column("updated", BIG, nullable=False),
    Column("revision", BIG, nullable=False),
    Column("caller", Text, nullable=False),  # whose request_id it is
    Column("request_id", Text, nullable=False),  # empty if there is none
    Column("digest", LargeBinary, nullable=False),
    sqlite_strict=True,
)
Index("ix_conversation_projects_created", projects.c.created, projects.c.id)

# One row for each conversation. A transaction that changes its messages locks the row first.
conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project", Text),  # null if there is none
    Column("display_name", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("collections", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("last_sequence", BIG, nullable=False),
    Column("forked_from", Text, nullable=False),
    Column("created", BIG, nullable=False),
    Column("updated", BIG, nullable=False),
    Column("revision", BIG, nullable=False),
    Column("caller", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    ForeignKeyConstraint(["project"], ["conversation_projects.id"]),
    sqlite_strict=True,
)
Index("ix_conversations_updated", conversations.c.updated, conversations.c.id)
Index("ix_conversations_project", conversations.c.project, conversations.c.updated, conversations.c.id)
for table in (projects, conversations):
    Index(
        f"ix_{table.name}_request",
        table.c.caller,
        table.c.request_id,
        unique=True,
        sqlite_where=HAS_REQUEST_ID,
        postgresql_where=HAS_REQUEST_ID,
    )

messages = Table(
    "conversation_messages",
    metadata,
    Column("conversation", Text, primary_key=True),
    Column("sequence", BIG, primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ending", Text),
    Column("prompt_tokens", BIG),  # null if the model did not count
    Column("completion_tokens", BIG),
    Column("model", Text, nullable=False),
    Column("citations", Text, nullable=False),  # a JSON array
    Column("dropped", Integer, nullable=False),
    Column("summarized", Integer, nullable=False),
    Column("created", BIG, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    ForeignKeyConstraint(["conversation"], ["conversations.id"]),
    sqlite_strict=True,
)
Index(
    "ix_conversation_messages_request",
    messages.c.conversation,
    messages.c.request_id,
    unique=True,
    sqlite_where=HAS_REQUEST_ID,
    postgresql_where=HAS_REQUEST_ID,
)

# The running answers. The key allows one a conversation, whichever process runs it.
answers = Table(
    "conversation_answers",
    metadata,
    Column("conversation", Text, primary_key=True),
    Column("sequence", BIG, nullable=False),
    Column("owner", Text, nullable=False),  # the process that runs it
    Column("lease", BIG, nullable=False),  # when the owner counts as dead
    Column("stop", Integer, nullable=False),  # 1 asks the owner to stop
    Column("replaces", BIG, nullable=False),  # the answer that this one replaces once it has begun; 0 is none
    ForeignKeyConstraint(["conversation"], ["conversations.id"]),
    sqlite_strict=True,
)
Index("ix_conversation_answers_lease", answers.c.lease)

# A summary of the messages of a conversation up to `upto`.
summaries = Table(
    "conversation_summaries",
    metadata,
    Column("conversation", Text, primary_key=True),
    Column("upto", BIG, nullable=False),
    Column("content", Text, nullable=False),
    ForeignKeyConstraint(["conversation"], ["conversations.id"]),
    sqlite_strict=True,
)
