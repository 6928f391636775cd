"""Models of artificer.openai.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from pydantic import Field

from . import base

__all__ = [
    "ChatCompletion",
    "ChatCompletionChoice",
    "ChatCompletionChunk",
    "CreateChatCompletionRequest",
    "CreateEmbeddingsRequest",
    "CreateEmbeddingsResponse",
    "EmbeddingObject",
    "GetModelRequest",
    "ListModelsRequest",
    "ListModelsResponse",
    "Model",
    "StreamOptions",
    "Usage",
]


class CreateChatCompletionRequest(base.Model):
    """A chat to answer, as in OpenAI's API."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.CreateChatCompletionRequest"

    model: str = ""
    """The name of the model; the server's default if it is empty."""
    messages: list[base.Struct] = []
    """The messages: `role` and `content` (a text, or a list of parts of type `text`), `tool_calls`, `tool_call_id`,
    `name`.
    """
    stream: bool = False
    """Whether the answer is Server-Sent Events."""
    stream_options: StreamOptions | None = Field(None, alias="stream_options")
    """What a stream has besides text."""
    max_tokens: base.Int32 | None = Field(None, alias="max_tokens")
    """The most tokens to generate."""
    max_completion_tokens: base.Int32 | None = Field(None, alias="max_completion_tokens")
    """The same, by its newer name, which wins."""
    temperature: float | None = None
    """From 0 to 2."""
    top_p: float | None = Field(None, alias="top_p")
    """Above 0 and up to 1."""
    stop: base.Value | None = None
    """A text that ends the answer, or a list of up to 4."""
    seed: base.Int64 | None = None
    """Makes a model that supports it repeat the same answer."""
    response_format: base.Struct | None = Field(None, alias="response_format")
    """`{"type": "text"}`, `json_object`, or `json_schema` with a schema."""
    tools: list[base.Struct] = []
    """The tools that the model may ask for."""
    tool_choice: base.Value | None = Field(None, alias="tool_choice")
    """Whether and which tool the model asks for."""
    parallel_tool_calls: bool | None = Field(None, alias="parallel_tool_calls")
    """Whether the model may ask for several tools at once."""
    frequency_penalty: float | None = Field(None, alias="frequency_penalty")
    """From -2 to 2."""
    presence_penalty: float | None = Field(None, alias="presence_penalty")
    """From -2 to 2."""
    logit_bias: base.Struct | None = Field(None, alias="logit_bias")
    """Weights of tokens; passed on to models behind an upstream, refused by others."""
    logprobs: bool | None = None
    """Only false is accepted."""
    n: base.Int32 | None = None
    """The number of answers; only 1 is accepted."""
    user: str = ""
    """The user of the application; not used."""
    metadata: base.Struct | None = None
    """Not used."""
    store: bool | None = None
    """Only false is accepted."""
    reasoning_effort: str = Field("", alias="reasoning_effort")
    """Passed on to models behind an upstream, not used by others."""
    service_tier: str = Field("", alias="service_tier")
    """Not used."""


class StreamOptions(base.Model):
    """What a stream has besides text."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.StreamOptions"

    include_usage: bool = Field(False, alias="include_usage")
    """Whether a last chunk without choices has the usage."""
    include_obfuscation: bool = Field(False, alias="include_obfuscation")
    """Not used."""


class CreateEmbeddingsRequest(base.Model):
    """Texts to embed, as in OpenAI's API."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.CreateEmbeddingsRequest"

    model: str = ""
    """The name of the model; the server's default if it is empty."""
    input: base.Value | None = None
    """A text, or a list of texts. Lists of tokens are refused."""
    encoding_format: str = Field("", alias="encoding_format")
    """"float" (the default), or "base64" of little-endian 32-bit floats."""
    dimensions: base.Int32 | None = None
    """Only the dimension of the model is accepted."""
    user: str = ""
    """The user of the application; not used."""


class CreateEmbeddingsResponse(base.Model):
    """The vectors of texts."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.CreateEmbeddingsResponse"

    object: str = ""
    """"list"."""
    data: list[EmbeddingObject] = []
    """The vectors, in the order of the texts."""
    model: str = ""
    """The name of the model."""
    usage: Usage | None = None
    """The tokens."""


class EmbeddingObject(base.Model):
    """One vector."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.EmbeddingObject"

    object: str = ""
    """"embedding"."""
    index: base.Int32 | None = None
    """The position of its text."""
    embedding: base.Value | None = None
    """A list of numbers, or a text with `encoding_format` "base64"."""


class Usage(base.Model):
    """The tokens of a request."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.Usage"

    prompt_tokens: base.Int32 | None = Field(None, alias="prompt_tokens")
    """The tokens of the prompt."""
    completion_tokens: base.Int32 | None = Field(None, alias="completion_tokens")
    """The tokens of the answer; absent for embeddings."""
    total_tokens: base.Int32 | None = Field(None, alias="total_tokens")
    """Their sum."""


class ListModelsRequest(base.Model):
    """ListModelsRequest asks for all models."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.ListModelsRequest"


class ListModelsResponse(base.Model):
    """All models."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.ListModelsResponse"

    object: str = ""
    """"list"."""
    data: list[Model] = []
    """The models."""


class GetModelRequest(base.Model):
    """GetModelRequest names a model."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.GetModelRequest"

    model: str = ""
    """The name of the model."""


class Model(base.Model):
    """A model."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.Model"

    id: str = ""
    """The name, as requests give it."""
    object: str = ""
    """"model"."""
    created: base.UInt32 | None = None
    """When the server began to serve it, in seconds since 1970."""
    owned_by: str = Field("", alias="owned_by")
    """What serves it: "local", "upstream" or "scripted"."""
    capabilities: list[str] = []
    """"chat" or "embeddings"; not in OpenAI's API."""
    context_length: base.Int32 | None = Field(None, alias="context_length")
    """The tokens that a prompt and its answer may have, if known; not in OpenAI's API."""
    dimension: base.Int32 | None = None
    """The number of values of its vectors, if known; not in OpenAI's API."""


class ChatCompletion(base.Model):
    """An answer, as CreateChatCompletion writes it."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.ChatCompletion"

    id: str = ""
    """The id."""
    object: str = ""
    """"chat.completion"."""
    created: base.UInt32 | None = None
    """When it was made, in seconds since 1970."""
    model: str = ""
    """The name of the model."""
    choices: list[ChatCompletionChoice] = []
    """The answer."""
    usage: Usage | None = None
    """The tokens."""


class ChatCompletionChoice(base.Model):
    """One answer, or a piece of it."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.ChatCompletionChoice"

    index: base.Int32 | None = None
    """Always 0."""
    message: base.Struct | None = None
    """The message, in a ChatCompletion."""
    delta: base.Struct | None = None
    """The next part of the message, in a ChatCompletionChunk."""
    finish_reason: str = Field("", alias="finish_reason")
    """"stop", "length", "tool_calls" or "content_filter"; null before the end."""


class ChatCompletionChunk(base.Model):
    """A piece of an answer, as CreateChatCompletion streams it."""

    __proto__ = "artificer.openai.v1.openai_service_pb2:artificer.openai.v1.ChatCompletionChunk"

    id: str = ""
    """The id, the same in all pieces."""
    object: str = ""
    """"chat.completion.chunk"."""
    created: base.UInt32 | None = None
    """When the answer was begun, in seconds since 1970."""
    model: str = ""
    """The name of the model."""
    choices: list[ChatCompletionChoice] = []
    """The piece; none beside the usage."""
    usage: Usage | None = None
    """The tokens, if `include_usage` asked for them."""
