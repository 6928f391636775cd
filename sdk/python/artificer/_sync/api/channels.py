"""`client.channels`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Unpack

from ... import types
from ..._methods.chat import MessageService
from ..._options import CallOptions
from ..duplex import Duplex
from ..pages import Pager
from ..resource import Resource
from ..streams import Stream


class ChannelsMessages(Resource):
    """`client.channels.messages`."""

    def get(
        self,
        channel: str,
        id: str,
        *,
        include_user: bool | None = None,
        include_files: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.chat.Message:
        """Returns one message of a channel.

        Args:
            channel: The channel that the message is in.
            id: The id of the message.
            include_user: Whether to include the sender of the message.
            include_files: Whether to include the files of the message, with their contents.
        """
        return self._calls.unary(
            MessageService.GET_MESSAGE,
            {"channel": channel, "id": id, "include_user": include_user, "include_files": include_files},
            call_options,
        )

    def list(
        self,
        channel: str,
        *,
        page_size: int | None = None,
        order_by: str | None = None,
        include_user: bool | None = None,
        include_files: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Pager[types.chat.Message]:
        """Returns the messages of a channel, page by page. They are sorted oldest first unless `order_by` says
        otherwise.

        Args:
            channel: The channel whose messages are listed. A channel without messages has an empty list.
            page_size: The maximum number of messages to return: 50 if it is 0, and never more than 1000. A page
                may have fewer before the end of the list when files make the response large.
            order_by: The sort order: "create_time" (the default), or "create_time desc" for the newest first.
            include_user: Whether to include the senders of the messages.
            include_files: Whether to include the files of the messages, with their contents.
        """
        return self._calls.pages(
            MessageService.LIST_MESSAGES,
            "messages",
            {
                "channel": channel,
                "page_size": page_size,
                "order_by": order_by,
                "include_user": include_user,
                "include_files": include_files,
            },
            call_options,
        )

    def stream(
        self,
        channel: str,
        *,
        after: str | None = None,
        history_size: int | None = None,
        include_user: bool | None = None,
        include_files: bool | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Stream[types.chat.Message]:
        """Sends a channel's messages, then new ones live. The stream lasts until the caller ends it.

        The stream has no gap and no duplicate between stored and new messages. A caller that lost its connection
        resumes with `after` set to the last id it received. In Server-Sent Events the message's id is the event's
        id, so browsers resume by themselves. A caller that reads too slowly receives RESOURCE_EXHAUSTED and may
        resume in the same way.

        Args:
            channel: The channel to listen to. It need not have any messages yet.
            after: The id of the last message that the caller has received; the stream begins with the next one. A
                `Last-Event-ID` header, which browsers send when they reconnect, takes precedence.
            history_size: How many of the newest stored messages to send first; all of them if it is absent.
                Ignored when `after` is set.
            include_user: Whether to include the senders of the messages.
            include_files: Whether to include the files of the messages, with their contents.
        """
        return self._calls.stream(
            MessageService.STREAM_MESSAGES,
            {
                "channel": channel,
                "after": after,
                "history_size": history_size,
                "include_user": include_user,
                "include_files": include_files,
            },
            call_options,
        )

    def send(
        self,
        channel: str,
        requests: Iterable[types.chat.SendMessagesRequest | Mapping[str, Any]],
        **call_options: Unpack[CallOptions],
    ) -> types.chat.SendMessagesResponse:
        """Stores a stream of messages in a channel. It answers once, when all of them are stored.

        The first invalid message ends the call. The messages before it stay stored; those after it may or may not
        be. With a `request_id` on each message the caller may send the whole stream again: stored messages are
        not stored twice.

        Args:
            channel: The channel to send to. All messages of a stream go to one channel, so only the first has to
                name it.
        """
        return self._calls.client_stream(MessageService.SEND_MESSAGES, requests, {"channel": channel}, call_options)

    def chat(
        self,
        channel: str,
        requests: Iterable[types.chat.ChatStreamRequest | Mapping[str, Any]] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Duplex[types.chat.ChatStreamRequest, types.chat.ChatStreamResponse]:
        """Joins a channel to send and receive messages. The caller also receives the messages that it sent.

        The first message of the stream names the channel; its content is optional. An invalid message is refused
        on its own and the stream continues. The call ends when the caller has half-closed it and has received
        every message it sent.

        Args:
            channel: The channel to join.
        """
        return self._calls.duplex(MessageService.CHAT_STREAM, requests, {"channel": channel}, call_options)


class Channels(Resource):
    """`client.channels`: messages between people and programs."""

    @cached_property
    def messages(self) -> ChannelsMessages:
        """`client.channels.messages`."""
        return ChannelsMessages(self._calls)
