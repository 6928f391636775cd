"""`gateway.app` behind other ASGI servers, each in a process as a user starts it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from threading import Thread

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from diptych.framing.envelope import HEAD, envelope
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.commands import ROOT
from tests.waiting import PATIENCE, wait_for

APP = "tests.gateway.asgi_app:app"
SERVERS = {
    "uvicorn": ["--host", "127.0.0.1", "--port", "{port}", APP],
    "hypercorn": ["--bind", "127.0.0.1:{port}", APP],
    "granian": ["--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", APP],
}
"""The arguments of each server's command; its module has the same name."""


@contextmanager
def reserved() -> Iterator[int]:
    """Yields a free port and keeps it from others. Servers that share ports (SO_REUSEPORT) can listen on it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def started(server: str, port: int) -> Iterator[int]:
    """Runs the server and yields the port on which it says that it listens; `port` 0 lets it choose one."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "gen")])
    command = [sys.executable, "-m", server, *(one.format(port=port) for one in SERVERS[server])]
    said: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        rest = Thread(target=said.extend, args=(process.stdout,))  # so that a full pipe never blocks the server
        try:
            found = None
            while found is None:
                line = process.stdout.readline()
                assert line, f"{server} did not start: {''.join(said)}"
                said.append(line)
                found = re.search(r"http://127\.0\.0\.1:([1-9]\d*)", line)
            rest.start()
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(PATIENCE)
            if rest.ident is not None:
                rest.join()
    assert process.returncode in (0, -signal.SIGTERM)  # uvicorn sends itself the signal again
    assert said.count("the lifespan has ended\n") == 1, "".join(said)
    assert not re.search("Traceback|unexpected error", "".join(said)), "".join(said)


@pytest.fixture(scope="module", params=SERVERS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a running server. It must stop in order and log no error."""
    with reserved() as held, started(request.param, held if request.param == "granian" else 0) as port:
        wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1), passing=(ConnectionRefusedError,)).close()
        yield port


@pytest.fixture
async def http(port: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the server."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client


async def test_a_get(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/dishes/a%2Fb")
    assert (answer.status_code, answer.json()["id"]) == (200, "a/b")
    assert answer.headers["content-type"] == "application/json"


async def test_a_post_with_json(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/echo", json={"stringValue": "Süßkartoffel" * 10_000})
    assert (answer.status_code, answer.json()["stringValue"]) == (200, "Süßkartoffel" * 10_000)


async def test_a_body_in_pieces(http: httpx2.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"stringVal', b'ue":"x', b'"}'):
            yield piece
            await http.get("/healthz")  # so that each piece arrives alone

    answer = await http.post("/v1/echo", content=pieces(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["stringValue"]) == (200, "x")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"code":5,"message":"no soup"}', 404, "NOT_FOUND"),
        (b'{"code":"x"}', 400, "INVALID_ARGUMENT"),
        (b"{", 400, "INVALID_ARGUMENT"),
    ],
    ids=["the servicer's", "a wrong type", "no JSON"],
)
async def test_errors(http: httpx2.AsyncClient, body: bytes, status: int, code: str) -> None:
    answer = await http.post("/v1/fail", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (status, code)


@pytest.mark.parametrize(("verb", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/v1/wait", 405)])
async def test_requests_that_match_no_method(http: httpx2.AsyncClient, verb: str, path: str, status: int) -> None:
    answer = await http.request(verb, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == status


async def test_head_and_options(http: httpx2.AsyncClient) -> None:
    head = await http.head("/v1/dishes/7")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert "GET" in (await http.options("/v1/dishes/7")).headers["allow"]


@pytest.mark.parametrize(
    ("accept", "first"),
    [("application/x-ndjson", '{"number":"1","text":"tick"}'), ("text/event-stream", 'data: {"number":"1"')],
    ids=["NDJSON", "SSE"],
)
async def test_a_server_stream_arrives_as_it_is_sent(http: httpx2.AsyncClient, accept: str, first: str) -> None:
    key = accept.replace("/", "-")
    url = f"/v1/ticks?count=2&key={key}"
    await http.get(f"/ticking/{key}")
    async with asyncio.timeout(20), http.stream("GET", url, headers={"accept": accept}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(accept)
        lines = answer.aiter_lines()
        while not (line := await anext(lines)).startswith(first):
            assert line.startswith((":", "retry:", "id:", "event:")) or not line
        await http.get(f"/ticking/{key}")
        rest = [line async for line in lines]
        assert any('"number":"2"' in line for line in rest)


async def test_a_client_stream(http: httpx2.AsyncClient) -> None:
    body = b"".join(b'{"number":"%d"}\n' % number for number in range(1000))
    answer = await http.post("/v1/sum", content=body, headers={"content-type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["number"]) == (200, "499500")


async def test_a_body_that_stays_away_is_refused(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        writer.write(b'content-length: 20\r\n\r\n{"stringValue":')
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] == b"408"
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length is not None
        error = json.loads(await reader.readexactly(int(length[1])))["error"]
        assert (error["status"], error["message"]) == ("DEADLINE_EXCEEDED", "the request body arrived too slowly")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"POST /v1/wait HTTP/1.1\r\ncontent-type: application/json\r\n", b'{"key":"unary"}'),
        (b"GET /v1/ticks?count=9&key=stream HTTP/1.1\r\n", b""),
    ],
    ids=["unary", "stream"],
)
async def test_a_client_that_leaves_cancels_its_call(
    http: httpx2.AsyncClient, port: int, head: bytes, body: bytes
) -> None:
    key = "unary" if body else "stream"
    async with asyncio.timeout(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"host: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert (await http.get(f"/waiting/{key}")).json()
        writer.close()
        await writer.wait_closed()
        assert (await http.get(f"/cancelled/{key}")).json()


async def test_a_call_of_connect(http: httpx2.AsyncClient) -> None:
    url = "/kitchen.v1.KitchenService/GetDish"
    answer = await http.post(url, json={"dishId": "7"})
    assert (answer.status_code, answer.json()["id"]) == (200, "7")
    missing = await http.post(url, json={"dishId": "missing"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_call_of_grpc_web(http: httpx2.AsyncClient) -> None:
    url, headers = "/kitchen.v1.KitchenService/GetDish", {"content-type": "application/grpc-web+proto"}
    request = pb.GetDishRequest(dish_id="7").SerializeToString()
    answer = await http.post(url, content=envelope(0, request), headers=headers)
    assert answer.status_code == 200
    flags, length = HEAD.unpack_from(answer.content)
    assert flags == 0
    assert pb.Dish.FromString(answer.content[HEAD.size : HEAD.size + length]).id == "7"
    assert b"grpc-status: 0" in answer.content[HEAD.size + length :].replace(b"grpc-status:0", b"grpc-status: 0")


async def test_a_call_over_websocket(port: int) -> None:
    subprotocol = Subprotocol("diptych.v1.json")
    async with (
        asyncio.timeout(20),
        connect(f"ws://127.0.0.1:{port}/v1/converse", subprotocols=[subprotocol], proxy=None) as socket,
    ):
        for number in ("3", "1"):
            await socket.send(json.dumps({"number": number}))
            assert json.loads(await socket.recv())["number"] == number


async def test_the_gateway_s_own_pages(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    assert (await http.get("/readyz")).status_code == 200
    assert (await http.get("/openapi.json")).json()["openapi"].startswith("3.1")


async def test_the_lifespan_s_state_reaches_the_application_s_own_routes(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/oven")).json() == "hot"
