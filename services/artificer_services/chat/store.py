"""The store of messages: its values and its Protocol.

Knows no database; `sql_store` has the real store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# An id is a padded sequence number, so that ids sort as text; fifteen digits last three thousand years at ten
# messages a millisecond.
ID_DIGITS = 15


def id_of(sequence: int) -> str:
    """Return the id of a channel's message number `sequence`; empty for 0, before the first one."""
    return f"{sequence:0{ID_DIGITS}d}" if sequence else ""


def sequence_of(id_: str) -> int | None:
    """Return the number of a message; None for a malformed id."""
    if len(id_) != ID_DIGITS or not (id_.isascii() and id_.isdigit()):
        return None
    return int(id_) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A sender, as the request names them."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a message."""

    name: str
    media_type: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A valid message that is to be stored. `digest` identifies its content."""

    channel: str
    user: User
    content: str
    files: tuple[File, ...] = ()
    request_id: str = ""
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A stored message. `files` is empty unless they were asked for; `size` is in bytes, files included."""

    channel: str
    sequence: int
    user: User
    content: str
    created: datetime
    request_id: str = ""
    file_count: int = 0
    files: tuple[File, ...] = ()
    size: int = 0

    @property
    def id(self) -> str:
        """The id of the message within its channel."""
        return id_of(self.sequence)


@dataclass(frozen=True, slots=True)
class Appended:
    """The outcome of a draft. `fresh` is false where it was stored before; `message` is then the earlier one.

    `same` is false where its request id belongs to a message with different content.
    """

    message: Message
    fresh: bool = True
    same: bool = True


class Store(Protocol):
    """Messages of channels. A channel's sequence begins at 1 and has no gaps.

    A message becomes visible only after all before it in its channel: a reader that resumes after number n misses
    nothing. Every method raises `Unavailable` where the database cannot be reached.
    """

    async def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Store drafts in one transaction, in their order; they are durable when this returns."""

    async def get(self, channel: str, sequence: int, *, files: bool) -> Message | None:
        """Return one message, or None."""

    async def read(
        self, channel: str, *, after: int, limit: int, max_bytes: int, files: bool, before: int | None = None
    ) -> list[Message]:
        """Return messages with a number above `after`, oldest first: at most `limit` and `max_bytes`, at least one.

        With `before`, return those below it instead, newest first.
        """

    async def last(self, channels: Sequence[str]) -> dict[str, int]:
        """Return the last number of each channel, 0 for an empty one."""

    async def ping(self) -> None:
        """Return where the database answers."""
