"""The Protocol of the store of projects, conversations and messages, and its values.

Knows no database; `sql_store` implements it. Every method raises `Unavailable` if the database cannot be reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from ..grounding.values import Citation
from ..models.values import Usage
from .values import Conversation, Cut, Draft, Ending, Field, Message, Project, RequestId, State

R = TypeVar("R")
Place = tuple[datetime, str]
"""A position in a list that is sorted by time, then by id."""


@dataclass(frozen=True, slots=True)
class Made(Generic[R]):
    """The outcome of a creation. `fresh` is false if its request id is known; `same` is false if of another request."""

    resource: R
    fresh: bool = True
    same: bool = True


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary of the messages up to number `upto`."""

    upto: int
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What an answer is made of: a conversation, its project, and its newest messages, the oldest of these first.

    `last` is the last number that was given; `begin` takes it as a proof that nothing has changed since.
    """

    conversation: Conversation
    project: Project | None
    last: int
    messages: tuple[Message, ...]
    summary: Summary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """An answer to begin, with the message that it answers; `content` is None if the last one is answered again.

    `title` names the conversation if nothing else does. `lease` is in seconds: without a renewal for so long the owner
    counts as dead.
    """

    conversation: str
    last: int
    content: str | None
    request: RequestId
    title: str
    model: str
    cut: Cut
    owner: str
    lease: float
    most_messages: int


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that was begun; `user` is None if it is another answer to an old message."""

    user: Message | None
    answer: Message
    titled: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A message whose request id is known. `same` is false if it belongs to another request."""

    message: Message
    same: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a running answer; `content` is None if that is stored already."""

    sequence: int
    content: str | None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an answer ended."""

    content: str
    state: State
    ending: Ending | None = None
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()
    cut: Cut = field(default_factory=Cut)


@dataclass(frozen=True, slots=True)
class Running:
    """The running answers of an owner by conversation: the number of each, and whether it is asked to stop."""

    answers: Mapping[str, tuple[int, bool]]


class Store(Protocol):
    """Stores projects, conversations and messages, and says which answers run."""

    async def create_project(self, draft: Draft, request: RequestId) -> Made[Project]:
        """Store a project."""

    async def project(self, id_: str) -> Project:
        """Returns a project. Raises NoProject."""

    async def projects(self, *, limit: int, before: Place | None) -> list[Project]:
        """Returns projects, the newest first."""

    async def update_project(self, id_: str, etag: str, changes: Mapping[Field, Any]) -> Project:
        """Change fields. Raises NoProject, Outdated."""

    async def delete_project(self, id_: str) -> None:
        """Delete a project without conversations. Raises NoProject, NotEmpty."""

    async def delete_conversations(self, project: str) -> list[str]:
        """Delete some conversations of a project; returns their ids, none if there are no more."""

    async def create_conversation(self, draft: Draft, request: RequestId) -> Made[Conversation]:
        """Store a conversation. Raises NoProject."""

    async def conversation(self, id_: str) -> Conversation:
        """Returns a conversation. Raises NoConversation."""

    async def conversations(self, *, project: str, limit: int, before: Place | None) -> list[Conversation]:
        """Returns conversations, of one project if it is not empty, those with the latest changes first."""

    async def update_conversation(self, id_: str, etag: str, changes: Mapping[Field, Any]) -> Conversation:
        """Change fields. Raises NoConversation, Outdated."""

    async def delete_conversation(self, id_: str) -> None:
        """Delete a conversation with its messages. Raises NoConversation."""

    async def fork(self, id_: str, upto: int | None, display_name: str, request: RequestId) -> Made[Conversation]:
        """Copy a conversation up to a message, without a running answer.

        Raises NoConversation, NoMessage, Answering.
        """

    async def message(self, conversation: str, sequence: int) -> Message:
        """Returns a message. Raises NoConversation, NoMessage."""

    async def messages(self, conversation: str, *, after: int, limit: int, max_bytes: int) -> list[Message]:
        """Returns messages after a number: at most `limit` and `max_bytes` of text, but at least one."""

    async def sent(self, conversation: str, request: RequestId) -> Known | None:
        """Returns the message with a request id."""

    async def answer_after(self, conversation: str, sequence: int) -> Message | None:
        """Returns the answer that follows a message at once."""

    async def background(self, conversation: str, *, max_bytes: int) -> Background:
        """Returns what an answer is made of, with at most `max_bytes` of messages. Raises NoConversation."""

    async def keep_summary(self, conversation: str, summary: Summary) -> None:
        """Store a summary in place of an earlier one."""

    async def begin(self, begin: Begin) -> Begun | Known | None:
        """Store a message and a running answer in one transaction; None if the conversation has changed meanwhile.

        Raises NoConversation, Answering, Full.
        """

    async def announce(self, conversation: str, sequence: int) -> None:
        """Remove the answer that a begun one replaces."""

    async def keep(self, owner: str, lease: float, written: Mapping[str, Written]) -> Running:
        """Store what running answers have so far, and renew their leases; returns those that the owner still has."""

    async def finish(self, conversation: str, sequence: int, owner: str, end: End) -> Message | None:
        """Store the end of an answer; None if the owner has lost it."""

    async def retract(self, begun: Begun, owner: str) -> None:
        """Remove an answer that could not begin, with its message, so that nothing of the request is stored."""

    async def request_stop(self, conversation: str) -> int:
        """Ask the owner of the running answer to stop; returns its number, 0 if none runs."""

    async def expire(self, conversations: Sequence[str] | None = None) -> int:
        """Mark the answers whose owners are dead as failed; returns how many there were."""

    async def purge(self, keep_seconds: float) -> int:
        """Delete some conversations that have not changed for so long; returns how many."""

    async def ping(self) -> None:
        """Check that the database answers."""
