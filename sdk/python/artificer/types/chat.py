"""Models of artificer.chat.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from typing import ClassVar

from . import base

__all__ = [
    "ChatStreamRequest",
    "ChatStreamResponse",
    "File",
    "GetMessageRequest",
    "Joined",
    "ListMessagesRequest",
    "ListMessagesResponse",
    "Message",
    "Refusal",
    "SendMessagesRequest",
    "SendMessagesResponse",
    "StreamMessagesRequest",
    "User",
]


class GetMessageRequest(base.Model):
    """GetMessageRequest names one message."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.GetMessageRequest"

    channel: str = ""
    """The channel that the message is in."""
    id: str = ""
    """The id of the message."""
    include_user: bool = False
    """Whether to include the sender of the message."""
    include_files: bool = False
    """Whether to include the files of the message, with their contents."""


class ListMessagesRequest(base.Model):
    """ListMessagesRequest names a channel and a page of its messages."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.ListMessagesRequest"

    channel: str = ""
    """The channel whose messages are listed. A channel without messages has an empty list."""
    page_size: base.Int32 = 0
    """The maximum number of messages to return: 50 if it is 0, and never more than 1000. A page may have fewer
    before the end of the list when files make the response large.
    """
    page_token: str = ""
    """The `next_page_token` of the previous page. All other fields except `page_size` must be unchanged."""
    order_by: str = ""
    """The sort order: "create_time" (the default), or "create_time desc" for the newest first."""
    include_user: bool = False
    """Whether to include the senders of the messages."""
    include_files: bool = False
    """Whether to include the files of the messages, with their contents."""


class ListMessagesResponse(base.Model):
    """One page of a channel's messages."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.ListMessagesResponse"

    messages: list[Message] = []
    """The messages."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class StreamMessagesRequest(base.Model):
    """StreamMessagesRequest names a channel and the message to start after."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.StreamMessagesRequest"

    channel: str = ""
    """The channel to listen to. It need not have any messages yet."""
    after: str = ""
    """The id of the last message that the caller has received; the stream begins with the next one. A `Last-Event-
    ID` header, which browsers send when they reconnect, takes precedence.
    """
    history_size: base.Int32 | None = None
    """How many of the newest stored messages to send first; all of them if it is absent. Ignored when `after` is
    set.
    """
    include_user: bool = False
    """Whether to include the senders of the messages."""
    include_files: bool = False
    """Whether to include the files of the messages, with their contents."""


class SendMessagesRequest(base.Model):
    """One message to store."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.SendMessagesRequest"

    channel: str = ""
    """The channel to send to. All messages of a stream go to one channel, so only the first has to name it."""
    user: User | None = None
    """The sender. Required in the first message of a stream; a later message without it keeps the last one."""
    content: str = ""
    """The text of the message. Required if the message has no files."""
    files: list[File] = []
    """The files of the message."""
    request_id: str = ""
    """An id chosen by the caller, such as a UUID, so that a message sent again is stored only once. If the same user
    reuses an id for different content or files, the message is refused with ALREADY_EXISTS.
    """


class SendMessagesResponse(base.Model):
    """SendMessagesResponse reports the outcome of a stream of messages."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.SendMessagesResponse"

    stored_count: base.Int32 = 0
    """The number of messages that this call stored."""
    duplicate_count: base.Int32 = 0
    """The number of messages that were already stored, as their `request_id` shows."""
    ids: list[str] = []
    """The ids of all messages of the stream, in stream order."""


class ChatStreamRequest(base.Model):
    """One message to send to a channel; the first one of a stream joins the channel."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.ChatStreamRequest"

    channel: str = ""
    """The channel to join. It may be empty after the first message of the stream."""
    user: User | None = None
    """The sender. Required by the first message with content; a later message without it keeps the last one."""
    content: str = ""
    """The text of the message."""
    files: list[File] = []
    """The files of the message."""
    request_id: str = ""
    """An id chosen by the caller, as in SendMessagesRequest. The echo of the message, or its refusal, repeats it."""
    after: str = ""
    """The id of the last message that the caller has received; the messages after it are sent before live ones.
    Allowed in the first message of the stream only.
    """
    history_size: base.Int32 = 0
    """How many of the newest stored messages to send first; none if it is 0. Ignored when `after` is set. Allowed in
    the first message of the stream only.
    """
    include_files: bool = False
    """Whether to include the files of messages, with their contents. Allowed in the first message of the stream
    only.
    """


class ChatStreamResponse(base.Model):
    """One event of a ChatStream."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.ChatStreamResponse"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {"event": ("joined", "message", "refusal")}

    joined: Joined | None = None
    """The caller has joined the channel. This is the first event of the stream."""
    message: Message | None = None
    """A message of the channel. Its sender receives it too, which confirms that it is stored."""
    refusal: Refusal | None = None
    """A message of the caller was refused."""


class Message(base.Model):
    """One message of a channel."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.Message"

    id: str = ""
    """The id, unique in the channel. Later messages have greater ids when compared as text."""
    channel: str = ""
    """The channel that the message is in."""
    content: str = ""
    """The text."""
    create_time: base.Timestamp | None = None
    """When the message was stored. It is never earlier than the time of the message before it."""
    user: User | None = None
    """The sender, if the request asked for it; always set in ChatStream."""
    files: list[File] = []
    """The files of the message, if the request asked for them."""
    file_count: base.Int32 = 0
    """The number of files of the message, whether or not `files` is set."""
    request_id: str = ""
    """The request id that the sender chose; empty if there was none."""


class User(base.Model):
    """A sender, as the client names them; the service does not verify the identity."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.User"

    id: str = ""
    """The id that distinguishes this user from others."""
    display_name: str = ""
    """The name to show instead of the id."""


class File(base.Model):
    """An attachment of a message."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.File"

    name: str = ""
    """The name of the file, without folders."""
    media_type: str = ""
    """The media type, such as "image/png", as the sender gave it."""
    data: bytes = b""
    """The bytes of the file."""


class Joined(base.Model):
    """Joined confirms that the caller has joined a channel."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.Joined"

    channel: str = ""
    """The channel."""
    last_id: str = ""
    """The id of the channel's last message at that time; empty if it has none. The caller receives every message
    after it.
    """


class Refusal(base.Model):
    """Refusal reports that one message was refused, and why."""

    __proto__ = "artificer.chat.v1.message_service_pb2:artificer.chat.v1.Refusal"

    request_id: str = ""
    """The `request_id` of the message."""
    position: base.Int32 = 0
    """The position of the message in the caller's stream, counted from 1."""
    status: base.Status | None = None
    """The reason, with the invalid fields in a google.rpc.BadRequest."""
