"""Chat over REST with the program that `make serve` runs: pages, events that resume, bidirectional NDJSON."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx2
import pytest

from artificer.chat.v1 import message_service_pb2 as pb
from artificer.chat.v1 import message_service_pb2_grpc as rpc
from tests.commands import ROOT
from tests.e2e.conftest import Served, serving
from tests.waiting import until_told


@pytest.fixture
def channel() -> str:
    """A new channel for one test; the program is shared."""
    return f"c-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=served.http, timeout=60) as opened:
        yield opened


@pytest.fixture
async def stub(served: Served) -> AsyncIterator[rpc.MessageServiceAsyncStub]:
    async with grpc.aio.insecure_channel(served.grpc) as opened:
        yield rpc.MessageServiceStub(opened)


async def send(stub: rpc.MessageServiceAsyncStub, channel: str, *contents: str) -> list[str]:
    requests = [
        pb.SendMessagesRequest(channel=channel, user=pb.User(id="ann"), content=content) for content in contents
    ]
    return list((await stub.SendMessages(iter(requests))).ids)


@asynccontextmanager
async def events(
    client: httpx2.AsyncClient, url: str, headers: dict[str, str] | None = None
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Yields the events of a stream as a browser's EventSource would."""
    asked = {"accept": "text/event-stream", **(headers or {})}
    async with client.stream("GET", url, headers=asked) as response:
        assert response.status_code == 200

        async def read() -> AsyncIterator[dict[str, Any]]:
            event: dict[str, Any] = {}
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name in ("id", "event"):
                    event[name] = value
                elif name == "data":
                    event["data"] = json.loads(value)
                elif not line and event:
                    yield event
                    event = {}

        yield read()


async def take(stream: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        return [await anext(stream) for _ in range(count)]


async def test_a_message_and_a_list_of_them(
    client: httpx2.AsyncClient, stub: rpc.MessageServiceAsyncStub, channel: str
) -> None:
    ids = await send(stub, channel, "one", "two", "three")
    one = await client.get(f"/v1/channels/{channel}/messages/{ids[0]}", params={"includeUser": "true"})
    assert one.status_code == 200
    assert (one.json()["content"], one.json()["user"]["id"]) == ("one", "ann")
    page = await client.get(f"/v1/channels/{channel}/messages", params={"page_size": 2, "order_by": "create_time desc"})
    assert [message["content"] for message in page.json()["messages"]] == ["three", "two"]
    rest = await client.get(
        f"/v1/channels/{channel}/messages",
        params={"page_size": 2, "order_by": "create_time desc", "page_token": page.json()["nextPageToken"]},
    )
    assert [message["content"] for message in rest.json()["messages"]] == ["one"]
    assert rest.json()["nextPageToken"] == ""
    missing = await client.get(f"/v1/channels/{channel}/messages/000000000000009")
    assert missing.status_code == 404
    wrong = await client.get(f"/v1/channels/{channel}/messages/nine")
    assert wrong.status_code == 400
    assert wrong.json()["error"]["details"][0]["fieldViolations"][0]["field"] == "id"


async def test_events_resume_after_the_last_id(
    client: httpx2.AsyncClient, stub: rpc.MessageServiceAsyncStub, channel: str
) -> None:
    ids = await send(stub, channel, "one", "two", "three")
    url = f"/v1/channels/{channel}/messages:stream?history_size=2"
    async with events(client, url) as stream:
        assert [(event["data"]["id"], event["data"]["content"]) for event in await take(stream, 2)] == [
            (ids[1], "two"),
            (ids[2], "three"),
        ]
        live = await send(stub, channel, "four")
        (event,) = await take(stream, 1)
        assert (event["event"], event["id"], event["data"]["id"]) == ("message", live[0], live[0])
    missed = await send(stub, channel, "five", "six")
    async with events(client, url, {"last-event-id": live[0]}) as stream:
        assert [event["data"]["id"] for event in await take(stream, 2)] == missed


async def test_live_streams_end_with_unavailable_when_the_program_stops(channel: str) -> None:
    """Live streams would last for the whole grace period; after UNAVAILABLE a client resumes after the last id."""
    with serving("--grace-seconds", "1000") as program:
        async with (
            asyncio.timeout(60),
            grpc.aio.insecure_channel(program.grpc) as opened,
            httpx2.AsyncClient(base_url=program.http, timeout=60) as client,
            events(client, f"/v1/channels/{channel}/messages:stream?history_size=9") as stream,
        ):
            stub = rpc.MessageServiceStub(opened)
            talking: Any = stub.ChatStream()
            await talking.write(pb.ChatStreamRequest(channel=channel, user=pb.User(id="ann"), content="stay"))
            assert (await talking.read()).HasField("joined")
            assert (await talking.read()).message.content == "stay"
            assert (await anext(stream))["data"]["content"] == "stay"
            program.stop()
            assert await talking.code() is grpc.StatusCode.UNAVAILABLE
            assert "stopping" in (await anext(stream))["data"]["error"]["message"]


async def test_a_stream_of_lines_is_stored_and_may_be_sent_again(client: httpx2.AsyncClient, channel: str) -> None:
    first = {"user": {"id": "ann"}, "content": "one", "requestId": "r1"}
    lines = "\n".join(json.dumps(one) for one in (first, {"content": "two", "requestId": "r2"}))
    headers = {"content-type": "application/x-ndjson"}
    url = f"/v1/channels/{channel}/messages:send"
    answers = [(await client.post(url, content=lines, headers=headers)).json() for _ in range(2)]
    assert [(answer["storedCount"], answer["duplicateCount"]) for answer in answers] == [(2, 0), (0, 2)]
    assert answers[0]["ids"] == answers[1]["ids"] == ["000000000000001", "000000000000002"]
    bad = await client.post(url, content=lines.replace("two", "2"), headers=headers)
    assert (bad.status_code, bad.json()["error"]["status"]) == (409, "ALREADY_EXISTS")


async def test_a_whole_conversation_in_one_request(client: httpx2.AsyncClient, channel: str) -> None:
    """The end of the body closes the caller's side: the echoes arrive, and the response ends."""
    lines = [{"user": {"id": "ann"}}, {"content": "hello"}, {"content": ""}, {"content": "bye"}]
    answer = await client.post(
        f"/v1/channels/{channel}/messages:chat",
        content="\n".join(map(json.dumps, lines)),
        headers={"content-type": "application/x-ndjson", "accept": "application/x-ndjson"},
    )
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert found[0] == {"joined": {"channel": channel, "lastId": ""}}
    assert [one["message"]["content"] for one in found if "message" in one] == ["hello", "bye"]
    (refusal,) = [one["refusal"] for one in found if "refusal" in one]
    assert refusal["position"] == 3
    assert refusal["status"]["details"][0]["fieldViolations"][0]["field"] == "content"


async def test_the_page_runs_nothing_but_its_own_files(client: httpx2.AsyncClient) -> None:
    page = await client.get("/chat")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    assert "style=" not in page.text
    for name in ("chat.js", "transports.js", "protobuf.js"):
        script = await client.get(f"/chat/assets/{name}")
        assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert "innerHTML" not in script.text
        assert "eval(" not in script.text

    async def fit() -> bool:
        return bool((await client.get("/readyz")).json()["checks"]["chat"] == "ok")

    assert await until_told(fit)


def test_the_documented_example_ends_with_its_input(served: Served) -> None:
    page = (ROOT / "docs" / "chat.md").read_text()
    example = page.split("```python\n")[1].split("```")[0].replace("127.0.0.1:50051", served.grpc)
    said = f"hello {uuid.uuid4().hex}"
    done = subprocess.run(
        [sys.executable, "-c", example], input=f"{said}\n\n", capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
