"""examples/go-relay as a program between browsers and a gateway, whose models are scripted."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx2
import orjson
import pytest

from artificer_services.ai.models.scripted import ScriptedChat
from tests.sdk.golang import NEEDS_GO, RELAY, go
from tests.services.ai.conversations.gates import Gate
from tests.services.ai.servicers.doors import FOX, SCRIPTED
from tests.services.ai.serving import Faces, serve
from tests.waiting import PATIENCE, until_told

pytestmark = NEEDS_GO
HELLO = [{"role": "CHAT_ROLE_USER", "content": "hello"}]


class Watched(Gate):
    """A gate that tells when the answer that waits at it is given up."""

    def __init__(self, words: int) -> None:
        super().__init__(words)
        self.left = asyncio.Event()

    async def wait(self) -> Literal[True]:
        try:
            return await super().wait()
        except asyncio.CancelledError:
            self.left.set()
            raise


@dataclass(frozen=True, slots=True)
class Relay:
    """The relay as a process, and a browser's connection to it."""

    process: asyncio.subprocess.Process
    browser: httpx2.AsyncClient
    signals: Iterator[int] = field(default_factory=lambda: iter([signal.SIGTERM]))

    def stop(self) -> None:
        """Sends SIGTERM, once: a second one would end the process at once."""
        for number in self.signals:
            self.process.send_signal(number)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The relay as a reader of the example builds it."""
    path = tmp_path_factory.mktemp("relay") / "go-relay"
    go("build", "-race", "-o", path, ".", folder=RELAY)
    return path


@asynccontextmanager
async def working() -> AsyncIterator[Faces]:
    """A gateway that reports SERVING: until then the relay answers 503."""
    async with serve(SCRIPTED) as faces:

        async def serves() -> bool:
            answer = await faces.http.post("/grpc.health.v1.Health/Check", json={})
            return bool(answer.json() == {"status": "SERVING"})

        await until_told(serves)
        yield faces


@asynccontextmanager
async def relaying(program: Path, target: str, *arguments: str) -> AsyncIterator[Relay]:
    """Runs the relay, which must end by itself on SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        program, "-listen", "127.0.0.1:0", *arguments,
        env={**os.environ, "ARTIFICER_TARGET": target}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    log = process.stderr
    try:
        line = (await asyncio.wait_for(log.readline(), PATIENCE)).decode()
        found = re.search(r"listening on (http://\S+)", line)
        assert found, line
        rest = asyncio.create_task(log.read())  # a full pipe would block it
        async with httpx2.AsyncClient(base_url=found[1], timeout=PATIENCE) as browser:
            relay = Relay(process, browser)
            yield relay
        relay.stop()
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0, (await rest).decode()
        assert "DATA RACE" not in (await rest).decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def events(answer: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    """Yields the name and the data of each event."""
    assert answer.status_code == 200, await answer.aread()
    name = ""
    async for line in answer.aiter_lines():
        key, _, value = line.partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, orjson.loads(value)
            name = ""


def chat(browser: httpx2.AsyncClient, model: str) -> Any:
    return browser.stream("POST", "/chat", json={"model": model, "messages": HELLO})


def gated(faces: Faces, words: int) -> Watched:
    """Makes the model `fox` wait after so many words."""
    model = faces.service.models.chat_model("fox")
    assert isinstance(model, ScriptedChat)
    model.gate = gate = Watched(words)
    return gate


def test_go_test() -> None:
    go("test", "-race", "-count=1", "-timeout=5m", "./...", folder=RELAY)


async def test_an_answer_is_relayed_as_events(program: Path) -> None:
    async with working() as faces, relaying(program, faces.target) as relay:
        async with chat(relay.browser, "fox") as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            *parts, end = [event async for event in events(answer)]
        page = await relay.browser.get("/")
    assert [name for name, _ in parts] == [""] * len(parts)
    assert "".join(data.get("text", "") for _, data in parts) == FOX
    assert parts[-1][1]["finishReason"] == "FINISH_REASON_STOP"
    assert end == ("done", {})
    assert "<form>" in page.text


async def test_errors_before_the_first_event_have_a_status(program: Path) -> None:
    async with working() as faces, relaying(program, faces.target) as relay:
        unknown = await relay.browser.post("/chat", json={"model": "none", "messages": HELLO})
        wrong = await relay.browser.post("/chat", json={"messages": [{"role": "CLOWN"}]})
        broken = await relay.browser.post("/chat", content=b"{")
        foreign = await relay.browser.post("/chat", json={"messages": HELLO}, headers={"sec-fetch-site": "cross-site"})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "InvalidArgument")
    assert "none" in unknown.json()["message"]
    assert (wrong.status_code, wrong.json()["code"]) == (400, "InvalidArgument")
    assert (broken.status_code, broken.json()["code"]) == (400, "InvalidArgument")
    assert foreign.status_code == 403


async def test_a_worker_that_is_down_is_unavailable(program: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # without listen(), connections are refused
        async with relaying(program, f"127.0.0.1:{deaf.getsockname()[1]}") as relay:
            answer = await relay.browser.post("/chat", json={"messages": HELLO})
    assert (answer.status_code, answer.json()["code"]) == (503, "Unavailable")


async def test_an_error_amid_an_answer_is_an_event(program: Path) -> None:
    async with (
        working() as faces,
        relaying(program, faces.target) as relay,
        chat(relay.browser, "breaking") as answer,
    ):
        *parts, (name, data) = [event async for event in events(answer)]
    assert answer.status_code == 200
    assert "".join(data.get("text", "") for _, data in parts) == "The quick"
    assert (name, data["message"]) == ("error", "the scripted model breaks off, as its settings say")


async def test_a_browser_that_leaves_stops_the_model(program: Path) -> None:
    async with working() as faces, relaying(program, faces.target) as relay:
        gate = gated(faces, words=1)
        async with chat(relay.browser, "fox") as answer:
            assert (await anext(events(answer)))[1]["text"] == "The"
        await asyncio.wait_for(gate.left.wait(), PATIENCE)


async def test_sigterm_lets_answers_end(program: Path) -> None:
    async with working() as faces, relaying(program, faces.target, "-grace", "60s") as relay:
        gate = gated(faces, words=1)
        async with chat(relay.browser, "fox") as answer:
            arriving = events(answer)
            await anext(arriving)
            relay.stop()
            await refuses(relay)
            gate.allow(100)
            *_, end = [event async for event in arriving]
    assert end == ("done", {})


async def test_sigterm_ends_answers_after_the_time_of_grace(program: Path) -> None:
    async with working() as faces, relaying(program, faces.target, "-grace", "50ms") as relay:
        gate = gated(faces, words=1)
        async with chat(relay.browser, "fox") as answer:
            arriving = events(answer)
            await anext(arriving)
            relay.stop()
            assert [(name, data["code"]) async for name, data in arriving] == [("error", "Canceled")]
        await asyncio.wait_for(gate.left.wait(), PATIENCE)


async def refuses(relay: Relay) -> None:
    """Waits until the relay accepts no new connection."""
    while True:
        try:
            async with httpx2.AsyncClient(base_url=relay.browser.base_url, timeout=PATIENCE) as other:
                await other.get("/")
        except httpx2.ConnectError:
            return
        except httpx2.TransportError:  # it was still in the listener's queue when that was closed
            continue
