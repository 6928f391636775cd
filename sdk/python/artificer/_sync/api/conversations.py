"""`client.conversations`. Generated from the protos by codegen/sdk; do not edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Unpack

from ... import types
from ..._methods.conversation import ConversationService
from ..._options import CallOptions
from ..answers import AnswerStream
from ..duplex import Duplex
from ..pages import Pager
from ..resource import Resource


class ConversationsMessages(Resource):
    """`client.conversations.messages`."""

    def get(self, conversation: str, message: str, **call_options: Unpack[CallOptions]) -> types.conversation.Message:
        """Returns one message of a conversation.

        Args:
            conversation: The id of the conversation.
            message: The id of the message.
        """
        return self._calls.unary(
            ConversationService.GET_MESSAGE, {"conversation": conversation, "message": message}, call_options
        )

    def list(
        self, conversation: str, *, page_size: int | None = None, **call_options: Unpack[CallOptions]
    ) -> Pager[types.conversation.Message]:
        """Returns the messages of a conversation, page by page, the oldest first.

        Args:
            conversation: The id of the conversation.
            page_size: The most messages to return: 50 if it is 0, and never more than 1000.
        """
        return self._calls.pages(
            ConversationService.LIST_MESSAGES,
            "messages",
            {"conversation": conversation, "page_size": page_size},
            call_options,
        )


class Conversations(Resource):
    """`client.conversations`: conversations with models, which the server keeps."""

    @cached_property
    def messages(self) -> ConversationsMessages:
        """`client.conversations.messages`."""
        return ConversationsMessages(self._calls)

    def create(
        self,
        *,
        project: str | None = None,
        display_name: str | None = None,
        model: str | None = None,
        instructions: str | None = None,
        collections: Sequence[str] | None = None,
        history_policy: types.conversation.HistoryPolicy | types.conversation.HistoryPolicyName | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.conversation.Conversation:
        """Makes an empty conversation.

        Args:
            project: The id of the project; none if it is empty. It cannot be changed.
            display_name: The name for people; taken from the first message if it is empty.
            model: The name of the chat model; the server's default if it is empty.
            instructions: Instructions to the model, before all messages.
            collections: The collections whose passages the model reads, at most 8.
            history_policy: What is done with the oldest messages that do not fit into the model's context.
        """
        return self._calls.unary(
            ConversationService.CREATE_CONVERSATION,
            {
                "conversation.project": project,
                "conversation.display_name": display_name,
                "conversation.model": model,
                "conversation.instructions": instructions,
                "conversation.collections": collections,
                "conversation.history_policy": history_policy,
            },
            call_options,
        )

    def get(self, conversation: str, **call_options: Unpack[CallOptions]) -> types.conversation.Conversation:
        """Returns one conversation, without its messages.

        Args:
            conversation: The id of the conversation.
        """
        return self._calls.unary(ConversationService.GET_CONVERSATION, {"conversation": conversation}, call_options)

    def list(
        self, *, project: str | None = None, page_size: int | None = None, **call_options: Unpack[CallOptions]
    ) -> Pager[types.conversation.Conversation]:
        """Returns conversations, page by page, those with the latest messages first.

        Args:
            project: Only conversations of this project; all if it is empty.
            page_size: The most conversations to return: 50 if it is 0, and never more than 1000.
        """
        return self._calls.pages(
            ConversationService.LIST_CONVERSATIONS,
            "conversations",
            {"project": project, "page_size": page_size},
            call_options,
        )

    def update(
        self,
        conversation: str,
        *,
        display_name: str | None = None,
        model: str | None = None,
        instructions: str | None = None,
        collections: Sequence[str] | None = None,
        history_policy: types.conversation.HistoryPolicy | types.conversation.HistoryPolicyName | None = None,
        etag: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.conversation.Conversation:
        """Changes the fields of a conversation that are given.

        Args:
            conversation: The id.
            display_name: The name for people; taken from the first message if it is empty.
            model: The name of the chat model; the server's default if it is empty.
            instructions: Instructions to the model, before all messages.
            collections: The collections whose passages the model reads, at most 8.
            history_policy: What is done with the oldest messages that do not fit into the model's context.
            etag: What an update expects to find; the value of a read conversation. Another one is refused with
                ABORTED. Messages do not change it.
        """
        return self._calls.unary(
            ConversationService.UPDATE_CONVERSATION,
            {
                "conversation.id": conversation,
                "conversation.display_name": display_name,
                "conversation.model": model,
                "conversation.instructions": instructions,
                "conversation.collections": collections,
                "conversation.history_policy": history_policy,
                "conversation.etag": etag,
            },
            call_options,
        )

    def delete(self, conversation: str, **call_options: Unpack[CallOptions]) -> None:
        """Deletes a conversation with its messages. A running answer is stopped.

        Args:
            conversation: The id of the conversation.
        """
        self._calls.unary(ConversationService.DELETE_CONVERSATION, {"conversation": conversation}, call_options)

    def fork(
        self,
        conversation: str,
        *,
        message: str | None = None,
        display_name: str | None = None,
        **call_options: Unpack[CallOptions],
    ) -> types.conversation.Conversation:
        """Copies a conversation up to one of its messages into a new one.

        Args:
            conversation: The id of the conversation.
            message: The id of the last message to copy; all messages if it is empty.
            display_name: The name of the new conversation; that of the old one if it is empty.
        """
        return self._calls.unary(
            ConversationService.FORK_CONVERSATION,
            {"conversation": conversation, "message": message, "display_name": display_name},
            call_options,
        )

    def send(
        self,
        conversation: str,
        content: str,
        *,
        options: types.ai.ChatOptions | Mapping[str, Any] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> AnswerStream[types.conversation.AnswerEvent]:
        """Stores a message of the user and streams the model's answer, which is stored too.

        A conversation has one answer at a time: while one runs, another is refused with FAILED_PRECONDITION.

        Args:
            conversation: The id of the conversation.
            content: The text.
            options: How the model generates.
        """
        return AnswerStream(
            self._calls.stream(
                ConversationService.SEND_MESSAGE,
                {"conversation": conversation, "content": content, "options": options},
                call_options,
            )
        )

    def regenerate(
        self,
        conversation: str,
        *,
        options: types.ai.ChatOptions | Mapping[str, Any] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> AnswerStream[types.conversation.AnswerEvent]:
        """Has the model answer again. The answer replaces the last message if that is the model's.

        Args:
            conversation: The id of the conversation.
            options: How the model generates.
        """
        return AnswerStream(
            self._calls.stream(
                ConversationService.REGENERATE_MESSAGE, {"conversation": conversation, "options": options}, call_options
            )
        )

    def stop(self, conversation: str, **call_options: Unpack[CallOptions]) -> types.conversation.StopGenerationResponse:
        """Stops the running answer of a conversation, even if another client or another server process started it.
        It returns the answer as it was stored, and does nothing if none runs.

        Args:
            conversation: The id of the conversation.
        """
        return self._calls.unary(ConversationService.STOP_GENERATION, {"conversation": conversation}, call_options)

    def converse(
        self,
        conversation: str,
        requests: Iterable[types.conversation.ConverseRequest | Mapping[str, Any]] | None = None,
        **call_options: Unpack[CallOptions],
    ) -> Duplex[types.conversation.ConverseRequest, types.conversation.ConverseResponse]:
        """Sends messages and receives answers in one stream. A message that arrives while the model answers waits,
        unless it stops the answer. A refused message is refused on its own, and the stream continues.

        Args:
            conversation: The id of the conversation.
        """
        return self._calls.duplex(ConversationService.CONVERSE, requests, {"conversation": conversation}, call_options)
