"""All models of a server by name: checks a request, admits it, charges its tokens, measures it, and lets it run.

What everybody else uses. Knows no kind of model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from prometheus_client.registry import Collector

from ...kit.errors import Fault, Invalid, ServiceError
from ...kit.settings import InvalidSetting
from .admission import Admission
from .budgets import Budgets
from .errors import PromptTooLong, Refused, UnknownModel
from .kinds import chat_model, embedding_model
from .measured import Measured
from .metrics import ModelMetrics, Watched
from .model import ChatModel, EmbeddingModel
from .settings import ChatLimits, EmbeddingLimits, ModelLimits, ModelsSettings
from .tokens import estimate
from .values import Chat, Delta, Embedded, Message, ModelInfo

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Chat:
    name: str
    model: ChatModel
    limits: ChatLimits
    admission: Admission


@dataclass(frozen=True, slots=True)
class _Embedding:
    name: str
    model: EmbeddingModel
    limits: EmbeddingLimits
    admission: Admission


class Models:
    """The models of the settings. Makes no process and no connection before the first request."""

    def __init__(self, settings: ModelsSettings) -> None:
        """Raises InvalidSetting, for the table of a model too."""
        self._settings = settings
        self._budgets = Budgets(settings.tokens_per_minute)
        self._chats = {
            name: _Chat(name, _made(f"chat_models.{name}", partial(chat_model, name, one)), one, _admission(name, one))
            for name, one in _first(settings.chat_models, settings.default_chat_model).items()
        }
        self._embeddings = {
            name: _Embedding(
                name, _made(f"embedding_models.{name}", partial(embedding_model, name, one)), one, _admission(name, one)
            )
            for name, one in _first(settings.embedding_models, settings.default_embedding_model).items()
        }
        self.chat_names = tuple(self._chats)
        self.embedding_names = tuple(self._embeddings)
        self._metrics = ModelMetrics([Watched(one.name, one.admission, one.model) for one in self._entries()])
        breakers = [one.model.breaker for one in self._entries() if one.model.breaker is not None]
        self.collectors: Sequence[Collector] = (self._metrics, *breakers)

    @property
    def max_embed_texts(self) -> int:
        """The texts that one request may ask vectors of; `embed` itself takes any number."""
        return self._settings.max_embed_texts

    def infos(self) -> tuple[ModelInfo, ...]:
        """Returns what is known of all models: those for chats, then those for vectors, the default first."""
        return tuple(one.model.info for one in self._entries())

    def chat_info(self, name: str = "") -> ModelInfo:
        """Returns what is known of a chat model; of the default one if `name` is empty. Raises UnknownModel."""
        return self._chat(name).model.info

    def chat_model(self, name: str = "") -> ChatModel:
        """Returns a chat model itself, past its limits: tests drive scripted ones. Raises UnknownModel."""
        return self._chat(name).model

    def embedding_info(self, name: str = "") -> ModelInfo:
        """Returns what is known of an embedding model likewise. Raises UnknownModel."""
        return self._embedding(name).model.info

    def embedding_model(self, name: str = "") -> EmbeddingModel:
        """Returns an embedding model itself likewise. Raises UnknownModel."""
        return self._embedding(name).model

    async def generate(self, name: str, chat: Chat, *, caller: str = "") -> AsyncGenerator[Sequence[Delta], None]:
        """Yields a model's answer, as `ChatModel.stream` does; closing it stops the model.

        Everything is checked before the first delta. Raises the errors of `errors`, and Invalid for an empty chat.
        """
        entry = self._chat(name)
        with self._metrics.measure(entry.name) as measured:
            chat = self._checked(entry, chat)
            self._budgets.check(caller)
            async with entry.admission.admit(caller):
                await self._check_tokens(entry, chat)
                measured.admitted()
                try:
                    async with aclosing(entry.model.stream(chat)) as batches:
                        async for deltas in batches:
                            measured.arrived(deltas)
                            yield deltas
                except ServiceError:
                    self._charge(caller, measured, chat if measured.began else None)
                    raise
                except BaseException:  # the caller has left, perhaps while the prompt was read
                    self._charge(caller, measured, chat)
                    raise
                self._charge(caller, measured, chat)

    def _checked(self, entry: _Chat, chat: Chat) -> Chat:
        """Returns the chat with the limits that apply to it. Raises what is wrong with it."""
        info, options = entry.model.info, chat.options
        if not chat.messages:
            raise Invalid(Fault("messages", "at least one message is required"))
        most = self._settings.max_prompt_bytes
        if (size := _size(chat)) > most:
            raise PromptTooLong(f"the messages and tools have {size:,} bytes; at most {most:,} are accepted")
        # Each takes a token at least. To render and count so many is slow.
        if 0 < info.context_tokens < len(chat.messages):
            text = f"the chat has {len(chat.messages):,} messages"
            raise PromptTooLong(f"{text}; the context of {info.name} has {info.context_tokens:,} tokens")
        if chat.tools and not info.tools:
            raise Refused("tools", f"the model {info.name} cannot call tools")
        if options.max_tokens is not None and 0 < info.context_tokens < options.max_tokens:
            text = (
                f"max_tokens is {options.max_tokens:,}; the context of {info.name} has {info.context_tokens:,} tokens"
            )
            raise Refused("max_tokens", text)
        if options.max_tokens is None and entry.limits.default_max_tokens:
            return replace(chat, options=replace(options, max_tokens=entry.limits.default_max_tokens))
        return chat

    async def _check_tokens(self, entry: _Chat, chat: Chat) -> None:
        most = entry.limits.max_prompt_tokens
        if most and (tokens := await entry.model.count(chat.messages)) > most:
            raise PromptTooLong(f"the prompt has {tokens:,} tokens; the model {entry.name} accepts {most:,}")

    def _charge(self, caller: str, measured: Measured, chat: Chat | None) -> None:
        """Charge what a request has used; of one whose prompt the model did not read, None, only what arrived."""
        used = measured.usage(lambda: _estimate(chat) if chat is not None else 0)
        self._budgets.charge(caller, used.prompt + used.completion)

    async def count(self, name: str, messages: Sequence[Message]) -> int:
        """Returns the tokens of a prompt of these messages, an upper estimate where the model cannot be asked.

        Raises UnknownModel, and what a model raises that cannot be started.
        """
        return await self._chat(name).model.count(messages)

    async def embed(self, name: str, texts: Sequence[str], *, caller: str = "") -> Embedded:
        """Returns the vectors of any number of texts, divided into batches that other callers' alternate with.

        Raises the errors of `errors`, and Invalid for an empty text, or one that is too long: `texts[2]`.
        """
        entry = self._embedding(name)
        parts = [np.empty((0, entry.model.info.dimension), np.float32)]
        tokens, exact = 0, True
        with self._metrics.measure(entry.name) as measured:
            _check_texts(texts, entry.limits.max_text_bytes)
            self._budgets.check(caller)  # once: a document that was begun is not given up in the middle
            for start in range(0, len(texts), entry.limits.batch_texts):
                async with entry.admission.admit(caller):
                    made = await entry.model.embed(texts[start : start + entry.limits.batch_texts])
                self._budgets.charge(caller, made.tokens)
                measured.embedded(made.tokens)
                parts.append(made.vectors)
                tokens, exact = tokens + made.tokens, exact and made.exact
        return Embedded(np.concatenate(parts), tokens, exact)

    async def start(self) -> None:
        """Check what the settings name: files. Raises InvalidSetting. Starts no process: the first use does."""
        for name, entry in self._chats.items():
            await asyncio.to_thread(_made, f"chat_models.{name}", entry.model.check)

    async def stop(self) -> None:
        """End all models at once; running requests fail with Unavailable."""
        await asyncio.gather(*(entry.model.stop() for entry in self._entries()))

    def _entries(self) -> tuple[_Chat | _Embedding, ...]:
        return (*self._chats.values(), *self._embeddings.values())

    def _chat(self, name: str) -> _Chat:
        if entry := self._chats.get(name or next(iter(self._chats), "")):
            return entry
        raise UnknownModel(name, self.chat_names)

    def _embedding(self, name: str) -> _Embedding:
        if entry := self._embeddings.get(name or next(iter(self._embeddings), "")):
            return entry
        raise UnknownModel(name, self.embedding_names)


def _first(models: Mapping[str, V], default: str) -> dict[str, V]:
    """Returns the models with the default one first."""
    return {name: models[name] for name in sorted(models, key=lambda name: name != default)}


def _admission(name: str, limits: ModelLimits) -> Admission:
    return Admission(name, concurrency=limits.concurrency, queue=limits.queue, queue_seconds=limits.queue_seconds)


def _made(table: str, make: Callable[[], V]) -> V:
    """Returns what is made of a table of settings. Raises InvalidSetting with the table's name before the setting's."""
    try:
        return make()
    except InvalidSetting as error:
        raise InvalidSetting(f"{table}.{error.setting}", str(error)) from error


def _estimate(chat: Chat) -> int:
    """Returns about the tokens of a prompt, for a request whose model did not say."""
    return sum(estimate(message.content) for message in chat.messages)


def _size(chat: Chat) -> int:
    """Returns the bytes of a chat's messages and tools."""
    size = sum(len(message.content.encode("utf-8", "replace")) for message in chat.messages)
    size += sum(len(call.arguments) for message in chat.messages for call in message.tool_calls)
    return size + sum(len(tool.name) + len(tool.description) + len(str(tool.parameters or "")) for tool in chat.tools)


def _check_texts(texts: Sequence[str], most: int) -> None:
    for at, text in enumerate(texts):
        if not text:
            raise Invalid(Fault(f"texts[{at}]", "a text must not be empty"))
        if len(text) * 4 > most and (size := len(text.encode("utf-8", "replace"))) > most:
            raise Invalid(Fault(f"texts[{at}]", f"the text has {size:,} bytes; at most {most:,} are accepted"))
