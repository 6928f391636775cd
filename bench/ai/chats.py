"""The same chats by xllamacpp alone, by gRPC and by SSE: time to the first text, and tokens a second."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import grpc
import httpx2

from artificer.ai.v1 import ai_worker_service_pb2 as pb
from artificer.ai.v1 import ai_worker_service_pb2_grpc as rpc
from artificer.ai.v1 import chat_pb2 as chats
from artificer_services.ai.models.local.files import chat_model_file
from bench import ROOT
from bench.soak.program import HOST, Program

CONTEXT = 4096  # tokens, the setting's default


@dataclass(frozen=True, slots=True)
class Figures:
    """One answer: seconds until its first text and until its end, and its tokens."""

    first: float
    seconds: float
    tokens: int

    @property
    def each(self) -> float:
        """Seconds a token after the first text, which is computed while the prompt is."""
        return (self.seconds - self.first) / max(self.tokens - 1, 1)


Ask = Callable[[str, int], Awaitable[Figures]]


@dataclass(frozen=True, slots=True)
class Way:
    """All answers of one way."""

    name: str
    answers: Sequence[Figures]

    @property
    def first(self) -> float:
        """The median of the seconds until the first text."""
        return median(one.first for one in self.answers)

    @property
    def each(self) -> float:
        """The median of the seconds a token."""
        return median(one.each for one in self.answers)

    def answer(self, tokens: int) -> float:
        """Seconds of an answer of so many tokens by these medians, since a model may end one early."""
        return self.first + self.each * (tokens - 1)


async def compare(program: Program, rounds: int, tokens: int) -> list[Way]:
    """Returns the ways, with answers of so many tokens. They take turns, so that noise of the machine meets all."""
    async with alone() as first, by_grpc(program) as second, by_sse(program) as third:
        ways: dict[str, tuple[Ask, list[Figures]]] = {
            "xllamacpp alone": (first, []),
            "gRPC": (second, []),
            "SSE": (third, []),
        }
        number = 100
        for at in range(-1, rounds):  # the first round loads models and is not counted
            for name in ways if at % 2 else reversed(ways):
                ask, answers = ways[name]
                # Another beginning each time, since llama.cpp keeps the states of earlier prompts. Digits are tokens.
                number += 1
                figures = await ask(f"{number}. Tell the story of a harbour where fog came in.", tokens)
                if at >= 0:
                    answers.append(figures)
        return [Way(name, answers) for name, (_, answers) in ways.items()]


@asynccontextmanager
async def alone() -> AsyncIterator[Ask]:
    """Runs the model in a process of its own."""
    command = [sys.executable, "-m", "bench.ai.alone", str(chat_model_file("")), str(os.cpu_count()), str(CONTEXT)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}  # as the services' process
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=environment
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    async def ask(prompt: str, tokens: int) -> Figures:
        chat = {"messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, "temperature": 0}
        chat |= {"stream": True, "stream_options": {"include_usage": True}, "ignore_eos": False}
        stdin.write(json.dumps(chat).encode() + b"\n")
        return Figures(**json.loads(await stdout.readline()))

    try:
        assert json.loads(await stdout.readline())["ready"]
        yield ask
    finally:
        stdin.close()
        await process.wait()


@asynccontextmanager
async def by_grpc(program: Program) -> AsyncIterator[Ask]:
    """Asks by ChatStream."""
    async with grpc.aio.insecure_channel(f"{HOST}:{program.grpc}") as channel:
        stub = rpc.AiWorkerServiceStub(channel)

        async def ask(prompt: str, tokens: int) -> Figures:
            message = chats.ChatMessage(role=chats.CHAT_ROLE_USER, content=prompt)
            options = chats.ChatOptions(max_tokens=tokens, temperature=0.0)
            request = pb.ChatStreamRequest(messages=[message], options=options)
            began, first, made = time.perf_counter(), 0.0, 0
            async for piece in stub.ChatStream(request):
                if piece.text and not first:
                    first = time.perf_counter() - began
                made = piece.usage.completion_tokens or made
            return Figures(first, time.perf_counter() - began, made)

        yield ask


@asynccontextmanager
async def by_sse(program: Program) -> AsyncIterator[Ask]:
    """Asks by `POST /v1/chat:stream` for an event stream."""
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{program.http}", timeout=600) as client:

        async def ask(prompt: str, tokens: int) -> Figures:
            body: dict[str, Any] = {"messages": [{"role": "CHAT_ROLE_USER", "content": prompt}]}
            body["options"] = {"maxTokens": tokens, "temperature": 0}
            began, first, made = time.perf_counter(), 0.0, 0
            headers = {"accept": "text/event-stream"}
            async with client.stream("POST", "/v1/chat:stream", json=body, headers=headers) as response:
                response.raise_for_status()
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        piece = json.loads(line[5:])
                        if piece.get("text") and not first:
                            first = time.perf_counter() - began
                        made = piece.get("usage", {}).get("completionTokens") or made
            return Figures(first, time.perf_counter() - began, made)

        yield ask
