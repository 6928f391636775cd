"""A chat model that llama.cpp runs in a worker process, which the first request starts and its death replaces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from diptych.upstream import Upstream

from ....kit.settings import InvalidSetting
from ....kit.workers.child import Ended, Program
from ....kit.workers.cores import cores
from ..errors import Broken, PromptTooLong, Refused, TimedOut, Unavailable
from ..settings import LocalChatSettings
from ..values import Chat, Delta, Finish, Message, ModelInfo, ToolCall, Usage
from .files import chat_model_file
from .process import ModelProcess
from .request import llama_request
from .schema import impossible

_log = logging.getLogger(__name__)

# OpenMP's threads wait asleep. Two that wait busily took 1 to 7 seconds for 34 tokens on two cores with other work, and
# 0.3 seconds asleep.
_PROGRAM = Program(
    "chat models",
    "artificer_services.ai.models.local.llama",
    scratch=True,
    environment={"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
)

# With these SmolLM2-135M names Paris as the capital of France; with its template's own it wrote unrelated French words.
_INSTRUCTIONS = "You are a helpful assistant."
_TEMPERATURE = 0.2  # its makers' (generation_config.json)


class LocalChat:
    """One GGUF file."""

    breaker: Upstream | None = None

    def __init__(self, name: str, settings: LocalChatSettings) -> None:
        # SmolLM2's template shows no tools; whether that of another file does is known once it is loaded.
        tools = settings.tools and bool(settings.path or settings.chat_template)
        self.info = ModelInfo(
            name=name,
            kind="local",
            chat=True,
            context_tokens=settings.context_tokens,
            tools=tools,
            short_passages=settings.short_passages or not settings.path,
        )
        self._settings = settings
        own = not settings.path
        self._instructions = settings.instructions or (_INSTRUCTIONS if own else "")
        self._temperature = _TEMPERATURE if own and settings.temperature is None else settings.temperature
        self._process = ModelProcess(
            name, _PROGRAM, self._setup, start_timeout=settings.start_timeout, timeout=settings.timeout
        )

    def check(self) -> None:
        """Raise InvalidSetting if the setting `path` names no file."""
        path = self._settings.path
        if path and not Path(path).expanduser().is_file():
            raise InvalidSetting("path", f"there is no file {path!r}")

    def _setup(self) -> dict[str, Any]:
        one = self._settings
        return {
            "path": str(chat_model_file(one.path).absolute()),
            "concurrency": one.concurrency,
            "context_tokens": one.context_tokens,
            "threads": one.threads or cores(),
            "gpu_layers": one.gpu_layers,
            "chat_template": one.chat_template,
            "cache_mib": one.cache_mib,
        }

    async def stream(self, chat: Chat) -> AsyncGenerator[Sequence[Delta], None]:
        """Yields the answer. Closing it stops llama.cpp after the token or the batch of the prompt that it computes.

        Raises PromptTooLong, Refused, NotInstalled, Unavailable, TimedOut, and Broken if the process dies within it.
        """
        for schema in (chat.options.json_schema, *(tool.parameters for tool in chat.tools)):
            if fault := impossible(schema):
                raise Refused("", f"a JSON schema cannot be kept: {fault}")
        async with aclosing(self._parts({"do": "answer", "chat": self._request(chat)})) as batches:
            async for parts in batches:
                if deltas := [delta for part in parts for delta in self._deltas(part)]:
                    yield deltas

    async def count(self, messages: Sequence[Message]) -> int:
        """Returns the tokens of the messages in the model's template."""
        request = {"do": "count", "chat": self._request(Chat(messages=tuple(messages)))}
        async with aclosing(self._parts(request)) as batches:
            async for parts in batches:
                self._check(parts[0])
                return int(parts[0]["tokens"])
        raise Broken("the model's process ended the count without a result")

    async def steps(self) -> int:
        """Returns how often the process has computed a batch: for each token of an answer, and 128 of a prompt.

        Answers that run at once share them. They show what an answer costs that nobody receives.
        """
        async with aclosing(self._parts({"do": "steps"})) as batches:
            async for parts in batches:
                self._check(parts[0])
                return int(parts[0]["steps"])
        raise Broken("the model's process ended without its count of steps")

    def _request(self, chat: Chat) -> dict[str, Any]:
        return llama_request(chat, instructions=self._instructions, temperature=self._temperature)

    async def _parts(self, request: dict[str, Any]) -> AsyncGenerator[list[dict[str, Any]], None]:
        process = await self._process.running()
        began = False
        try:
            async with aclosing(process.request(request)) as batches:
                while parts := await self._next(batches):
                    began = began or any("working" not in part for part in parts)
                    yield parts
        except Ended as error:
            if self._process.stopping:
                raise Unavailable("the server is stopping") from error
            _log.error("the process of the model %s ended with status %s", self.info.name, error.status)
            if began:
                raise Broken("the model's process ended in the middle of the answer") from error
            raise Unavailable("the model's process ended before it answered") from error

    async def _next(self, batches: AsyncGenerator[list[dict[str, Any]], None]) -> list[dict[str, Any]]:
        """Returns the next parts, none at the end."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await anext(batches, [])
        except TimeoutError:
            text = f"the model {self.info.name} did not go on within {self._settings.timeout:g} seconds"
            _log.error("%s", text)
            raise TimedOut(text) from None

    def _deltas(self, part: dict[str, Any]) -> list[Delta]:
        self._check(part)
        if "text" in part:
            return [Delta(part["text"])]
        if "working" in part:
            return []
        deltas = []
        if part["tools"]:
            calls = (
                ToolCall(id=call["id"] or f"call_{at}", name=call["name"], arguments=call["arguments"])
                for at, call in enumerate(part["tools"], 1)
            )
            deltas.append(Delta(tool_calls=tuple(calls)))
        known = {finish.value: finish for finish in Finish}
        usage = Usage(prompt=part["prompt"], completion=part["completion"])
        return [*deltas, Delta(finish=known.get(part["finish"], Finish.STOP), usage=usage)]

    def _check(self, part: dict[str, Any]) -> None:
        """Raise the error that a part says."""
        if "too_long" in part:
            tokens, most = part["too_long"]
            raise PromptTooLong(f"the prompt has {tokens:,} tokens; the model {self.info.name} accepts {most:,}")
        if "no_tools" in part:
            raise Refused("tools", f"the template of the model {self.info.name} has no tools")
        if "refused" in part:
            raise Refused("", f"the model {self.info.name} cannot do this: {part['refused'][:500]}")
        if "failed" in part or "error" in part:
            _log.error("the model %s failed: %s", self.info.name, part.get("failed") or part["error"])
            raise Broken("the model failed; see the server's log")

    @property
    def pid(self) -> int | None:
        """The id of the process; None without one."""
        return self._process.pid

    def memory(self) -> int:
        """Returns the resident memory of the process in bytes; 0 without one."""
        return self._process.memory

    async def stop(self) -> None:
        """End the process; running answers fail with Unavailable."""
        await self._process.stop()
