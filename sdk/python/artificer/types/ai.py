"""Models of artificer.ai.v1. Generated from its protos by codegen/sdk; do not edit."""

from __future__ import annotations

from functools import cache
from typing import ClassVar, Literal, TypeAlias

from . import base

__all__ = [
    "AssetKind",
    "AssetKindName",
    "AssetStatus",
    "AssetStatusName",
    "ChatMessage",
    "ChatOptions",
    "ChatRole",
    "ChatRoleName",
    "ChatStreamRequest",
    "ChatStreamResponse",
    "Embedding",
    "FinishReason",
    "FinishReasonName",
    "GetEmbeddingRequest",
    "GetEmbeddingResponse",
    "ProcessAssetRequest",
    "ProcessAssetResponse",
    "TokenUsage",
    "Tool",
    "ToolCall",
    "VectorMatch",
    "VectorSearchRequest",
    "VectorSearchResponse",
]


class ChatRole(base.OpenEnum):
    """Who wrote a message."""

    UNSPECIFIED = "CHAT_ROLE_UNSPECIFIED"
    """Not accepted."""
    SYSTEM = "CHAT_ROLE_SYSTEM"
    """An instruction to the model by the application."""
    USER = "CHAT_ROLE_USER"
    """The user."""
    ASSISTANT = "CHAT_ROLE_ASSISTANT"
    """The model."""
    TOOL = "CHAT_ROLE_TOOL"
    """The result of a tool that the model has called."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "CHAT_ROLE_UNSPECIFIED": 0,
            "CHAT_ROLE_SYSTEM": 1,
            "CHAT_ROLE_USER": 2,
            "CHAT_ROLE_ASSISTANT": 3,
            "CHAT_ROLE_TOOL": 4,
        }


ChatRoleName: TypeAlias = Literal["system", "user", "assistant", "tool"]
"""The names of ChatRole in arguments of methods."""


class FinishReason(base.OpenEnum):
    """Why an answer ended."""

    UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"
    """The answer has not ended, or that the model does not say why."""
    STOP = "FINISH_REASON_STOP"
    """The model ended it, or met one of the stop texts."""
    LENGTH = "FINISH_REASON_LENGTH"
    """`max_tokens` or the model's context was used up."""
    TOOL_CALLS = "FINISH_REASON_TOOL_CALLS"
    """The model waits for the results of tools."""
    CONTENT_FILTER = "FINISH_REASON_CONTENT_FILTER"
    """A filter of the model's server withheld the rest."""
    CANCELLED = "FINISH_REASON_CANCELLED"
    """The caller stopped it or left."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "FINISH_REASON_UNSPECIFIED": 0,
            "FINISH_REASON_STOP": 1,
            "FINISH_REASON_LENGTH": 2,
            "FINISH_REASON_TOOL_CALLS": 3,
            "FINISH_REASON_CONTENT_FILTER": 4,
            "FINISH_REASON_CANCELLED": 5,
        }


FinishReasonName: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "cancelled"]
"""The names of FinishReason in arguments of methods."""


class AssetKind(base.OpenEnum):
    """What an asset is, as its bytes show."""

    UNSPECIFIED = "ASSET_KIND_UNSPECIFIED"
    """The asset has not been looked at."""
    PDF = "ASSET_KIND_PDF"
    """A PDF document."""
    IMAGE = "ASSET_KIND_IMAGE"
    """An image, which is read by OCR."""
    OFFICE = "ASSET_KIND_OFFICE"
    """A document such as docx, odt, epub or rtf."""
    HTML = "ASSET_KIND_HTML"
    """A page of HTML."""
    TEXT = "ASSET_KIND_TEXT"
    """Plain text or Markdown."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {
            "ASSET_KIND_UNSPECIFIED": 0,
            "ASSET_KIND_PDF": 1,
            "ASSET_KIND_IMAGE": 2,
            "ASSET_KIND_OFFICE": 3,
            "ASSET_KIND_HTML": 4,
            "ASSET_KIND_TEXT": 5,
        }


AssetKindName: TypeAlias = Literal["pdf", "image", "office", "html", "text"]
"""The names of AssetKind in arguments of methods."""


class AssetStatus(base.OpenEnum):
    """How far an asset has come."""

    UNSPECIFIED = "ASSET_STATUS_UNSPECIFIED"
    """Never returned."""
    INDEXED = "ASSET_STATUS_INDEXED"
    """The document can be found."""
    QUEUED = "ASSET_STATUS_QUEUED"
    """The batch job `job` indexes it."""

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Returns the number of each value by its proto name."""
        return {"ASSET_STATUS_UNSPECIFIED": 0, "ASSET_STATUS_INDEXED": 1, "ASSET_STATUS_QUEUED": 2}


AssetStatusName: TypeAlias = Literal["indexed", "queued"]
"""The names of AssetStatus in arguments of methods."""


class ChatMessage(base.Model):
    """One message of a chat."""

    __proto__ = "artificer.ai.v1.chat_pb2:artificer.ai.v1.ChatMessage"

    role: ChatRole = ChatRole.UNSPECIFIED
    """Who wrote the message."""
    content: str = ""
    """The text. It may be empty beside `tool_calls`, and with CHAT_ROLE_TOOL."""
    tool_calls: list[ToolCall] = []
    """What the model asked to be called, in a message with CHAT_ROLE_ASSISTANT."""
    tool_call_id: str = ""
    """The id of the call that a message with CHAT_ROLE_TOOL answers."""


class Tool(base.Model):
    """A function that the model may ask to be called. The caller runs it, and answers with CHAT_ROLE_TOOL."""

    __proto__ = "artificer.ai.v1.chat_pb2:artificer.ai.v1.Tool"

    name: str = ""
    """The name, of letters, digits, `_` and `-`."""
    description: str = ""
    """What the function does, for the model."""
    parameters: base.Struct | None = None
    """The parameters as a JSON schema of an object; none if it is absent."""


class ToolCall(base.Model):
    """A call that the model asks for."""

    __proto__ = "artificer.ai.v1.chat_pb2:artificer.ai.v1.ToolCall"

    id: str = ""
    """The id, by which the answer names the call."""
    name: str = ""
    """The name of the tool."""
    arguments: str = ""
    """The arguments as the model wrote them: JSON, which may be invalid."""


class ChatOptions(base.Model):
    """How a model generates."""

    __proto__ = "artificer.ai.v1.chat_pb2:artificer.ai.v1.ChatOptions"

    max_tokens: base.Int32 | None = None
    """The most tokens to generate; the model's own limit if it is absent. More than the model's context are refused."""
    temperature: float | None = None
    """From 0 (always the likeliest token) to 2. The model's own default if it is absent."""
    top_p: float | None = None
    """Choose among the likeliest tokens with this total probability, above 0 and up to 1."""
    stop: list[str] = []
    """Texts that end the answer and are not part of it; at most 4."""
    json_schema: base.Struct | None = None
    """A JSON schema that the answer must follow. The model is then held to JSON."""
    seed: base.Int64 | None = None
    """Makes a model that supports it repeat the same answer to the same request."""


class TokenUsage(base.Model):
    """The number of tokens of a request."""

    __proto__ = "artificer.ai.v1.chat_pb2:artificer.ai.v1.TokenUsage"

    prompt_tokens: base.Int32 = 0
    """The tokens of the prompt."""
    completion_tokens: base.Int32 = 0
    """The tokens of the answer."""


class ProcessAssetRequest(base.Model):
    """An asset, and the document that it becomes."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.ProcessAssetRequest"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {"source": ("data", "blob", "uri")}

    data: bytes | None = None
    """The bytes of the asset. Over REST they may be the body, with the other fields in the query."""
    blob: str | None = None
    """The id of a blob that was uploaded to the batch service."""
    uri: str | None = None
    """A `file:` URI below a folder, or an `https:` URI of a host, that the server's settings allow."""
    collection: str = ""
    """The id of the collection. It must exist."""
    document: str = ""
    """The id of the document in the collection; chosen by the server if it is empty. A document of this id is
    replaced at once, when the new one is indexed; until then the old one is found.
    """
    display_name: str = ""
    """The name of the document for people, such as "Handbook 2026"."""
    content_type: str = ""
    """The media type of the asset. The kind is found by the bytes, with the help of this and `filename`."""
    filename: str = ""
    """The name of the asset's file, such as "report.docx"."""
    metadata: dict[str, str] = {}
    """What searches can filter by; at most 32 entries."""
    background: bool = False
    """Whether to do the work in a batch job even if the asset is small. An asset that is not a blob is stored as one
    first.
    """


class ProcessAssetResponse(base.Model):
    """What became of an asset."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.ProcessAssetResponse"

    status: AssetStatus = AssetStatus.UNSPECIFIED
    """How far the asset has come."""
    document: str = ""
    """The id of the document."""
    kind: AssetKind = AssetKind.UNSPECIFIED
    """What the asset is."""
    page_count: base.Int32 = 0
    """The number of pages, 0 if the asset has none."""
    chunk_count: base.Int32 = 0
    """The number of chunks."""
    job: str = ""
    """The id of the batch job with ASSET_STATUS_QUEUED."""


class ChatStreamRequest(base.Model):
    """A chat for a model to continue."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.ChatStreamRequest"

    model: str = ""
    """The name of the model; the server's default if it is empty."""
    messages: list[ChatMessage] = []
    """The messages, oldest first."""
    options: ChatOptions | None = None
    """How the model generates."""
    tools: list[Tool] = []
    """The tools that the model may ask for. A model without tools refuses them."""


class ChatStreamResponse(base.Model):
    """A piece of a model's answer."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.ChatStreamResponse"

    text: str = ""
    """The next text."""
    tool_calls: list[ToolCall] = []
    """The calls that the model asks for, each whole."""
    finish_reason: FinishReason = FinishReason.UNSPECIFIED
    """Why the answer ended, in the last message only."""
    usage: TokenUsage | None = None
    """The tokens, in the last message only."""
    model: str = ""
    """The name of the model, in the first message only."""


class GetEmbeddingRequest(base.Model):
    """Texts to embed."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.GetEmbeddingRequest"

    model: str = ""
    """The name of the model; the server's default if it is empty."""
    texts: list[str] = []
    """The texts. None may be empty."""


class GetEmbeddingResponse(base.Model):
    """The vectors of texts."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.GetEmbeddingResponse"

    embeddings: list[Embedding] = []
    """The vectors, in the order of the texts."""
    model: str = ""
    """The name of the model."""
    dimension: base.Int32 = 0
    """The number of values of each vector."""
    usage: TokenUsage | None = None
    """The tokens of the texts; an estimate where the model does not count them."""


class Embedding(base.Model):
    """A vector of length 1."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.Embedding"

    values: base.Floats = []
    """The values."""


class VectorSearchRequest(base.Model):
    """What to look for in a collection."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.VectorSearchRequest"
    __oneofs__: ClassVar[dict[str, tuple[str, ...]]] = {"query": ("text", "vector")}

    collection: str = ""
    """The id of the collection."""
    text: str | None = None
    """A text, which the collection's model embeds."""
    vector: Embedding | None = None
    """A vector of the collection's model, with its dimension."""
    top_k: base.Int32 = 0
    """The number of chunks to return: 10 if it is 0, and at most 1000."""
    filter: dict[str, str] = {}
    """Only chunks of documents that have all these metadata."""
    min_score: base.Float | None = None
    """The lowest cosine similarity to return, from -1 to 1."""


class VectorSearchResponse(base.Model):
    """The closest chunks."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.VectorSearchResponse"

    matches: list[VectorMatch] = []
    """The chunks, the closest first."""
    model: str = ""
    """The name of the model whose vectors were compared."""


class VectorMatch(base.Model):
    """A chunk that was found."""

    __proto__ = "artificer.ai.v1.ai_worker_service_pb2:artificer.ai.v1.VectorMatch"

    document: str = ""
    """The id of the document."""
    chunk: base.Int32 = 0
    """The position of the chunk in the document, from 0."""
    score: base.Float = 0.0
    """The cosine similarity, from -1 to 1."""
    text: str = ""
    """The text of the chunk."""
    page: base.Int32 = 0
    """The page on which the chunk begins, from 1; 0 if the document has no pages."""
    headings: list[str] = []
    """The headings above the chunk, the outermost first."""
    metadata: dict[str, str] = {}
    """The metadata of the document."""
