"""Answers in OpenAI's form, as `client.chat.completions` returns them. Field names in JSON are those of Python."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict

__all__ = [
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatCompletionMessage",
    "Choice",
    "ChunkChoice",
    "Delta",
    "Function",
    "FunctionCall",
    "ToolCall",
    "ToolCallPart",
    "Usage",
]

FinishReason: TypeAlias = str
"""`stop`, `length`, `tool_calls` or `content_filter`; upstream servers may have others."""


class _Model(BaseModel):
    """A part of an answer; fields that this version does not know are kept as `model_extra`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", defer_build=True, protected_namespaces=())


class Usage(_Model):
    """The tokens of a request and its answer."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Function(_Model):
    """The function that a model asks for; `arguments` is the text of a JSON object."""

    name: str = ""
    arguments: str = ""


class ToolCall(_Model):
    """A tool that a model asks for."""

    id: str
    type: str = "function"
    function: Function


class ChatCompletionMessage(_Model):
    """The message of a model. `content` is None if it asks for tools only."""

    role: str = "assistant"
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(_Model):
    """The one answer of a ChatCompletion."""

    index: int = 0
    message: ChatCompletionMessage
    finish_reason: FinishReason | None = None


class ChatCompletion(_Model):
    """A whole answer."""

    id: str
    object: str = "chat.completion"
    created: int = 0
    """When it was made, in seconds since 1970."""
    model: str
    choices: list[Choice]
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """The text of the answer; empty if the model asks for tools only."""
        return (self.choices[0].message.content if self.choices else None) or ""


class FunctionCall(_Model):
    """A part of the function that a model asks for: `arguments` arrives in pieces."""

    name: str | None = None
    arguments: str | None = None


class ToolCallPart(_Model):
    """A part of a tool call; parts of the same `index` belong together."""

    index: int = 0
    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None


class Delta(_Model):
    """What a chunk adds to the message."""

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallPart] | None = None


class ChunkChoice(_Model):
    """The one answer of a chunk. `finish_reason` is None before the end."""

    index: int = 0
    delta: Delta
    finish_reason: FinishReason | None = None


class ChatCompletionChunk(_Model):
    """A piece of an answer. `choices` is empty in the last one, which has the usage, if the request asks for it."""

    id: str
    object: str = "chat.completion.chunk"
    created: int = 0
    """When the answer began, in seconds since 1970."""
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """The text that the chunk adds; empty if it adds none."""
        return (self.choices[0].delta.content if self.choices else None) or ""
