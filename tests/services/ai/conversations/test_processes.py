"""Gateways as processes of their own: one is killed in the middle of an answer, another one stops an answer of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.waiting import PATIENCE, until_told

from .conftest import Serve

ROOT = Path(__file__).parents[4]
_LISTENING = re.compile(rb"HTTP on (http://\S+:\d+), gRPC on")
STORY = " ".join(f"word{number}" for number in range(400))
SCRIPTED = {"scripted": {"kind": "scripted", "replies": [STORY]}}
SAFETY = {"flush_seconds": 0.05, "lease_seconds": 1.0}


@dataclass(frozen=True)
class Program:
    """A running gateway and a client of it."""

    process: asyncio.subprocess.Process
    http: httpx2.AsyncClient

    async def start(self) -> str:
        """Returns the id of a new conversation."""
        return str((await self.http.post("/v1/conversations", json={})).json()["id"])

    async def messages(self, conversation: str) -> list[dict[str, Any]]:
        """Returns the messages of a conversation."""
        found: list[dict[str, Any]] = (await self.http.get(f"/v1/conversations/{conversation}/messages")).json()[
            "messages"
        ]
        return found

    async def send(self, conversation: str, content: str) -> list[dict[str, Any]]:
        """Returns the events of an answer, until it ends or breaks off."""
        events = []
        path = f"/v1/conversations/{conversation}:send"
        headers = {"accept": "application/x-ndjson"}
        try:
            async with self.http.stream("POST", path, json={"content": content}, headers=headers) as response:
                async for line in response.aiter_lines():
                    events.append(json.loads(line))
        except httpx2.TransportError:  # the process was killed
            return events
        return events

    async def kill(self) -> None:
        """Kill the process as the kernel does when memory is short."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def program(place: dict[str, Any], chat_models: dict[str, Any], **settings: Any) -> AsyncIterator[Program]:
    """The program in a process of its own, on free ports."""
    services = {"ai": {**place, "chat_models": chat_models, "conversations": settings}}
    app = "tests.services.ai.conversations.program:create"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "diptych.cli", "serve", app, "--http-port", "0", "--grpc-port", "0"),
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DIPTYCH_SERVICES": json.dumps(services)},
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := _LISTENING.search(line := await process.stderr.readline())):
                assert line, "the program ended before it listened"
        async with httpx2.AsyncClient(base_url=found[1].decode(), timeout=PATIENCE) as http:
            yield Program(process, http)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def state(program: Program, conversation: str, *states: str) -> dict[str, Any]:
    """The answer of a conversation, once it is in one of these states."""

    async def look() -> dict[str, Any] | None:
        found = await program.messages(conversation)
        return found[-1] if len(found) == 2 and found[-1]["state"] in states else None

    answer = await until_told(look)
    assert answer is not None
    return answer


async def stored(program: Program, conversation: str, text: str) -> None:
    """Wait until the running answer is stored up to a text."""

    async def look() -> bool:
        found = await program.messages(conversation)
        return len(found) == 2 and found[1]["content"].startswith(text)

    await until_told(look)


async def test_a_killed_gateway_loses_neither_the_message_nor_the_answer(place: dict[str, Any]) -> None:
    async with program(place, SCRIPTED, **SAFETY) as first:
        id_ = await first.start()
        sending = asyncio.create_task(first.send(id_, "Tell me a story"))
        await stored(first, id_, "word0 word1 word2")
        await first.kill()
        events = await sending
        assert "finished" not in events[-1]
    async with program(place, SCRIPTED, flush_seconds=0.05) as second:
        answer = await state(second, id_, "MESSAGE_STATE_FAILED")
        assert answer["content"] == "word0 word1 word2"
        assert (await second.messages(id_))[0]["content"] == "Tell me a story"
        assert not (await second.http.get(f"/v1/conversations/{id_}")).json()["answering"]
        sending = asyncio.create_task(second.send(id_, "Go on"))  # the conversation is free again

        async def sent() -> bool:
            return len(await second.messages(id_)) == 4

        await until_told(sent)
        stopped = await second.http.post(f"/v1/conversations/{id_}:stop", json={})
        assert stopped.json()["message"]["content"] == "word0 word1 word2"
        assert (await sending)[-1]["finished"]["state"] == "MESSAGE_STATE_STOPPED"


async def test_a_message_to_a_killed_gateways_conversation_waits_for_no_restart(
    place: dict[str, Any], serve: Serve
) -> None:
    async with serve(place, **SAFETY) as other, program(place, SCRIPTED, **SAFETY) as first:
        id_ = await first.start()
        sending = asyncio.create_task(first.send(id_, "Tell me a story"))
        await stored(first, id_, "word0 word1 word2")
        await first.kill()
        await sending

        async def taken() -> bool:
            answer = await other.http.post(f"/v1/conversations/{id_}:send", json={"content": "Hello"})
            assert answer.status_code in (200, 400)  # FAILED_PRECONDITION until the lease has run out
            return answer.status_code == 200

        await until_told(taken)
        contents = [message.content for message in await other.messages(id_)]
        assert contents == ["Tell me a story", "word0 word1 word2", "Hello", "The answer is 42."]


async def test_a_gateway_stops_the_answer_of_another_process(place: dict[str, Any], serve: Serve) -> None:
    async with serve(place) as other, program(place, SCRIPTED, flush_seconds=0.05) as first:
        id_ = await first.start()
        sending = asyncio.create_task(first.send(id_, "Tell me a story"))
        await stored(first, id_, "word0 word1 word2")
        stopped = await other.http.post(f"/v1/conversations/{id_}:stop", json={})
        assert stopped.json()["message"]["state"] == "MESSAGE_STATE_STOPPED"
        assert (await sending)[-1]["finished"] == stopped.json()["message"]


LOCAL = {"smollm2-135m": {"kind": "local"}}


async def test_the_local_model_stops_when_its_reader_leaves(tmp_path: Path) -> None:
    """By the tokens that the metrics count: llama.cpp counts those of an answer that was cut off too."""
    async with program({"data_dir": str(tmp_path)}, LOCAL) as served:
        id_ = await served.start()
        path, headers = f"/v1/conversations/{id_}:send", {"accept": "text/event-stream"}
        body = {"content": "Tell me a very long story about the sea.", "options": {"maxTokens": 1000}}
        heard = 0
        async with served.http.stream("POST", path, json=body, headers=headers) as response:
            async for line in response.aiter_lines():
                heard += '"text"' in line
                if heard == 5:
                    break
        answer = await state(served, id_, "MESSAGE_STATE_STOPPED")
        assert answer["content"]

        async def idle() -> bool:
            return 'artificer_ai_running{model="smollm2-135m"} 0.0' in (await served.http.get("/metrics")).text

        await until_told(idle)
        counted = re.search(
            r'artificer_ai_tokens_total{direction="output",model="smollm2-135m"} (\S+)',
            (await served.http.get("/metrics")).text,
        )
        assert counted is not None
        assert float(counted[1]) < 200


async def test_a_kill_in_the_middle_of_the_local_models_answer(tmp_path: Path) -> None:
    place = {"data_dir": str(tmp_path)}
    async with program(place, LOCAL, **SAFETY) as first:
        id_ = await first.start()
        sending = asyncio.create_task(first.send(id_, "Tell me a long story about the sea."))

        async def some() -> str:
            found = await first.messages(id_)
            return str(found[1]["content"]) if len(found) == 2 else ""

        text = await until_told(some)
        await first.kill()
        await sending
    async with program(place, LOCAL, **SAFETY) as second:
        answer = await state(second, id_, "MESSAGE_STATE_FAILED")
        assert answer["content"].startswith(text)
