"""Projects, conversations, messages, and the events of an answer, as plain values.

Pure. Knows neither protos nor a database.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum

from ..grounding.values import Citation, Retrieved, Text
from ..models.values import Options, Role, Usage

# An id is a zero-padded number, so that ids sort as text in the order of the conversation.
_ID_DIGITS = 15


def message_id(sequence: int) -> str:
    """Returns the id of message number `sequence` of a conversation."""
    return f"{sequence:0{_ID_DIGITS}d}"


def sequence_of(id_: str) -> int | None:
    """Returns the number of the message with an id; None if the id is malformed."""
    if len(id_) != _ID_DIGITS or not (id_.isascii() and id_.isdigit()):
        return None
    return int(id_) or None


def etag_of(id_: str, revision: int) -> str:
    """Returns the etag of a resource after `revision` updates."""
    return hashlib.sha256(f"{id_}:{revision}".encode()).hexdigest()[:16]


class HistoryPolicy(StrEnum):
    """What is done with the oldest messages that do not fit into the model's context."""

    DROP = "drop"
    SUMMARIZE = "summarize"


class State(StrEnum):
    """How complete a message is."""

    COMPLETE = "complete"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"


class Ending(StrEnum):
    """Why an answer ended: the values of `models.values.Finish`, and `cancelled`."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A group of conversations with defaults for them."""

    id: str
    display_name: str
    instructions: str
    collections: tuple[str, ...]
    created: datetime
    updated: datetime
    revision: int

    @property
    def etag(self) -> str:
        """What an update may expect."""
        return etag_of(self.id, self.revision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A series of messages. `project` and `forked_from` are empty if there is none, `model` for the default one."""

    id: str
    project: str
    display_name: str
    model: str
    instructions: str
    collections: tuple[str, ...]
    policy: HistoryPolicy
    message_count: int
    forked_from: str
    answering: bool
    created: datetime
    updated: datetime
    revision: int

    @property
    def etag(self) -> str:
        """What an update may expect; messages do not change it."""
        return etag_of(self.id, self.revision)


@dataclass(frozen=True, slots=True)
class Cut:
    """What a model did not read: the number of oldest messages, and whether it read a summary of them."""

    dropped: int = 0
    summarized: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A stored message. `sequence` counts from 1 in its conversation, with gaps where answers were replaced."""

    conversation: str
    sequence: int
    role: Role
    content: str
    state: State
    created: datetime
    ending: Ending | None = None
    usage: Usage | None = None
    model: str = ""
    citations: tuple[Citation, ...] = ()
    cut: Cut = field(default_factory=Cut)

    @property
    def id(self) -> str:
        """The id of the message in its conversation."""
        return message_id(self.sequence)


class Field(Enum):
    """The fields of projects and conversations that a caller may change; the values are the names in the protos."""

    DISPLAY_NAME = "display_name"
    MODEL = "model"
    INSTRUCTIONS = "instructions"
    COLLECTIONS = "collections"
    POLICY = "history_policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a caller says of a project or a conversation; a project has neither `project`, `model` nor `policy`."""

    project: str = ""
    display_name: str = ""
    model: str = ""
    instructions: str = ""
    collections: tuple[str, ...] = ()
    policy: HistoryPolicy = HistoryPolicy.DROP


@dataclass(frozen=True, slots=True)
class RequestId:
    """An id that a caller chose for a request, and a digest of the request. An empty `id` is none."""

    id: str = ""
    caller: str = ""
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A message of the user to send. `request_id` is empty if there is none."""

    conversation: str
    content: str
    options: Options = field(default_factory=Options)
    request_id: str = ""
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The user's message as it was stored."""

    message: Message


@dataclass(frozen=True, slots=True)
class Started:
    """The answer begins; it has an id and no text yet."""

    message: Message


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer as it was stored; the last event."""

    message: Message


Piece = Retrieved | Text | Citation
AnswerEvent = Sent | Started | Piece | Finished
