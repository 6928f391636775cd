"""Converts projects, conversations, messages and events of answers between protos and values."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from artificer.ai.v1 import chat_pb2
from artificer.conversation.v1 import conversation_service_pb2 as pb

from ...kit.errors import Fault, Invalid
from ..conversations.dialogue import DialogueEvent, Refusal
from ..conversations.values import (
    AnswerEvent,
    Conversation,
    Draft,
    Ending,
    Finished,
    HistoryPolicy,
    Message,
    Project,
    Sent,
    Started,
    State,
)
from ..grounding.values import Citation, Retrieved, Text
from .chat_values import usage_of
from .passage_values import citation_of, passages_of
from .statuses import STATUSES

_POLICIES = {
    pb.HISTORY_POLICY_UNSPECIFIED: HistoryPolicy.DROP,
    pb.HISTORY_POLICY_DROP: HistoryPolicy.DROP,
    pb.HISTORY_POLICY_SUMMARIZE: HistoryPolicy.SUMMARIZE,
}
_POLICY_NUMBERS = {HistoryPolicy.DROP: pb.HISTORY_POLICY_DROP, HistoryPolicy.SUMMARIZE: pb.HISTORY_POLICY_SUMMARIZE}
_STATES = {
    State.COMPLETE: pb.MESSAGE_STATE_COMPLETE,
    State.RUNNING: pb.MESSAGE_STATE_RUNNING,
    State.STOPPED: pb.MESSAGE_STATE_STOPPED,
    State.FAILED: pb.MESSAGE_STATE_FAILED,
}
_ENDINGS = {
    None: chat_pb2.FINISH_REASON_UNSPECIFIED,
    Ending.STOP: chat_pb2.FINISH_REASON_STOP,
    Ending.LENGTH: chat_pb2.FINISH_REASON_LENGTH,
    Ending.TOOL_CALLS: chat_pb2.FINISH_REASON_TOOL_CALLS,
    Ending.CONTENT_FILTER: chat_pb2.FINISH_REASON_CONTENT_FILTER,
    Ending.CANCELLED: chat_pb2.FINISH_REASON_CANCELLED,
}
_ROLES = {
    "system": chat_pb2.CHAT_ROLE_SYSTEM,
    "user": chat_pb2.CHAT_ROLE_USER,
    "assistant": chat_pb2.CHAT_ROLE_ASSISTANT,
    "tool": chat_pb2.CHAT_ROLE_TOOL,
}


def project_in(project: pb.Project) -> Draft:
    """Returns what a caller says of a project."""
    return Draft(
        display_name=project.display_name,
        instructions=project.instructions,
        collections=tuple(project.collections),
    )


def conversation_in(conversation: pb.Conversation) -> Draft:
    """Returns what a caller says of a conversation. Raises Invalid for an unknown policy."""
    policy = _POLICIES.get(conversation.history_policy)
    if policy is None:
        known = ", ".join(pb.HistoryPolicy.Name(number) for number in _POLICY_NUMBERS.values())
        raise Invalid(Fault("conversation.history_policy", f"expected one of: {known}"))
    return Draft(
        project=conversation.project,
        display_name=conversation.display_name,
        model=conversation.model,
        instructions=conversation.instructions,
        collections=tuple(conversation.collections),
        policy=policy,
    )


def project_out(project: Project) -> pb.Project:
    """Returns the proto of a project."""
    return pb.Project(
        id=project.id,
        display_name=project.display_name,
        instructions=project.instructions,
        collections=project.collections,
        create_time=_stamp(project.created),
        update_time=_stamp(project.updated),
        etag=project.etag,
    )


def conversation_out(conversation: Conversation) -> pb.Conversation:
    """Returns the proto of a conversation."""
    return pb.Conversation(
        id=conversation.id,
        project=conversation.project,
        display_name=conversation.display_name,
        model=conversation.model,
        instructions=conversation.instructions,
        collections=conversation.collections,
        history_policy=_POLICY_NUMBERS[conversation.policy],
        message_count=conversation.message_count,
        forked_from=conversation.forked_from,
        answering=conversation.answering,
        create_time=_stamp(conversation.created),
        update_time=_stamp(conversation.updated),
        etag=conversation.etag,
    )


def message_out(message: Message) -> pb.Message:
    """Returns the proto of a message; without `history_cut` if the model read everything."""
    cut = message.cut
    return pb.Message(
        id=message.id,
        conversation=message.conversation,
        role=_ROLES[message.role],
        content=message.content,
        state=_STATES[message.state],
        finish_reason=_ENDINGS[message.ending],
        usage=usage_of(message.usage),
        model=message.model,
        citations=map(citation_of, message.citations),
        history_cut=pb.HistoryCut(dropped_messages=cut.dropped, summarized=cut.summarized) if cut.dropped else None,
        create_time=_stamp(message.created),
    )


def event_out(event: AnswerEvent) -> pb.AnswerEvent:
    """Returns the proto of an event of an answer."""
    match event:
        case Sent():
            return pb.AnswerEvent(sent=message_out(event.message))
        case Started():
            return pb.AnswerEvent(started=message_out(event.message))
        case Retrieved():
            return pb.AnswerEvent(passages=passages_of(event.passages))
        case Text():
            return pb.AnswerEvent(text=event.text)
        case Citation():
            return pb.AnswerEvent(citation=citation_of(event))
        case Finished():
            return pb.AnswerEvent(finished=message_out(event.message))


def response_out(event: DialogueEvent) -> pb.ConverseResponse:
    """Returns the proto of an event of Converse."""
    if isinstance(event, Refusal):
        refusal = pb.ConverseRefusal(status=STATUSES.status_of(event.error), request_id=event.request_id)
        return pb.ConverseResponse(refusal=refusal)
    return pb.ConverseResponse(answer=event_out(event))


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
