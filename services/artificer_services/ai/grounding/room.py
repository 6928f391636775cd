"""Chooses as many passages as fit into a model's context, the worst left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..library.values import Passage
from ..models.catalog import Models
from ..models.errors import PromptTooLong
from ..models.tokens import estimate
from ..models.values import Message, Options
from .sentences import sentences

_UNKNOWN = 8192  # tokens of a context whose size is not known
_ANSWER = 512  # tokens kept for the answer, unless the request says how many
_LEAST = 16  # tokens of a passage that is shortened

Ask = Callable[[Sequence[Passage]], Sequence[Message]]
"""Returns the messages that ask a question with some passages."""


async def fitting(models: Models, model: str, passages: Sequence[Passage], options: Options, ask: Ask) -> list[Passage]:
    """Returns the passages that fit beside the answer; the best one is shortened if it does not fit alone.

    Raises PromptTooLong with the field `question` if not even that helps.
    """
    context = models.chat_info(model).context_tokens or _UNKNOWN
    room = context - min(options.max_tokens or _ANSWER, context // 2)
    chosen = list(passages)
    while True:
        tokens = await models.count(model, await asyncio.to_thread(ask, chosen))
        if tokens <= room:
            return chosen
        if len(chosen) > 1:
            excess = tokens - room
            while len(chosen) > 1 and excess > 0:
                excess -= estimate(chosen.pop().chunk.text)
            continue
        short = _shortened(chosen[0], estimate(chosen[0].chunk.text) - (tokens - room) - 1) if chosen else None
        if short is None:
            raise PromptTooLong(f"the question leaves no room for a passage in a context of {context:,}", "question")
        chosen = [short]


def _shortened(passage: Passage, tokens: int) -> Passage | None:
    """Returns a passage with the first of its sentences, or words, that have so many tokens; None for too few."""
    text = passage.chunk.text
    if tokens < _LEAST:
        return None
    end = 0
    for one in sentences(text):
        if estimate(text[: one.end]) > tokens:
            break
        end = one.end
    if not end:
        end = text.rfind(" ", 0, len(text) * tokens // max(estimate(text), 1))
    if end <= 0 or end >= len(text):
        end = len(text) // 2
    if not end:
        return None
    span = replace(passage.chunk.span, end=passage.chunk.span.start + end)
    return replace(passage, chunk=replace(passage.chunk, text=text[:end], span=span, token_count=estimate(text[:end])))
