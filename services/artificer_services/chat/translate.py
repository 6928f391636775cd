"""Converts messages and errors between protos and values, field by field."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from artificer.chat.v1 import message_service_pb2 as pb

from ..kit.statuses import Statuses
from .store import File, Message, User

STATUSES = Statuses("chat.artificer", refused="MESSAGE_NOT_TAKEN")


def user_in(user: pb.User) -> User:
    """Returns the user of a request."""
    return User(id=user.id, name=user.display_name)


def files_in(request: pb.SendMessagesRequest | pb.ChatStreamRequest) -> list[File]:
    """Returns the files of a request."""
    return [File(name=file.name, media_type=file.media_type, data=file.data) for file in request.files]


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def message_out(message: Message, *, user: bool, files: bool) -> pb.Message:
    """Returns the proto of a message, optionally with its user and files."""
    converted = pb.Message(
        id=message.id,
        channel=message.channel,
        content=message.content,
        create_time=_stamp(message.created),
        file_count=message.file_count,
        request_id=message.request_id,
    )
    if user:
        converted.user.id = message.user.id
        converted.user.display_name = message.user.name
    if files:
        converted.files.extend(
            pb.File(name=file.name, media_type=file.media_type, data=file.data) for file in message.files
        )
    return converted
