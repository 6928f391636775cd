"""Reads a chat in OpenAI's form. Raises Invalid with the paths of all fields to correct, in OpenAI's names.

What the server cannot do (several answers, log probabilities, images) is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from artificer.openai.v1 import openai_service_pb2 as pb

from ..models.values import Chat, Message, Options, Role, Tool, ToolCall
from .chat_checks import Faults, check_messages, check_options, check_schema, check_tool_call, check_tools, within
from .struct_values import plain_value, struct_value

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # the newer name
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_KNOWN = frozenset(("role", "content", "tool_calls", "tool_call_id", "refusal"))
# What clients repeat from an earlier answer, or send along; no model gets it.
_UNUSED = frozenset(("name", "annotations", "reasoning_content", "reasoning"))
_UNREAD = "unread"  # in the place of a value with a fault, so that it does not count as missing too
_CHOICES = ("none", "auto", "required")


def chat_in(request: pb.CreateChatCompletionRequest) -> Chat:
    """Returns the chat of a request."""
    faults = Faults()
    messages = tuple(
        _message(struct_value(message), f"messages[{number}]", faults)
        for number, message in enumerate(request.messages)
    )
    check_messages(messages, "messages", faults)
    tools = tuple(_tool(struct_value(tool), number, faults) for number, tool in enumerate(request.tools))
    check_tools(tools, "tools", faults, below=".function")
    choice = plain_value(request.tool_choice)
    _check_choice(choice, tools, faults)
    _refuse_unsupported(request, faults)
    options = _options(request, faults, tools=bool(tools))
    faults.check()
    return Chat(messages=messages, options=options, tools=tools, tool_choice=choice if tools else None)


def _message(message: Mapping[str, Any], path: str, faults: Faults) -> Message:
    named = message.get("role")
    role = _ROLES.get(named) if isinstance(named, str) else None
    if role is None:
        faults.add(f"{path}.role", f"expected one of: {', '.join(_ROLES)}")
    for name, value in message.items():
        if name not in _KNOWN and name not in _UNUSED and value is not None:
            faults.add(f"{path}.{name[:64]}", "the field is not supported")
    calls = message.get("tool_calls") or []
    identity = message.get("tool_call_id") or ""
    if not isinstance(identity, str):
        faults.add(f"{path}.tool_call_id", "expected a text")
        identity = _UNREAD
    content = message.get("content")
    if content is None:
        content = message.get("refusal")  # of an earlier answer, beside which there is no content
    return Message(
        role=role or "user",
        content=_content(content, f"{path}.content", faults),
        tool_calls=_calls(calls, f"{path}.tool_calls", faults),
        tool_call_id=identity,
    )


def _content(content: Any, path: str, faults: Faults) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        faults.add(path, "expected a text, or a list of parts of type text")
        return _UNREAD
    texts = []
    for number, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get(kind) if isinstance(part, dict) and kind in ("text", "refusal") else None
        if isinstance(text, str):
            texts.append(text)
        elif kind in ("text", "refusal"):
            faults.add(f"{path}[{number}].{kind}", "expected a text")
        else:
            said = f"unsupported type {kind[:32]!r}" if isinstance(kind, str) else "the type is missing"
            faults.add(f"{path}[{number}].type", f"{said}; expected text")
    return "".join(texts) or (_UNREAD if content else "")


def _calls(calls: Any, path: str, faults: Faults) -> tuple[ToolCall, ...]:
    if not isinstance(calls, list):
        faults.add(path, "expected a list")
        return ()
    found = []
    for number, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.get("type", "function") != "function":
            faults.add(f"{path}[{number}]", "expected a call of type function")
            continue
        parts = (call.get("id"), function.get("name"), function.get("arguments") or "")
        identity, name, arguments = (part if isinstance(part, str) else "" for part in parts)
        if not isinstance(parts[2], str):
            faults.add(f"{path}[{number}].function.arguments", "expected JSON as a text")
        read = ToolCall(id=identity, name=name, arguments=arguments)
        check_tool_call(read, f"{path}[{number}]", faults, name="function.name")
        found.append(read)
    return tuple(found)


def _tool(tool: Mapping[str, Any], number: int, faults: Faults) -> Tool:
    path, function = f"tools[{number}]", tool.get("function")
    if tool.get("type", "function") != "function" or not isinstance(function, dict):
        faults.add(f"{path}.type", "expected a tool of type function")
        return Tool(name=f"{_UNREAD}-{number}")
    name, about, parameters = function.get("name"), function.get("description"), function.get("parameters")
    if about is not None and not isinstance(about, str):
        faults.add(f"{path}.function.description", "expected a text")
    if parameters is not None and not isinstance(parameters, dict):
        faults.add(f"{path}.function.parameters", "expected a JSON schema")
        parameters = None
    return Tool(
        name=name if isinstance(name, str) else "",
        description=about if isinstance(about, str) else "",
        parameters=parameters,
    )


def _check_choice(choice: Any, tools: Sequence[Tool], faults: Faults) -> None:
    if choice is None:
        return
    if isinstance(choice, str):
        if choice not in _CHOICES:
            faults.add("tool_choice", f"expected one of: {', '.join(_CHOICES)}; or a function")
        elif not tools and choice == "required":
            faults.add("tool_choice", "there are no tools")
        return
    function = choice.get("function") if isinstance(choice, dict) and choice.get("type") == "function" else None
    if not isinstance(function, dict):
        faults.add("tool_choice", f"expected one of: {', '.join(_CHOICES)}; or a function")
    elif function.get("name") not in {tool.name for tool in tools}:
        faults.add("tool_choice.function.name", "expected the name of one of the tools")


def _refuse_unsupported(request: pb.CreateChatCompletionRequest, faults: Faults) -> None:
    if request.HasField("n") and request.n != 1:
        faults.add("n", "expected 1: a request has one answer")
    if request.logprobs:
        faults.add("logprobs", "log probabilities are not supported")
    if request.store:
        faults.add("store", "answers are not stored")


def _options(request: pb.CreateChatCompletionRequest, faults: Faults, *, tools: bool) -> Options:
    schema, as_object = _format(struct_value(request.response_format), faults)
    more: dict[str, Any] = {}
    if request.HasField("frequency_penalty"):
        more["frequency_penalty"] = request.frequency_penalty
    if request.HasField("presence_penalty"):
        more["presence_penalty"] = request.presence_penalty
    for name, value in more.items():
        if not within(value, -2, 2):
            faults.add(name, "expected a number from -2 to 2")
    if request.logit_bias.fields:
        more["logit_bias"] = struct_value(request.logit_bias)
    if request.reasoning_effort:
        more["reasoning_effort"] = request.reasoning_effort
    if tools and request.HasField("parallel_tool_calls"):
        more["parallel_tool_calls"] = request.parallel_tool_calls
    options = Options(
        max_tokens=_most_tokens(request, faults),
        temperature=request.temperature if request.HasField("temperature") else None,
        top_p=request.top_p if request.HasField("top_p") else None,
        stop=_stop(plain_value(request.stop), faults),
        json_schema=schema,
        json_object=as_object,
        seed=request.seed if request.HasField("seed") else None,
        more=more,
    )
    check_options(options, "", faults)
    return options


def _most_tokens(request: pb.CreateChatCompletionRequest, faults: Faults) -> int | None:
    if not request.HasField("max_completion_tokens"):
        return request.max_tokens if request.HasField("max_tokens") else None
    if request.max_completion_tokens < 1:
        faults.add("max_completion_tokens", "expected at least 1")
        return None
    return request.max_completion_tokens


def _stop(stop: Any, faults: Faults) -> tuple[str, ...]:
    texts = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        faults.add("stop", "expected a text, or a list of texts")
        return ()
    return tuple(texts)


def _format(form: Mapping[str, Any], faults: Faults) -> tuple[Mapping[str, Any] | None, bool]:
    """Returns the JSON schema of the answer, and whether it must be any JSON object."""
    match form.get("type", "" if form else "text"):
        case "text":
            return None, False
        case "json_object":
            return None, True
        case "json_schema":
            named = form.get("json_schema")
            schema = named.get("schema") if isinstance(named, dict) else None
            if isinstance(schema, dict):
                check_schema(schema, "response_format.json_schema.schema", faults)
                return schema, False
            faults.add("response_format.json_schema.schema", "expected a JSON schema")
        case _:
            faults.add("response_format.type", "expected one of: text, json_object, json_schema")
    return None, False
