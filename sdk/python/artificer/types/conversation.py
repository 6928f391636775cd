"""Models of artificer.conversation.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal, TypeAlias

from . import ai, base, rag

__all__ = [
    "AnswerEvent",
    "Conversation",
    "ConverseRefusal",
    "ConverseRequest",
    "ConverseResponse",
    "CreateConversationRequest",
    "CreateProjectRequest",
    "DeleteConversationRequest",
    "DeleteProjectRequest",
    "ForkConversationRequest",
    "GetConversationRequest",
    "GetMessageRequest",
    "GetProjectRequest",
    "HistoryCut",
    "HistoryPolicy",
    "HistoryPolicyName",
    "ListConversationsRequest",
    "ListConversationsResponse",
    "ListMessagesRequest",
    "ListMessagesResponse",
    "ListProjectsRequest",
    "ListProjectsResponse",
    "Message",
    "MessageState",
    "MessageStateName",
    "Project",
    "RegenerateMessageRequest",
    "SendMessageRequest",
    "StopGenerationRequest",
    "StopGenerationResponse",
    "UpdateConversationRequest",
    "UpdateProjectRequest",
]


class HistoryPolicy(base.OpenEnum):
    """What is done with the oldest messages that do not fit into the model's context."""

    UNSPECIFIED = "HISTORY_POLICY_UNSPECIFIED"
    """HISTORY_POLICY_DROP."""
    DROP = "HISTORY_POLICY_DROP"
    """HISTORY_POLICY_DROP leaves them out."""
    SUMMARIZE = "HISTORY_POLICY_SUMMARIZE"
    """HISTORY_POLICY_SUMMARIZE has the model summarise them, once for each part, and sends the summary in their
    place.
    """

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {"HISTORY_POLICY_UNSPECIFIED": 0, "HISTORY_POLICY_DROP": 1, "HISTORY_POLICY_SUMMARIZE": 2}


HistoryPolicyName: TypeAlias = Literal["drop", "summarize"]
"""The names of HistoryPolicy in arguments of methods."""


class MessageState(base.OpenEnum):
    """How complete a message is."""

    UNSPECIFIED = "MESSAGE_STATE_UNSPECIFIED"
    """Never returned."""
    COMPLETE = "MESSAGE_STATE_COMPLETE"
    """The message is whole."""
    RUNNING = "MESSAGE_STATE_RUNNING"
    """The model is writing it."""
    STOPPED = "MESSAGE_STATE_STOPPED"
    """The answer was stopped, or that its reader left. It has what had been generated."""
    FAILED = "MESSAGE_STATE_FAILED"
    """The model or the server failed. It has what had been generated and stored."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "MESSAGE_STATE_UNSPECIFIED": 0,
            "MESSAGE_STATE_COMPLETE": 1,
            "MESSAGE_STATE_RUNNING": 2,
            "MESSAGE_STATE_STOPPED": 3,
            "MESSAGE_STATE_FAILED": 4,
        }


MessageStateName: TypeAlias = Literal["complete", "running", "stopped", "failed"]
"""The names of MessageState in arguments of methods."""


class Project(base.Model):
    """Project groups conversations and has defaults for them."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.Project"

    id: str = ""
    """The id."""
    display_name: str = ""
    """The name for people."""
    instructions: str = ""
    """Instructions to the model for conversations that have none."""
    collections: list[str] = []
    """The collections of conversations that are bound to none."""
    create_time: base.Timestamp | None = None
    """When the project was created."""
    update_time: base.Timestamp | None = None
    """When the project was last changed."""
    etag: str = ""
    """What an update expects to find; the value of a read project. Another one is refused with ABORTED."""


class Conversation(base.Model):
    """A series of messages."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.Conversation"

    id: str = ""
    """The id."""
    project: str = ""
    """The id of the project; none if it is empty. It cannot be changed."""
    display_name: str = ""
    """The name for people; taken from the first message if it is empty."""
    model: str = ""
    """The name of the chat model; the server's default if it is empty."""
    instructions: str = ""
    """Instructions to the model, before all messages."""
    collections: list[str] = []
    """The collections whose passages the model reads, at most 8."""
    history_policy: HistoryPolicy = HistoryPolicy.UNSPECIFIED
    """What is done with the oldest messages that do not fit into the model's context."""
    message_count: base.Int32 = 0
    """The number of messages."""
    forked_from: str = ""
    """The id of the conversation that this one was forked from."""
    answering: bool = False
    """Whether the model is answering now."""
    create_time: base.Timestamp | None = None
    """When the conversation was created."""
    update_time: base.Timestamp | None = None
    """When it was last changed, by a message or an update."""
    etag: str = ""
    """What an update expects to find; the value of a read conversation. Another one is refused with ABORTED.
    Messages do not change it.
    """


class Message(base.Model):
    """One message of a conversation."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.Message"

    id: str = ""
    """The id. Ids sort in the order of the conversation."""
    conversation: str = ""
    """The id of the conversation."""
    role: ai.ChatRole = ai.ChatRole.UNSPECIFIED
    """Who wrote it."""
    content: str = ""
    """The text."""
    state: MessageState = MessageState.UNSPECIFIED
    """How complete it is."""
    finish_reason: ai.FinishReason = ai.FinishReason.UNSPECIFIED
    """Why the answer ended; only of answers."""
    usage: ai.TokenUsage | None = None
    """The tokens; only of answers. Of a stopped one they are an estimate."""
    model: str = ""
    """The name of the model; only of answers."""
    citations: list[rag.Citation] = []
    """The passages that support the answer."""
    history_cut: HistoryCut | None = None
    """What was left out of the history when the model answered; absent if it read everything."""
    create_time: base.Timestamp | None = None
    """When the message was stored."""


class HistoryCut(base.Model):
    """What a model did not read of a conversation."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.HistoryCut"

    dropped_messages: base.Int32 = 0
    """The number of oldest messages that were left out."""
    summarized: bool = False
    """Whether a summary of them was sent instead."""


class AnswerEvent(base.Model):
    """One event of an answer: first what was stored, then the passages if there are collections, the text piece by
    piece with its citations, and at last the answer as it was stored.
    """

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.AnswerEvent"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {
        "event": ("sent", "started", "passages", "text", "citation", "finished")
    }

    sent: Message | None = None
    """The user's message as it was stored; absent when an answer is regenerated."""
    started: Message | None = None
    """The model begins; the message has an id and no text yet."""
    passages: rag.RetrievedPassages | None = None
    """The passages that the model reads."""
    text: str | None = None
    """The next text of the answer."""
    citation: rag.Citation | None = None
    """A passage that supports the text before it."""
    finished: Message | None = None
    """The answer as it was stored, whole or stopped."""


class CreateProjectRequest(base.Model):
    """A project to create."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.CreateProjectRequest"

    project: Project | None = None
    """The project."""
    request_id: str = ""
    """An id chosen by the caller, such as a UUID. The same request again returns the project that it made; another
    request with the same id is refused with ALREADY_EXISTS. An `idempotency-key` header is used if it is empty.
    """


class GetProjectRequest(base.Model):
    """GetProjectRequest names a project."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.GetProjectRequest"

    project: str = ""
    """The id of the project."""


class ListProjectsRequest(base.Model):
    """ListProjectsRequest names a page of the projects."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ListProjectsRequest"

    page_size: base.Int32 = 0
    """The most projects to return: 50 if it is 0, and never more than 1000."""
    page_token: str = ""
    """The `next_page_token` of the previous page."""


class ListProjectsResponse(base.Model):
    """A page of the projects."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ListProjectsResponse"

    projects: list[Project] = []
    """The projects."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class UpdateProjectRequest(base.Model):
    """A project with new values."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.UpdateProjectRequest"

    project: Project | None = None
    """The project; its id says which."""
    update_mask: base.FieldMask | None = None
    """The fields to change; those that are set if it is absent."""


class DeleteProjectRequest(base.Model):
    """DeleteProjectRequest names a project to delete."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.DeleteProjectRequest"

    project: str = ""
    """The id of the project."""
    force: bool = False
    """Whether to delete its conversations too."""


class CreateConversationRequest(base.Model):
    """A conversation to create."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.CreateConversationRequest"

    conversation: Conversation | None = None
    """The conversation."""
    request_id: str = ""
    """An id chosen by the caller, as in CreateProjectRequest."""


class GetConversationRequest(base.Model):
    """GetConversationRequest names a conversation."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.GetConversationRequest"

    conversation: str = ""
    """The id of the conversation."""


class ListConversationsRequest(base.Model):
    """ListConversationsRequest names a page of conversations."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ListConversationsRequest"

    project: str = ""
    """Only conversations of this project; all if it is empty."""
    page_size: base.Int32 = 0
    """The most conversations to return: 50 if it is 0, and never more than 1000."""
    page_token: str = ""
    """The `next_page_token` of the previous page."""


class ListConversationsResponse(base.Model):
    """A page of conversations."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ListConversationsResponse"

    conversations: list[Conversation] = []
    """The conversations."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class UpdateConversationRequest(base.Model):
    """A conversation with new values."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.UpdateConversationRequest"

    conversation: Conversation | None = None
    """The conversation; its id says which."""
    update_mask: base.FieldMask | None = None
    """The fields to change; those that are set if it is absent."""


class DeleteConversationRequest(base.Model):
    """DeleteConversationRequest names a conversation to delete."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.DeleteConversationRequest"

    conversation: str = ""
    """The id of the conversation."""


class ForkConversationRequest(base.Model):
    """ForkConversationRequest names a conversation and where to leave it."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ForkConversationRequest"

    conversation: str = ""
    """The id of the conversation."""
    message: str = ""
    """The id of the last message to copy; all messages if it is empty."""
    display_name: str = ""
    """The name of the new conversation; that of the old one if it is empty."""
    request_id: str = ""
    """An id chosen by the caller, as in CreateProjectRequest."""


class GetMessageRequest(base.Model):
    """GetMessageRequest names a message."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.GetMessageRequest"

    conversation: str = ""
    """The id of the conversation."""
    message: str = ""
    """The id of the message."""


class ListMessagesRequest(base.Model):
    """ListMessagesRequest names a page of a conversation's messages."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ListMessagesRequest"

    conversation: str = ""
    """The id of the conversation."""
    page_size: base.Int32 = 0
    """The most messages to return: 50 if it is 0, and never more than 1000."""
    page_token: str = ""
    """The `next_page_token` of the previous page."""


class ListMessagesResponse(base.Model):
    """A page of a conversation's messages."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ListMessagesResponse"

    messages: list[Message] = []
    """The messages."""
    next_page_token: str = ""
    """The token of the next page; empty on the last page."""


class SendMessageRequest(base.Model):
    """A message of the user."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.SendMessageRequest"

    conversation: str = ""
    """The id of the conversation."""
    content: str = ""
    """The text."""
    options: ai.ChatOptions | None = None
    """How the model generates."""
    request_id: str = ""
    """An id chosen by the caller, such as a UUID. The same message again is not stored again: the stream has the
    stored message and the stored answer. An `idempotency-key` header is used if it is empty.
    """


class RegenerateMessageRequest(base.Model):
    """RegenerateMessageRequest asks for another answer to the last message of the user."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.RegenerateMessageRequest"

    conversation: str = ""
    """The id of the conversation."""
    options: ai.ChatOptions | None = None
    """How the model generates."""


class StopGenerationRequest(base.Model):
    """StopGenerationRequest names a conversation whose answer is to stop."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.StopGenerationRequest"

    conversation: str = ""
    """The id of the conversation."""


class StopGenerationResponse(base.Model):
    """The answer that was stopped."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.StopGenerationResponse"

    message: Message | None = None
    """The answer as it was stored; absent if none was running."""


class ConverseRequest(base.Model):
    """One message or command of the caller."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ConverseRequest"

    conversation: str = ""
    """The id of the conversation; only the first request has to name it."""
    content: str = ""
    """A message to send."""
    stop: bool = False
    """Whether to stop the running answer. With `content`, that is sent afterwards."""
    options: ai.ChatOptions | None = None
    """How the model generates the answer to `content`."""
    request_id: str = ""
    """An id chosen by the caller, as in SendMessageRequest. A refusal repeats it."""


class ConverseResponse(base.Model):
    """One event of a Converse stream."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ConverseResponse"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {"event": ("answer", "refusal")}

    answer: AnswerEvent | None = None
    """An event of an answer."""
    refusal: ConverseRefusal | None = None
    """A message that was refused."""


class ConverseRefusal(base.Model):
    """ConverseRefusal says why a message was refused."""

    __proto__ = "artificer.conversation.v1.conversation_service_pb2:artificer.conversation.v1.ConverseRefusal"

    status: base.Status | None = None
    """The error."""
    request_id: str = ""
    """The `request_id` of the message."""
