"""What conversations need of the rooms beside them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from ..grounding.values import Event
from ..library.values import Collection, Query
from ..models.values import Chat, Delta, Message, ModelInfo, Options


class ChatModels(Protocol):
    """The chat models by name; `models.catalog.Models` is one."""

    def chat_info(self, name: str = "") -> ModelInfo:
        """Returns what is known of a model, of the default one without a name. Raises UnknownModel."""

    def generate(self, name: str, chat: Chat, *, caller: str = "") -> AsyncGenerator[Sequence[Delta], None]:
        """Yields the answer; closing it stops the model."""

    async def count(self, name: str, messages: Sequence[Message]) -> int:
        """Returns the tokens of a prompt."""


class Collections(Protocol):
    """The collections by id; `library.library.Library` is one."""

    async def collection(self, id_: str, /) -> Collection:
        """Returns a collection. Raises NotFound."""


class GroundedAnswers(Protocol):
    """Answers from passages; `grounding.answers.Answers` is one."""

    def answer(
        self,
        collections: Sequence[str],
        query: Query,
        *,
        model: str,
        history: Sequence[Message] = (),
        instructions: str = "",
        options: Options = ...,
        caller: str = "",
    ) -> AsyncGenerator[Sequence[Event], None]:
        """Yields the passages, the answer with its citations, and its end; closing it stops the model."""
