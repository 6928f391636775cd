"""Answers a question from the passages of collections: retrieves, asks a model, and cites while the answer arrives.

What the RAG and the conversation services share. Knows neither protos nor a kind of model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from ...kit.errors import NotFound, Unavailable
from ..library.library import Library
from ..library.values import Passage, Query, Span
from ..models.catalog import Models
from ..models.tokens import estimate
from ..models.values import Chat, Delta, Finish, Message, Options, Usage
from .citations import Citations, Support
from .prompt import Fence, grounded
from .repeats import Repeats
from .room import fitting
from .unfenced import Unfenced
from .values import Citation, Ended, Event, Retrieved, Text

NOTHING_FOUND = "Nothing was found about this in the documents."
"""The answer without passages. No model writes it, since one that has nothing to read invents."""


class Answers:
    """Answers from the documents of a library, by the models of the server."""

    def __init__(self, library: Library, models: Models) -> None:
        self._library, self._models = library, models

    async def answer(
        self,
        collections: Sequence[str],
        query: Query,
        *,
        model: str = "",
        history: Sequence[Message] = (),
        instructions: str = "",
        options: Options = Options(),  # noqa: B008, frozen
        caller: str = "",
    ) -> AsyncGenerator[Sequence[Event], None]:
        """Yields batches of events: Retrieved first, Text with each Citation behind what it supports, Ended last.

        `query.text` is the question, `history` the messages before it. Closing the generator stops the model. Raises
        `ServiceError`, those of retrieval and most of the model's before the first event.
        """
        info = self._models.chat_info(model)
        found = await self._library.retrieve(collections, query, caller=caller)
        if not found:
            yield Retrieved(()), Text(NOTHING_FOUND), Ended(finish=Finish.STOP, usage=Usage(), model=info.name)
            return
        fence = Fence()

        def ask(passages: Sequence[Passage]) -> tuple[Message, ...]:
            return grounded(
                query.text, passages, fence=fence, history=history, instructions=instructions, short=info.short_passages
            )

        passages = await fitting(self._models, info.name, found, options, ask)
        if info.kind == "local" and options.temperature is None:
            options = replace(options, temperature=0.0)  # the likeliest words are those of the passages
        # In threads, since fifty long passages take a tenth of a second.
        chat = Chat(messages=await asyncio.to_thread(ask, passages), options=options)
        answer = await asyncio.to_thread(_Answer, query.text, passages, fence)
        first: list[Event] = [Retrieved(tuple(passages))]
        async with aclosing(self._models.generate(info.name, chat, caller=caller)) as batches:
            async for deltas in batches:
                events = first + [event async for event in self._placed(answer.add(deltas), passages)]
                first = []
                if events:
                    yield events
                if answer.ended:
                    break
        end = [event async for event in self._placed(answer.finish(), passages)]
        usage = answer.usage or Usage(
            prompt=await self._models.count(info.name, chat.messages), completion=answer.completion_estimate
        )
        yield [*first, *end, Ended(finish=answer.finish_reason, usage=usage, model=info.name)]

    async def _placed(self, found: Iterable[str | Support], passages: Sequence[Passage]) -> AsyncGenerator[Event, None]:
        """Yields texts and supports as events."""
        for one in found:
            yield Text(one) if isinstance(one, str) else await self._citation(one, passages[one.number - 1])

    async def _citation(self, support: Support, passage: Passage) -> Citation:
        start = passage.chunk.span.start
        try:
            span = await self._library.place(passage, start + support.start, start + support.end)
        except (NotFound, Unavailable):  # deleted while the model answers, or the store is down: the answer goes on
            whole = passage.chunk.span
            span = Span(start + support.start, start + support.end, whole.page, whole.last_page)
        return Citation(
            passage=support.number,
            collection=passage.collection,
            document=passage.document,
            span=span,
            quote=passage.chunk.text[support.start : support.end],
            answer_start=support.answer_start,
            answer_end=support.answer_end,
            by_model=support.by_model,
        )


class _Answer:
    """What a model has written so far: texts to show, and what supports them."""

    def __init__(self, question: str, passages: Sequence[Passage], fence: Fence) -> None:
        self._unfenced, self._citations = Unfenced(fence), Citations(question, passages)
        self._repeats = Repeats()
        self._repeated = False
        self.finish_reason: Finish | None = None
        self.usage: Usage | None = None  # which the model tells at its own end
        self.completion_estimate = 0

    @property
    def ended(self) -> bool:
        """Whether the model repeats what it was asked or has written, so that nothing new comes."""
        return self._unfenced.ended or self._repeated

    def add(self, deltas: Sequence[Delta]) -> list[str | Support]:
        """Returns what these deltas add."""
        for delta in deltas:
            self.finish_reason = delta.finish or self.finish_reason
            self.usage = delta.usage or self.usage
        text = self._unfenced.add("".join(delta.text for delta in deltas))
        self._repeated = self._repeated or self._repeats.add(text)
        self.completion_estimate += estimate(text)
        found: list[str | Support] = [*([text] if text else []), *self._citations.add(text)]
        if self.ended:
            self.finish_reason = self.finish_reason or Finish.STOP
        return found

    def finish(self) -> list[str | Support]:
        """Returns the rest."""
        text = self._unfenced.finish()
        return [*([text] if text else []), *self._citations.add(text), *self._citations.finish()]
