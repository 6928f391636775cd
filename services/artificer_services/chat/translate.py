"""Messages as protos and as values. Field by field, and nothing else."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from artificer.chat.v1 import message_service_pb2 as pb

from .store import File, Message, User


def user_in(user: pb.User) -> User:
    """A user as a request has it."""
    return User(id=user.id, name=user.display_name)


def files_in(request: pb.SendMessagesRequest | pb.ChatStreamRequest) -> list[File]:
    """The files of a request."""
    return [File(name=file.name, media_type=file.media_type, data=file.data) for file in request.files]


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def message_out(message: Message, *, user: bool, files: bool) -> pb.Message:
    """A message for a client that wants its user and its files, or does not."""
    made = pb.Message(
        id=message.id,
        channel=message.channel,
        content=message.content,
        create_time=_stamp(message.created),
        file_count=message.file_count,
        request_id=message.request_id,
    )
    if user:
        made.user.id = message.user.id
        made.user.display_name = message.user.name
    if files:
        made.files.extend(pb.File(name=file.name, media_type=file.media_type, data=file.data) for file in message.files)
    return made
