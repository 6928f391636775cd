"""Models for tests, by their settings: a chat model that says what it is told to, and an embedder that hashes words.

They run in the server's process and need no file. Their kind, and so their name in ListModels, is `scripted`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence
from hashlib import blake2b
from itertools import count

import numpy as np

from diptych.upstream import Upstream

from .errors import Broken, PromptTooLong
from .settings import ScriptedChatSettings, ScriptedEmbeddingSettings
from .tokens import estimate
from .values import Chat, Delta, Embedded, Finish, Message, ModelInfo, ToolCall, Usage, Vectors

_WORDS = re.compile(r"\s*\S+\s*$|\s*\S+")


class ScriptedChat:
    """Answers with the replies of its settings in turn, a word at a time, or repeats the last message.

    `gate`, if a test sets it, holds back each word until it is set, and `waiting` is true while it does; `generated`
    counts the words of all answers.
    """

    breaker: Upstream | None = None

    def __init__(self, name: str, settings: ScriptedChatSettings) -> None:
        self.info = ModelInfo(
            name=name,
            kind="scripted",
            chat=True,
            context_tokens=settings.context_tokens,
            tools=bool(settings.tool_calls),
            short_passages=settings.short_passages,
        )
        self.gate: asyncio.Event | None = None
        self.waiting = False
        self.generated = 0
        self._settings = settings
        self._turns = count()
        self._calls = json.loads(settings.tool_calls or "[]")

    async def stream(self, chat: Chat) -> AsyncGenerator[Sequence[Delta], None]:
        """Yields the reply word by word. Raises PromptTooLong, and Broken after `fail_after` words."""
        prompt = await self.count(chat.messages)
        if prompt >= self._settings.context_tokens:
            raise PromptTooLong(f"the prompt has {prompt} tokens; the context holds {self._settings.context_tokens}")
        if chat.tools and self._calls and chat.messages[-1].role != "tool":
            calls = tuple(
                ToolCall(id=f"call_{at}", name=str(call["name"]), arguments=json.dumps(call.get("arguments", {})))
                for at, call in enumerate(self._calls, 1)
            )
            yield [Delta(tool_calls=calls), Delta(finish=Finish.TOOL_CALLS, usage=Usage(prompt=prompt, completion=1))]
            return
        replies = self._settings.replies or (chat.messages[-1].content,)
        text = replies[next(self._turns) % len(replies)]
        text, stopped = _until(text, chat.options.stop)
        words = _WORDS.findall(text)
        most = self._most(chat, prompt)
        for at, word in enumerate(words[:most]):
            if self.gate is not None:
                self.waiting = not self.gate.is_set()
                await self.gate.wait()
                self.waiting = False
            if at == self._settings.fail_after:
                raise Broken("the scripted model breaks off, as its settings say")
            self.generated += 1
            yield [Delta(text=word)]
        cut = len(words) > most and not stopped
        usage = Usage(prompt=prompt, completion=min(len(words), most))
        yield [Delta(finish=Finish.LENGTH if cut else Finish.STOP, usage=usage)]

    def _most(self, chat: Chat, prompt: int) -> int:
        room = self._settings.context_tokens - prompt
        return room if chat.options.max_tokens is None else min(room, chat.options.max_tokens)

    async def count(self, messages: Sequence[Message]) -> int:
        """Returns the estimate for each message's text, and one token more each."""
        return sum(estimate(message.content) + 1 for message in messages)

    def check(self) -> None:
        """Do nothing: the settings name no file."""

    def memory(self) -> int:
        """Returns 0: there is no process."""
        return 0

    async def stop(self) -> None:
        """Do nothing: there is no process."""


def _until(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """Returns the text before the first stop sequence, and whether there is one."""
    ends = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


class ScriptedEmbedding:
    """Makes vectors of the words of a text: each word adds its own direction, so shared words make similar vectors."""

    breaker: Upstream | None = None

    def __init__(self, name: str, settings: ScriptedEmbeddingSettings) -> None:
        self.info = ModelInfo(name=name, kind="scripted", chat=False, dimension=settings.dimension)

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Returns one vector for each text; texts without a word share one."""
        vectors = np.stack([self._vector(text) for text in texts]) if texts else np.empty((0, self.info.dimension))
        return Embedded(vectors.astype(np.float32), sum(map(estimate, texts)))

    def _vector(self, text: str) -> Vectors:
        total = np.zeros(self.info.dimension)
        for word in re.findall(r"\w+", text.casefold()) or [""]:
            seed = int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest())
            total += np.random.default_rng(seed).standard_normal(self.info.dimension)
        return (total / np.linalg.norm(total)).astype(np.float32)

    def memory(self) -> int:
        """Returns 0: there is no process."""
        return 0

    async def stop(self) -> None:
        """Do nothing: there is no process."""
