"""Checks what callers say of projects, conversations and messages. Pure functions that raise `Invalid`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ...kit.errors import Conflict, Fault, Invalid
from ...kit.names import character_faults
from .errors import NoConversation, NoProject
from .settings import ConversationSettings
from .store import Made
from .values import Conversation, Draft, Field, Project, RequestId, Sending, sequence_of

MOST_COLLECTIONS = 8
_TITLE_LENGTH, _TITLE_READ = 60, 1000  # characters of a title, and of the message that it is made of
_ID = re.compile(r"[0-9a-f]{32}")
_OUTPUT_ONLY = frozenset(
    {"id", "etag", "create_time", "update_time", "message_count", "forked_from", "answering"}
)  # etag is no output, but no field to change either

PROJECT_FIELDS = (Field.DISPLAY_NAME, Field.INSTRUCTIONS, Field.COLLECTIONS)
CONVERSATION_FIELDS = tuple(Field)


def draft_faults(draft: Draft, settings: ConversationSettings, prefix: str) -> Iterator[Fault]:
    """Yields the faults of a project or a conversation; `prefix` is such as `project.`."""
    yield from _name_faults(f"{prefix}display_name", draft.display_name, settings.max_name_bytes)
    yield from _text_faults(f"{prefix}instructions", draft.instructions, settings.max_instructions_bytes)
    if len(draft.collections) > MOST_COLLECTIONS:
        text = f"has {len(draft.collections)} collections; at most {MOST_COLLECTIONS} are allowed"
        yield Fault(f"{prefix}collections", text)
        return
    for place, name in enumerate(draft.collections):
        if not name:
            yield Fault(f"{prefix}collections[{place}]", "must not be empty")
        elif name in draft.collections[:place]:
            yield Fault(f"{prefix}collections[{place}]", f"{name[:64]!r} is there twice")
        else:
            yield from _name_faults(f"{prefix}collections[{place}]", name, settings.max_name_bytes)


def check_sending(sending: Sending, settings: ConversationSettings) -> None:
    """Raise Invalid for a message that cannot be sent."""
    faults = list(request_id_faults(sending.request_id, settings))
    if not sending.content.strip():
        faults.append(Fault("content", "must not be empty"))
    faults += _text_faults("content", sending.content, settings.max_content_bytes)
    if faults:
        raise Invalid(*faults)


def request_id_faults(request_id: str, settings: ConversationSettings) -> Iterator[Fault]:
    """Yields the faults of a request id."""
    yield from _name_faults("request_id", request_id, settings.max_name_bytes)


def changed_fields(
    paths: Sequence[str] | None, draft: Draft, fields: Sequence[Field], others: Sequence[str] = ()
) -> list[Field]:
    """Returns the fields to change by a field mask (AIP-134): those that are set without one, all for `*`.

    `others` are further names that a mask may have. Raises Invalid for unknown names.
    """
    if paths is None:
        return [field for field in fields if value_of(draft, field)]
    by_name = {field.value: field for field in fields}
    if "*" in paths:
        if len(paths) > 1:
            raise Invalid(Fault("update_mask", "must have no other path beside *"))
        return list(fields)
    known = {*by_name, *_OUTPUT_ONLY, *others}
    if strange := [path for path in paths if path not in known]:
        listed = ", ".join(by_name)
        raise Invalid(*(Fault("update_mask", f"there is no field {path[:64]!r}; known: {listed}") for path in strange))
    return [field for name, field in by_name.items() if name in paths]


def value_of(draft: Draft, field: Field) -> Any:
    """Returns a field's value; a falsy one counts as not set."""
    match field:
        case Field.DISPLAY_NAME:
            return draft.display_name
        case Field.MODEL:
            return draft.model
        case Field.INSTRUCTIONS:
            return draft.instructions
        case Field.COLLECTIONS:
            return draft.collections
        case Field.POLICY:
            return draft.policy


def project_id(id_: str, field: str = "project") -> str:
    """Returns the id of a project. Raises Invalid if it is empty, NoProject if none can have it."""
    _check_id(id_, field)
    if not _ID.fullmatch(id_):
        raise NoProject(id_)
    return id_


def conversation_id(id_: str, field: str = "conversation") -> str:
    """Returns the id of a conversation. Raises Invalid if it is empty, NoConversation if none can have it."""
    _check_id(id_, field)
    if not _ID.fullmatch(id_):
        raise NoConversation(id_)
    return id_


def _check_id(id_: str, field: str) -> None:
    if not id_:
        raise Invalid(Fault(field, "must not be empty"))


def message_place(id_: str, field: str = "message") -> int:
    """Returns the number of a message id. Raises Invalid."""
    sequence = sequence_of(id_)
    if sequence is None:
        raise Invalid(Fault(field, f"must be the id of a message, such as 000000000000042, not {id_[:64]!r}"))
    return sequence


def request_of(request_id: str, caller: str, *parts: object) -> RequestId:
    """Returns a request id with a digest of the request's parts."""
    if not request_id:
        return RequestId()
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, default=str)
    return RequestId(request_id, caller, hashlib.sha256(text.encode()).digest())


def _plain(part: Any) -> Any:
    return asdict(part) if hasattr(part, "__dataclass_fields__") else part


def settled_project(made: Made[Project], request_id: str) -> Project:
    """Returns a created project. Raises Conflict if its request id belongs to another request."""
    if not made.same:
        raise _conflict(request_id, f"project {made.resource.id}", made.resource.id)
    return made.resource


def settled_conversation(made: Made[Conversation], request_id: str) -> Conversation:
    """Returns a created conversation. Raises Conflict if its request id belongs to another request."""
    if not made.same:
        raise _conflict(request_id, f"conversation {made.resource.id}", made.resource.id)
    return made.resource


def _conflict(request_id: str, what: str, id_: str) -> Conflict:
    return Conflict(f"request_id {request_id!r} was already used for {what}, by another request", id=id_)


def sent_conflict(request_id: str, message: str) -> Conflict:
    """Returns the error for a message with the request id of another one."""
    return _conflict(request_id, f"message {message}", message)


def title_of(content: str) -> str:
    """Returns a name for a conversation that begins with this message."""
    start = content.lstrip()[:_TITLE_READ]
    printable = "".join(sign for sign in start if sign.isspace() or not list(character_faults("", sign)))
    text = " ".join(printable.split())
    if len(text) <= _TITLE_LENGTH:
        return text
    words = text[:_TITLE_LENGTH].rsplit(" ", 1)[0]
    return words + "\u2026"


def _name_faults(field: str, name: str, limit: int) -> Iterator[Fault]:
    yield from _size_faults(field, name, limit)
    yield from character_faults(field, name)


def _text_faults(field: str, text: str, limit: int) -> Iterator[Fault]:
    yield from _size_faults(field, text, limit)
    if "\0" in text:
        yield Fault(field, "must not contain the character U+0000")


def _size_faults(field: str, text: str, limit: int) -> Iterator[Fault]:
    if (size := len(text.encode())) > limit:
        yield Fault(field, f"is {size} bytes long; at most {limit} are allowed")
