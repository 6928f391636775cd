"""Checks what a request asks of a model, and collects a fault for every field that is wrong.

Pure. Knows no protos: the typed services and OpenAI's form call these with their own field paths. What only a model
can tell (its context, whether it has tools) is checked by `models`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ...kit.errors import Fault, Invalid
from ..models.values import Message, Options, Tool, ToolCall

MOST_STOPS = 4  # OpenAI's limit
MOST_TOOLS = 128  # OpenAI's limit
MOST_SCHEMA_BYTES = 64 * 1024  # a grammar is made of it, for every request
# Reported at most. A status is in the trailers of gRPC, for which its clients allow 8 KiB: with more of them they see
# RESOURCE_EXHAUSTED instead of the status.
_MOST_FAULTS = 16
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Faults:
    """Collects what is wrong with the fields of a request: the first 16 faults, and that there are more."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def add(self, field: str, text: str) -> None:
        """Add a fault."""
        if len(self._found) < _MOST_FAULTS:
            self._found.append(Fault(field, text))
        elif len(self._found) == _MOST_FAULTS:
            self._found.append(Fault("", f"there are more faults; only the first {_MOST_FAULTS} are listed"))

    def check(self) -> None:
        """Raises Invalid with the faults, if there are any."""
        if self._found:
            raise Invalid(*self._found)


def check_messages(messages: Sequence[Message], field: str, faults: Faults) -> None:
    """Check the messages of a chat, each at `field[i]`."""
    if not messages:
        faults.add(field, "expected at least one message")
    for number, message in enumerate(messages):
        _check_message(message, f"{field}[{number}]", faults)


def _check_message(message: Message, path: str, faults: Faults) -> None:
    # A tool may have nothing to say, such as a command without output.
    if not message.content and not message.tool_calls and message.role != "tool":
        faults.add(f"{path}.content", "the content is empty")
    if message.tool_calls and message.role != "assistant":
        faults.add(f"{path}.tool_calls", "only a message of the assistant has tool calls")
    if message.tool_call_id and message.role != "tool":
        faults.add(f"{path}.tool_call_id", "only a message of a tool answers a call")
    if message.role == "tool" and not message.tool_call_id:
        faults.add(f"{path}.tool_call_id", "expected the id of the call that the message answers")


def check_tool_call(call: ToolCall, path: str, faults: Faults, *, name: str = "name") -> None:
    """Check a call in a message's history; `name` is the path of its name below `path`."""
    if not call.id:
        faults.add(f"{path}.id", "the id is empty")
    if not call.name:
        faults.add(f"{path}.{name}", "the name is empty")


def check_options(options: Options, prefix: str, faults: Faults) -> None:
    """Check options, whose names begin with `prefix`, such as `options.`."""
    if options.max_tokens is not None and options.max_tokens < 1:
        faults.add(f"{prefix}max_tokens", "expected at least 1")
    if not within(options.temperature, 0, 2):
        faults.add(f"{prefix}temperature", "expected a number from 0 to 2")
    if not within(options.top_p, 0, 1) or options.top_p == 0:
        faults.add(f"{prefix}top_p", "expected a number above 0 and up to 1")
    if len(options.stop) > MOST_STOPS:
        faults.add(f"{prefix}stop", f"expected at most {MOST_STOPS} texts")
    if "" in options.stop:
        faults.add(f"{prefix}stop", "a stop text is empty")


def check_schema(schema: Mapping[str, Any], field: str, faults: Faults) -> None:
    """Check a JSON schema for its size; whether it is valid is left to the model."""
    try:
        size = len(orjson.dumps(schema))
    except (orjson.JSONEncodeError, RecursionError):
        faults.add(field, "the schema is nested too deeply")
        return
    if size > MOST_SCHEMA_BYTES:
        faults.add(field, f"the schema has {size:,} bytes as JSON; at most {MOST_SCHEMA_BYTES:,} are accepted")


def check_tools(tools: Sequence[Tool], field: str, faults: Faults, *, below: str = "") -> None:
    """Check tools, each at `field[i]`; `below` is the path of the function in each, such as `.function`."""
    if len(tools) > MOST_TOOLS:
        faults.add(field, f"expected at most {MOST_TOOLS} tools")
    seen: set[str] = set()
    for number, tool in enumerate(tools[:MOST_TOOLS]):
        path = f"{field}[{number}]{below}"
        if not _TOOL_NAME.fullmatch(tool.name):
            faults.add(f"{path}.name", "expected 1 to 64 letters, digits, underscores and hyphens")
        elif tool.name in seen:
            faults.add(f"{path}.name", f"there are two tools {tool.name!r}")
        seen.add(tool.name)
        if tool.parameters is not None:
            check_schema(tool.parameters, f"{path}.parameters", faults)


def within(value: float | None, least: float, most: float) -> bool:
    """Whether a number is absent, or finite and within bounds that count too."""
    return value is None or (math.isfinite(value) and least <= value <= most)
