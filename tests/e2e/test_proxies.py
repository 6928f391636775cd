"""Every face through a real nginx, which runs with the one block that the documentation gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from diptych.framing.envelope import HEAD, envelope
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.certificates import Authority
from tests.conftest import Serve, Served
from tests.kitchen import Kitchen
from tests.nginx import REQUIRED, find_nginx, nginx
from tests.waiting import PATIENCE

pytestmark = pytest.mark.skipif(find_nginx() is None and not REQUIRED, reason="there is no nginx")

TICK = "/kitchen.v1.KitchenService/Tick"


@dataclass(frozen=True)
class Proxied:
    """A gateway behind nginx, and clients of nginx."""

    served: Served
    authority: Authority
    port: int
    http: httpx2.AsyncClient

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"


class Hears(Kitchen):
    """Tells which requests of a stream have arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: asyncio.Queue[int] = asyncio.Queue()

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        total = 0
        async for tick in request_iterator:
            total += tick.number
            self.heard.put_nowait(tick.number)
        return pb.TickResponse(number=total)


@pytest.fixture
async def proxied(serve: Serve, tmp_path: Path) -> AsyncIterator[Proxied]:
    authority = Authority(tmp_path)
    settings = {"trusted_proxies": ("127.0.0.1",), "allowed_hosts": ("localhost",)}
    async with serve(Hears(), **settings) as served, asyncio.timeout(60):
        ports = served.gateway.http_port, served.gateway.grpc_port
        async with nginx(tmp_path, *ports, authority.shown()) as one:
            base = f"https://localhost:{one.port}"
            async with httpx2.AsyncClient(base_url=base, verify=authority.trusting(), timeout=PATIENCE) as http:
                yield Proxied(served, authority, one.port, http)


async def test_rest_with_its_host_and_its_client(proxied: Proxied) -> None:
    assert (await proxied.http.get("/v1/dishes/1")).json()["id"] == "1"
    said = (await proxied.http.get("/v1/inspect", headers={"x-forwarded-for": "203.0.113.9"})).json()
    assert said["metadata"]["x-forwarded-host"] == f"localhost:{proxied.port}"
    assert said["peer"].startswith("ipv4:203.0.113.9")  # since the test's own address is a trusted one


async def test_a_prefix_that_a_client_reports_is_removed(proxied: Proxied) -> None:
    found = [
        (await proxied.http.get("/openapi.json", headers=headers)).json().get("servers")
        for headers in ({}, {"x-forwarded-prefix": "/elsewhere"})
    ]
    assert found[0] == found[1]


async def test_large_bodies(proxied: Proxied) -> None:
    body = b"x" * 3_000_000  # nginx takes one megabyte by default
    answer = await proxied.http.post("/v1/mirror", content=body, headers={"content-type": "image/png"})
    assert answer.content == body


@pytest.mark.parametrize("form", ["application/json", "application/x-ndjson", "text/event-stream"])
async def test_each_message_of_a_stream_leaves_at_once(proxied: Proxied, form: str) -> None:
    steps = proxied.served.kitchen.steps["k"]
    steps.release()
    async with proxied.http.stream("GET", "/v1/ticks?count=3&key=k", headers={"accept": form}) as answer:
        pieces, text = answer.aiter_text(), ""
        for number in (1, 2, 3):
            while f'"number":"{number}"' not in text:
                text += await anext(pieces)
            assert f'"number":"{number + 1}"' not in text
            steps.release()


async def test_each_message_of_a_stream_of_requests_arrives_at_once(proxied: Proxied) -> None:
    kitchen = proxied.served.kitchen

    async def lines() -> AsyncIterator[bytes]:
        for number in (1, 2):
            yield b'{"number": %d}\n' % number
            assert await kitchen.heard.get() == number

    headers = {"content-type": "application/x-ndjson"}
    assert (await proxied.http.post("/v1/sum", content=lines(), headers=headers)).json()["number"] == "3"


async def test_websocket_of_a_page(proxied: Proxied) -> None:
    address = f"wss://localhost:{proxied.port}/v1/converse"
    context = proxied.authority.trusting()
    async with connect(address, ssl=context, origin=proxied.origin) as socket:  # type: ignore[arg-type]
        await socket.send('{"number": 7}')
        assert json.loads(await socket.recv())["number"] == "7"


async def test_grpc(proxied: Proxied) -> None:
    async with proxied.authority.channel(proxied.port) as channel:
        kitchen: Any = pb_grpc.KitchenServiceStub(channel)
        assert (await kitchen.GetDish(pb.GetDishRequest(dish_id="7"))).id == "7"
        assert [tick.number async for tick in kitchen.Tick(pb.TickRequest(count=3))] == [1, 2, 3]
        talk = kitchen.Converse()
        for number in (1, 2):
            await talk.write(pb.TickResponse(number=number))
            assert (await talk.read()).number == number
        await talk.done_writing()


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/connect+proto"])
async def test_grpc_web_and_connect(proxied: Proxied, kind: str) -> None:
    body = envelope(0, pb.TickRequest(count=2).SerializeToString())
    answer = await proxied.http.post(TICK, content=body, headers={"content-type": kind})
    assert answer.headers["content-type"] == kind
    numbers, data = [], answer.content
    while data:
        flags, size = HEAD.unpack_from(data)
        if not flags:
            numbers.append(pb.TickResponse.FromString(data[5 : 5 + size]).number)
        data = data[5 + size :]
    assert numbers == [1, 2]
