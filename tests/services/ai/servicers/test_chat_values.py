"""Chats of requests: what becomes of their fields, and which fields are refused."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct, Value

from artificer.ai.v1 import ai_worker_service_pb2 as worker
from artificer.ai.v1 import chat_pb2 as pb
from artificer_services.ai.models.values import Chat, Finish, Message, Options, Tool, ToolCall, Usage
from artificer_services.ai.servicers.chat_values import (
    finish_of,
    message_of,
    to_chat,
    to_messages,
    to_options,
    usage_of,
)
from artificer_services.ai.servicers.struct_values import plain_value, struct_value
from artificer_services.kit.errors import Invalid

USER = {"role": "CHAT_ROLE_USER", "content": "hello"}


def chat_of(**fields: Any) -> Chat:
    request = ParseDict({"messages": [USER], **fields}, worker.ChatStreamRequest())
    return to_chat(request.messages, request.options, request.tools)


def test_a_whole_chat_is_read() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}}
    chat = chat_of(
        messages=[
            {"role": "CHAT_ROLE_SYSTEM", "content": "Be short."},
            USER,
            {"role": "CHAT_ROLE_ASSISTANT", "tool_calls": [{"id": "1", "name": "look", "arguments": "{}"}]},
            {"role": "CHAT_ROLE_TOOL", "tool_call_id": "1"},
        ],
        options={"max_tokens": 9, "temperature": 0, "top_p": 1, "stop": ["."], "json_schema": schema, "seed": "-3"},
        tools=[{"name": "look", "description": "Looks.", "parameters": schema}, {"name": "wait"}],
    )
    assert chat == Chat(
        messages=(
            Message(role="system", content="Be short."),
            Message(role="user", content="hello"),
            Message(role="assistant", tool_calls=(ToolCall(id="1", name="look", arguments="{}"),)),
            Message(role="tool", tool_call_id="1"),
        ),
        options=Options(max_tokens=9, temperature=0, top_p=1, stop=(".",), json_schema=schema, seed=-3),
        tools=(Tool(name="look", description="Looks.", parameters=schema), Tool(name="wait")),
    )
    assert isinstance(chat.options.json_schema, dict)
    assert isinstance(chat.options.json_schema["properties"]["city"]["maxLength"], int)


def test_absent_options_are_left_to_the_model() -> None:
    assert chat_of().options == Options()


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"messages": []}, ["messages"]),
        ({"messages": [{"content": "who says this?"}]}, ["messages[0].role"]),
        ({"messages": [USER, {"role": 77, "content": "x"}]}, ["messages[1].role"]),
        ({"messages": [{"role": "CHAT_ROLE_USER"}]}, ["messages[0].content"]),
        ({"messages": [{"role": "CHAT_ROLE_TOOL", "content": "x"}]}, ["messages[0].tool_call_id"]),
        ({"messages": [USER | {"tool_call_id": "1"}]}, ["messages[0].tool_call_id"]),
        ({"messages": [USER | {"tool_calls": [{"id": "1", "name": "f"}]}]}, ["messages[0].tool_calls"]),
        (
            {"messages": [{"role": "CHAT_ROLE_ASSISTANT", "tool_calls": [{}]}]},
            ["messages[0].tool_calls[0].id", "messages[0].tool_calls[0].name"],
        ),
        ({"options": {"max_tokens": 0}}, ["options.max_tokens"]),
        ({"options": {"temperature": 2.01}}, ["options.temperature"]),
        ({"options": {"temperature": "NaN"}}, ["options.temperature"]),
        ({"options": {"top_p": 0}}, ["options.top_p"]),
        ({"options": {"top_p": "Infinity"}}, ["options.top_p"]),
        ({"options": {"stop": ["a", "b", "c", "d", "e"]}}, ["options.stop"]),
        ({"options": {"stop": [""]}}, ["options.stop"]),
        ({"options": {"json_schema": {"description": "x" * 65536}}}, ["options.json_schema"]),
        ({"tools": [{"name": "not a name"}]}, ["tools[0].name"]),
        ({"tools": [{"name": "f"}, {"name": "f"}]}, ["tools[1].name"]),
        ({"tools": [{"name": "f", "parameters": {"description": "x" * 65536}}]}, ["tools[0].parameters"]),
        ({"tools": [{"name": f"f{number}"} for number in range(129)]}, ["tools"]),
        (  # all at once
            {"messages": [{}], "options": {"max_tokens": -1}, "tools": [{}]},
            ["messages[0].role", "messages[0].content", "options.max_tokens", "tools[0].name"],
        ),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], paths: list[str]) -> None:
    with pytest.raises(Invalid) as raised:
        chat_of(**fields)
    assert [fault.field for fault in raised.value.faults] == paths


def test_other_fields_of_a_request_are_named_too() -> None:
    with pytest.raises(Invalid, match=r"history\[0\]\.content: the content is empty"):
        to_messages([pb.ChatMessage(role=pb.CHAT_ROLE_USER)], "history")
    with pytest.raises(Invalid, match=r"how\.top_p"):
        to_options(pb.ChatOptions(top_p=-1), "how")


def test_answers_are_written() -> None:
    assert [finish_of(finish) for finish in (None, *Finish)] == [
        pb.FINISH_REASON_UNSPECIFIED,
        pb.FINISH_REASON_STOP,
        pb.FINISH_REASON_LENGTH,
        pb.FINISH_REASON_TOOL_CALLS,
        pb.FINISH_REASON_CONTENT_FILTER,
    ]
    assert usage_of(None) is None
    assert usage_of(Usage(prompt=3, completion=2**40)) == pb.TokenUsage(prompt_tokens=3, completion_tokens=2**31 - 1)


@pytest.mark.parametrize(
    "message",
    [
        Message(role="user", content="hello"),
        Message(role="assistant", tool_calls=(ToolCall(id="1", name="f", arguments="{"),)),
        Message(role="tool", content="42", tool_call_id="1"),
    ],
)
def test_messages_survive_both_ways(message: Message) -> None:
    assert to_messages([message_of(message)]) == (message,)


def test_structs_become_plain_values() -> None:
    values = {"a": 1, "b": 1.5, "c": [True, None, "x", {"d": -3}], "big": 2.0**60}
    found = struct_value(ParseDict(values, Struct()))
    assert found == values
    assert [type(found[name]) for name in ("a", "b", "big")] == [int, float, float]
    assert plain_value(Value()) is None
