"""The rules for messages, names and ids. Pure: values in, values or `Invalid` out."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence

from ..kit.errors import Fault, Invalid
from .settings import ChatSettings
from .store import Draft, File, User, sequence_of

# A channel is part of URLs and logs; in URLs a colon begins a verb and a slash a segment.
_CHANNEL = re.compile(r"[\w.~-]+", re.UNICODE)
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+( *;.*)?", re.ASCII)
_MAX_MEDIA_TYPE = 255


def check_channel(channel: str, settings: ChatSettings) -> None:
    """Raise Invalid for a malformed channel name."""
    faults = list(_channel_faults(channel, settings))
    if faults:
        raise Invalid(*faults)


def place_of(field: str, id_: str) -> int:
    """Return the number of a message id. Raises Invalid."""
    sequence = sequence_of(id_)
    if sequence is None:
        raise Invalid(Fault(field, "must be the id of a message, such as 000000000000042"))
    return sequence


def draft(
    channel: str, user: User | None, content: str, files: Sequence[File], request_id: str, settings: ChatSettings
) -> Draft:
    """Return a message that can be stored. Raises Invalid with every fault."""
    faults = [
        *_channel_faults(channel, settings),
        *_user_faults(user, settings),
        *_content_faults(content, files, settings),
        *_file_faults(files, settings),
        *_name_faults("request_id", request_id, settings.max_name_bytes),
    ]
    if faults or user is None:
        raise Invalid(*faults)
    made = tuple(files)
    return Draft(
        channel=channel,
        user=user,
        content=content,
        files=made,
        request_id=request_id,
        digest=_digest(content, made) if request_id else b"",
    )


def _digest(content: str, files: tuple[File, ...]) -> bytes:
    """Return a digest of a message's content; each part is preceded by its length, so that no two splits agree."""
    whole = hashlib.sha256()
    for part in (content, *(text for file in files for text in (file.name, file.media_type, file.data))):
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(data))
        whole.update(data)
    return whole.digest()


def _channel_faults(channel: str, settings: ChatSettings) -> Iterator[Fault]:
    if not channel:
        yield Fault("channel", "must name a channel")
    elif not _CHANNEL.fullmatch(channel) or channel in (".", ".."):
        yield Fault("channel", "may contain letters, digits and . _ ~ - only")
    else:
        yield from _name_faults("channel", channel, settings.max_name_bytes)


def _user_faults(user: User | None, settings: ChatSettings) -> Iterator[Fault]:
    if user is None or not user.id.strip():
        yield Fault("user.id", "must name the sender; in a stream, once in the first message suffices")
        return
    yield from _name_faults("user.id", user.id, settings.max_name_bytes)
    yield from _name_faults("user.display_name", user.name, settings.max_name_bytes)


def _content_faults(content: str, files: Sequence[File], settings: ChatSettings) -> Iterator[Fault]:
    size = len(content.encode())
    if not content.strip() and not files:
        yield Fault("content", "must not be empty in a message without files")
    if size > settings.max_content_bytes:
        yield Fault("content", f"is {size} bytes long; {settings.max_content_bytes} are allowed")
    if "\0" in content:
        yield Fault("content", "must not contain the character U+0000")


def _file_faults(files: Sequence[File], settings: ChatSettings) -> Iterator[Fault]:
    if len(files) > settings.max_files:
        yield Fault("files", f"are {len(files)}; {settings.max_files} are allowed in a message")
        return  # one fault a file could make the answer arbitrarily long
    total = sum(len(file.data) for file in files)
    if total > settings.max_files_bytes:
        yield Fault("files", f"are {total} bytes together; {settings.max_files_bytes} are allowed in a message")
    for place, file in enumerate(files):
        yield from _one_file_faults(f"files[{place}]", file, settings)


def _one_file_faults(field: str, file: File, settings: ChatSettings) -> Iterator[Fault]:
    if not file.name.strip() or file.name in (".", "..") or any(sign in file.name for sign in "/\\"):
        yield Fault(f"{field}.name", "must be a file's name without folders")
    yield from _name_faults(f"{field}.name", file.name, settings.max_file_name_bytes)
    if file.media_type and (len(file.media_type) > _MAX_MEDIA_TYPE or not _MEDIA_TYPE.fullmatch(file.media_type)):
        yield Fault(f"{field}.media_type", "must be a media type, such as image/png")
    if len(file.data) > settings.max_file_bytes:
        yield Fault(f"{field}.data", f"is {len(file.data)} bytes long; {settings.max_file_bytes} are allowed")


def _name_faults(field: str, name: str, limit: int) -> Iterator[Fault]:
    size = len(name.encode())
    if size > limit:
        yield Fault(field, f"is {size} bytes long; {limit} are allowed")
    # Cc: a line break in a name could forge a line of a log.
    if any(unicodedata.category(sign) == "Cc" for sign in name):
        yield Fault(field, "must not contain control characters")
