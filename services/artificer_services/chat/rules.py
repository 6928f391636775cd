"""Validates messages, names and ids. Pure functions that return values or raise `Invalid`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from ..kit.errors import Fault, Invalid
from ..kit.names import character_faults
from .settings import ChatSettings
from .store import Draft, File, User, sequence_of

# Channel names stand in URLs, where a colon starts a verb and a slash a segment, and in logs.
_CHANNEL = re.compile(r"[\w.~-]+", re.UNICODE)
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+( *;.*)?", re.ASCII)
_MAX_MEDIA_TYPE = 255


def check_channel(channel: str, settings: ChatSettings) -> None:
    """Raise Invalid for a malformed channel name."""
    faults = list(_channel_faults(channel, settings))
    if faults:
        raise Invalid(*faults)


def place_of(field: str, id_: str) -> int:
    """Returns the number of a message id. Raises Invalid."""
    sequence = sequence_of(id_)
    if sequence is None:
        raise Invalid(Fault(field, f"must be the id of a message, such as 000000000000042, not {id_[:64]!r}"))
    return sequence


def draft(
    channel: str, user: User | None, content: str, files: Sequence[File], request_id: str, settings: ChatSettings
) -> Draft:
    """Returns a valid draft. Raises Invalid with every fault."""
    faults = [
        *_channel_faults(channel, settings),
        *_user_faults(user, settings),
        *_content_faults(content, files, settings),
        *_file_faults(files, settings),
        *_name_faults("request_id", request_id, settings.max_name_bytes),
    ]
    if faults or user is None:
        raise Invalid(*faults)
    attached = tuple(files)
    return Draft(
        channel=channel,
        user=user,
        content=content,
        files=attached,
        request_id=request_id,
        digest=_digest(content, attached) if request_id else b"",
    )


def _digest(content: str, files: tuple[File, ...]) -> bytes:
    """Returns a digest of a message's content. Each part's length precedes it, so that no two splits collide."""
    whole = hashlib.sha256()
    for part in (content, *(text for file in files for text in (file.name, file.media_type, file.data))):
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(data))
        whole.update(data)
    return whole.digest()


def _channel_faults(channel: str, settings: ChatSettings) -> Iterator[Fault]:
    if not channel:
        yield Fault("channel", "must not be empty")
    elif not _CHANNEL.fullmatch(channel) or channel in (".", ".."):
        yield Fault("channel", "may only contain letters, digits and . _ ~ -")
    else:
        yield from _name_faults("channel", channel, settings.max_name_bytes)


def _user_faults(user: User | None, settings: ChatSettings) -> Iterator[Fault]:
    if user is None or not user.id.strip():
        yield Fault("user.id", "must name the sender; in a stream, the first message is enough")
        return
    yield from _name_faults("user.id", user.id, settings.max_name_bytes)
    yield from _name_faults("user.display_name", user.name, settings.max_name_bytes)


def _content_faults(content: str, files: Sequence[File], settings: ChatSettings) -> Iterator[Fault]:
    size = len(content.encode())
    if not content.strip() and not files:
        yield Fault("content", "must not be empty in a message without files")
    if size > settings.max_content_bytes:
        yield Fault("content", f"is {size} bytes long; at most {settings.max_content_bytes} are allowed")
    if "\0" in content:
        yield Fault("content", "must not contain the character U+0000")


def _file_faults(files: Sequence[File], settings: ChatSettings) -> Iterator[Fault]:
    if len(files) > settings.max_files:
        yield Fault("files", f"has {len(files)} files; at most {settings.max_files} are allowed")
        return  # a fault for every file could make the error arbitrarily large
    total = sum(len(file.data) for file in files)
    if total > settings.max_files_bytes:
        yield Fault("files", f"has {total} bytes in total; at most {settings.max_files_bytes} are allowed")
    for place, file in enumerate(files):
        yield from _one_file_faults(f"files[{place}]", file, settings)


def _one_file_faults(field: str, file: File, settings: ChatSettings) -> Iterator[Fault]:
    if not file.name.strip() or file.name in (".", "..") or any(sign in file.name for sign in "/\\"):
        yield Fault(f"{field}.name", "must be a file name without a path")
    yield from _name_faults(f"{field}.name", file.name, settings.max_file_name_bytes)
    if file.media_type and (len(file.media_type) > _MAX_MEDIA_TYPE or not _MEDIA_TYPE.fullmatch(file.media_type)):
        yield Fault(f"{field}.media_type", "must be a media type, such as image/png")
    if len(file.data) > settings.max_file_bytes:
        yield Fault(f"{field}.data", f"is {len(file.data)} bytes long; at most {settings.max_file_bytes} are allowed")


def _name_faults(field: str, name: str, limit: int) -> Iterator[Fault]:
    size = len(name.encode())
    if size > limit:
        yield Fault(field, f"is {size} bytes long; at most {limit} are allowed")
    yield from character_faults(field, name)
