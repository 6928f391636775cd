"""The interfaces of models: what every kind of model implements.

Callers use `catalog.Models`, which finds a model by name, admits requests, counts tokens and measures.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from diptych.upstream import Upstream

from .values import Chat, Delta, Embedded, Message, ModelInfo


class ChatModel(Protocol):
    """A model that continues chats. Starts nothing before its first use."""

    info: ModelInfo
    breaker: Upstream | None
    """The circuit breaker in front of its server, if it has one: a collector of metrics."""

    def check(self) -> None:
        """Raise InvalidSetting if the settings name what is not there, such as a file. May block."""

    def stream(self, chat: Chat) -> AsyncGenerator[Sequence[Delta], None]:
        """Yields the answer: what has arrived since, at least one delta each time. Closing it stops the model.

        Raises the errors of `errors` before the first delta, or between two.
        """

    async def count(self, messages: Sequence[Message]) -> int:
        """Returns the tokens of a prompt of these messages; an upper estimate where the model cannot be asked."""

    def memory(self) -> int:
        """Returns the resident memory of its processes in bytes; 0 without one."""

    async def stop(self) -> None:
        """End its processes and connections; running answers fail with Unavailable."""


class EmbeddingModel(Protocol):
    """A model that makes vectors of texts. Starts nothing before its first use."""

    info: ModelInfo
    breaker: Upstream | None
    """The circuit breaker in front of its server, if it has one: a collector of metrics."""

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Returns the vectors of texts, none of which is empty. Raises the errors of `errors`."""

    def memory(self) -> int:
        """Returns the resident memory of its processes in bytes; 0 without one."""

    async def stop(self) -> None:
        """End its processes and connections."""
