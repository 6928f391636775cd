"""Converts the protos of artificer.ai.v1's chats to values of models and back, and checks them.

Used by the AI worker, RAG and conversations. Raises Invalid with the paths of all fields to correct.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from artificer.ai.v1 import chat_pb2 as pb

from ..models.values import Chat, Finish, Message, Options, Role, Tool, ToolCall, Usage
from .chat_checks import Faults, check_messages, check_options, check_schema, check_tool_call, check_tools
from .struct_values import struct_value

_ROLES: dict[pb.ChatRole.ValueType, Role] = {
    pb.CHAT_ROLE_SYSTEM: "system",
    pb.CHAT_ROLE_USER: "user",
    pb.CHAT_ROLE_ASSISTANT: "assistant",
    pb.CHAT_ROLE_TOOL: "tool",
}
_ROLE_NUMBERS = {role: number for number, role in _ROLES.items()}
_EXPECTED_ROLES = ", ".join(pb.ChatRole.Name(number) for number in _ROLES)
_FINISHES = {
    Finish.STOP: pb.FINISH_REASON_STOP,
    Finish.LENGTH: pb.FINISH_REASON_LENGTH,
    Finish.TOOL_CALLS: pb.FINISH_REASON_TOOL_CALLS,
    Finish.CONTENT_FILTER: pb.FINISH_REASON_CONTENT_FILTER,
}
_MOST_INT32 = 2**31 - 1


def to_chat(messages: Iterable[pb.ChatMessage], options: pb.ChatOptions, tools: Iterable[pb.Tool] = ()) -> Chat:
    """Returns the chat of a request with the fields `messages`, `options` and `tools`."""
    faults = Faults()
    chat = Chat(
        messages=_messages(messages, "messages", faults),
        options=_options(options, "options", faults),
        tools=_tools(tools, "tools", faults),
    )
    faults.check()
    return chat


def to_messages(messages: Iterable[pb.ChatMessage], field: str = "messages") -> tuple[Message, ...]:
    """Returns the messages of the request's field `field`, of which there must be one at least."""
    faults = Faults()
    found = _messages(messages, field, faults)
    faults.check()
    return found


def to_options(options: pb.ChatOptions, field: str = "options") -> Options:
    """Returns the options in the request's field `field`."""
    faults = Faults()
    found = _options(options, field, faults)
    faults.check()
    return found


def finish_of(finish: Finish | None) -> pb.FinishReason.ValueType:
    """Returns the proto's reason; FINISH_REASON_UNSPECIFIED for None."""
    return pb.FINISH_REASON_UNSPECIFIED if finish is None else _FINISHES[finish]


def usage_of(usage: Usage | None) -> pb.TokenUsage | None:
    """Returns the proto's usage; None if the tokens are not known, which leaves a field unset."""
    if usage is None:
        return None
    return pb.TokenUsage(
        prompt_tokens=min(usage.prompt, _MOST_INT32), completion_tokens=min(usage.completion, _MOST_INT32)
    )


def tool_calls_of(calls: Sequence[ToolCall]) -> list[pb.ToolCall]:
    """Returns the protos of tool calls."""
    return [pb.ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in calls]


def message_of(message: Message) -> pb.ChatMessage:
    """Returns the proto of a message."""
    return pb.ChatMessage(
        role=_ROLE_NUMBERS[message.role],
        content=message.content,
        tool_calls=tool_calls_of(message.tool_calls),
        tool_call_id=message.tool_call_id,
    )


def _messages(messages: Iterable[pb.ChatMessage], field: str, faults: Faults) -> tuple[Message, ...]:
    found: list[Message] = []
    for number, message in enumerate(messages):
        path = f"{field}[{number}]"
        role = _ROLES.get(message.role)
        if role is None:
            faults.add(f"{path}.role", f"expected one of: {_EXPECTED_ROLES}")
        calls = tuple(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in message.tool_calls)
        for place, call in enumerate(calls):
            check_tool_call(call, f"{path}.tool_calls[{place}]", faults)
        found.append(
            Message(role=role or "user", content=message.content, tool_calls=calls, tool_call_id=message.tool_call_id)
        )
    check_messages(found, field, faults)
    return tuple(found)


def _options(options: pb.ChatOptions, field: str, faults: Faults) -> Options:
    schema = struct_value(options.json_schema) if options.HasField("json_schema") else None
    if schema is not None:
        check_schema(schema, f"{field}.json_schema", faults)
    found = Options(
        max_tokens=options.max_tokens if options.HasField("max_tokens") else None,
        temperature=options.temperature if options.HasField("temperature") else None,
        top_p=options.top_p if options.HasField("top_p") else None,
        stop=tuple(options.stop),
        json_schema=schema,
        seed=options.seed if options.HasField("seed") else None,
    )
    check_options(found, f"{field}.", faults)
    return found


def _tools(tools: Iterable[pb.Tool], field: str, faults: Faults) -> tuple[Tool, ...]:
    found = tuple(
        Tool(
            name=tool.name,
            description=tool.description,
            parameters=struct_value(tool.parameters) if tool.HasField("parameters") else None,
        )
        for tool in tools
    )
    check_tools(found, field, faults)
    return found
