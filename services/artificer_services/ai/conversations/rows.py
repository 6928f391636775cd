"""Converts between rows of the tables and values. Knows no statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from sqlalchemy import Row

from ...kit.times import from_micros
from ..grounding.values import Citation
from ..library.values import Span
from ..models.values import Role, Usage
from .values import Conversation, Cut, Draft, Ending, HistoryPolicy, Message, Project, RequestId, State


def project_of(row: Row[Any]) -> Project:
    """Returns the project of a row."""
    return Project(
        id=row.id,
        display_name=row.display_name,
        instructions=row.instructions,
        collections=tuple(json.loads(row.collections)),
        created=from_micros(row.created),
        updated=from_micros(row.updated),
        revision=row.revision,
    )


def conversation_of(row: Row[Any]) -> Conversation:
    """Returns the conversation of a row, which also has `answering`."""
    return Conversation(
        id=row.id,
        project=row.project or "",
        display_name=row.display_name,
        model=row.model,
        instructions=row.instructions,
        collections=tuple(json.loads(row.collections)),
        policy=HistoryPolicy(row.policy),
        message_count=row.message_count,
        forked_from=row.forked_from,
        answering=bool(row.answering),
        created=from_micros(row.created),
        updated=from_micros(row.updated),
        revision=row.revision,
    )


def message_of(row: Row[Any]) -> Message:
    """Returns the message of a row."""
    usage = None
    if row.completion_tokens is not None:
        usage = Usage(prompt=row.prompt_tokens or 0, completion=row.completion_tokens)
    return Message(
        conversation=row.conversation,
        sequence=row.sequence,
        role=cast(Role, row.role),
        content=row.content,
        state=State(row.state),
        created=from_micros(row.created),
        ending=Ending(row.ending) if row.ending else None,
        usage=usage,
        model=row.model,
        citations=tuple(_citation(one) for one in json.loads(row.citations)),
        cut=Cut(row.dropped, bool(row.summarized)),
    )


def names_in(draft: Draft) -> dict[str, Any]:
    """Returns the columns that projects and conversations share."""
    return {
        "display_name": draft.display_name,
        "instructions": draft.instructions,
        "collections": json.dumps(draft.collections),
    }


def request_in(request: RequestId) -> dict[str, Any]:
    """Returns the columns of a request id."""
    return {"caller": request.caller, "request_id": request.id, "digest": request.digest}


def citations_in(citations: Sequence[Citation]) -> str:
    """Returns the text of a column of citations."""
    return json.dumps([asdict(one) for one in citations], ensure_ascii=False)


def _citation(value: dict[str, Any]) -> Citation:
    return Citation(**{**value, "span": Span(**value["span"])})
