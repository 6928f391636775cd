"""The Protocol of a message store, and its values.

Knows no database; `sql_store` implements it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# An id is a zero-padded sequence number, so that ids sort as text. Fifteen digits last three thousand years at ten
# messages per millisecond.
ID_DIGITS = 15


def id_of(sequence: int) -> str:
    """Returns the id of message number `sequence` of a channel; empty for 0, the position before the first."""
    return f"{sequence:0{ID_DIGITS}d}" if sequence else ""


def sequence_of(id_: str) -> int | None:
    """Returns the number of the message with an id; None if the id is malformed."""
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
    """A valid message that is not stored yet. `digest` identifies its content."""

    channel: str
    user: User
    content: str
    files: tuple[File, ...] = ()
    request_id: str = ""
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A stored message. `files` is empty unless requested; `size` is in bytes, including files."""

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
    """The outcome of a draft. If it was already stored, `fresh` is false and `message` is the stored one.

    `same` is false if its request id belongs to a message with different content.
    """

    message: Message
    fresh: bool = True
    same: bool = True


class Store(Protocol):
    """Stores the messages of channels, each numbered from 1 without gaps.

    The messages of a channel become visible in their order, so that a reader that resumes after number n misses none.
    Every method raises `Unavailable` if the database cannot be reached.
    """

    async def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Store drafts in their order, in one durable transaction."""

    async def get(self, channel: str, sequence: int, *, files: bool) -> Message | None:
        """Returns one message, or None."""

    async def read(
        self, channel: str, *, after: int, limit: int, max_bytes: int, files: bool, before: int | None = None
    ) -> list[Message]:
        """Returns messages after number `after`, oldest first: at most `limit` and `max_bytes`, but at least one.

        With `before`, return the messages before that number instead, newest first.
        """

    async def last(self, channels: Sequence[str]) -> dict[str, int]:
        """Returns the last number of each channel, 0 for an empty one."""

    async def ping(self) -> None:
        """Check that the database answers."""
