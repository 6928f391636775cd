"""Writes a chat as a request of OpenAI's protocol. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..values import Chat, Message, Options


def chat_request(chat: Chat, model: str, limit: str = "max_tokens") -> dict[str, Any]:
    """Returns the body of a request to `/chat/completions` that streams, with usage.

    `limit` is the server's name of the most tokens to generate.
    """
    request: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in chat.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **_options(chat.options, limit),
    }
    if chat.tools:
        request["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    **({"description": tool.description} if tool.description else {}),
                    **({"parameters": tool.parameters} if tool.parameters is not None else {}),
                },
            }
            for tool in chat.tools
        ]
        if chat.tool_choice is not None:
            request["tool_choice"] = chat.tool_choice
    return request


def _message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["content"] = message.content or None
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        found["tool_call_id"] = message.tool_call_id
    return found


def _options(options: Options, limit: str) -> dict[str, Any]:
    wanted = {
        limit: options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "seed": options.seed,
        "stop": list(options.stop) or None,
    }
    found = {**options.more, **{name: value for name, value in wanted.items() if value is not None}}
    if options.json_schema is not None:
        schema = options.json_schema
        form = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
        found["response_format"] = {"type": "json_schema", "json_schema": form}
    elif options.json_object:
        found["response_format"] = {"type": "json_object"}
    return found


def is_strict(schema: Any) -> bool:
    """Whether OpenAI's own servers accept a schema as strict: every object closed, and all its properties required.

    With `strict` they hold the answer to the schema; they refuse other schemas with it. Other servers ignore it.
    """
    if isinstance(schema, list):
        return all(is_strict(one) for one in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        names = set(properties) if isinstance(properties, Mapping) else set()
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or not isinstance(required or [], list):
            return False
        if names.symmetric_difference(map(str, required or [])):
            return False
    return all(is_strict(value) for value in schema.values())
