"""What is asked of a model and what it answers, as plain values.

Pure. Knows neither protos nor a model; `model` has the interfaces that take these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from numpy import float32
from numpy.typing import NDArray

Role = Literal["system", "user", "assistant", "tool"]
Vectors = NDArray[float32]
"""Vectors of length 1, as the rows of a matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that a model asks for; `arguments` is JSON as the model wrote it, which may be invalid."""

    id: str
    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that a model may ask for; `parameters` is a JSON schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a chat."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model generates; what is None is left to the model.

    `json_schema` holds the answer to a schema, `json_object` to any object. `more` are further fields of OpenAI's
    protocol, which only a model behind an upstream reads.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    json_object: bool = False
    seed: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What a model is asked to continue."""

    messages: tuple[Message, ...]
    options: Options = Options()
    tools: tuple[Tool, ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None


class Finish(StrEnum):
    """Why an answer ended, by OpenAI's names."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of a request."""

    prompt: int = 0
    completion: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """The next part of an answer. The last one of an answer has `finish`, and `usage` if the model counts.

    Tool calls are whole, never parts of one.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of texts, one row each in their order, and their tokens, an estimate if `exact` is false."""

    vectors: Vectors
    tokens: int
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a model without asking it; 0 is unknown."""

    name: str
    kind: str  # local, upstream or scripted
    chat: bool
    context_tokens: int = 0
    dimension: int = 0
    tools: bool = False
    short_passages: bool = False  # whether it reads only the best sentence of each passage
