"""Makes the request that llama.cpp's server reads, in OpenAI's form, of a chat.

Pure. llama.cpp reads a template's marks in the text of a message as marks, so that a document or a user could end its
own message and begin one of the system. Marks in texts get a space, after which they are letters.
"""

from __future__ import annotations

import re
from typing import Any

from ..values import Chat, Message

_MORE = ("frequency_penalty", "presence_penalty", "parallel_tool_calls")

# Of ChatML, Llama 3 and Phi; of DeepSeek, in wide letters; of Gemma; of Mistral.
_MARK = re.compile(
    r"([<\[])(?=\|[\w.:-]{1,40}\|>|\uff5c[\w.:\u2581-]{1,40}\uff5c>|(?:start|end)_of_turn>"
    r"|/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS)\])"
)


def llama_request(chat: Chat, *, instructions: str = "", temperature: float | None = None) -> dict[str, Any]:
    """Returns the request for a streamed answer, with those of `options.more` that llama.cpp knows.

    `instructions` are the system's message of a chat without one, and `temperature` that of options without one.
    """
    options, messages = chat.options, chat.messages
    if instructions and all(message.role != "system" for message in messages):
        messages = (Message(role="system", content=instructions), *messages)
    request: dict[str, Any] = {
        "messages": [_message(message) for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,  # a chunk for each batch of the prompt, so that it can be cancelled between two
    }
    wanted = {
        "max_tokens": options.max_tokens,
        "temperature": temperature if options.temperature is None else options.temperature,
        "top_p": options.top_p,
        "seed": options.seed,
        "stop": list(options.stop) or None,
        "tool_choice": chat.tool_choice if chat.tools else None,
        **{name: options.more.get(name) for name in _MORE},
    }
    request |= {name: value for name, value in wanted.items() if value is not None}
    if options.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": dict(options.json_schema)}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif options.json_object:
        request["response_format"] = {"type": "json_object"}
    if chat.tools:
        request["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters or {"type": "object", "properties": {}}),
                },
            }
            for tool in chat.tools
        ]
    return request


def _message(message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role, "content": _MARK.sub(r"\1 ", message.content)}
    if message.tool_calls:
        made["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        made["tool_call_id"] = message.tool_call_id
    return made
