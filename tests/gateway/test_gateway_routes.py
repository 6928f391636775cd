"""A gateway's users' routes, its health and readiness, and its start."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import grpc
import pytest
import websockets
from fastapi import APIRouter, Depends, HTTPException, WebSocket
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.types import ASGIApp, Receive, Scope, Send

from diptych import Gateway, Settings
from diptych.rules import RuleError
from tests.conftest import Serve, Served, every_engine
from tests.gateway.test_gateway import ANY, Spans, client, made

# Users' routes.


async def test_users_routes_win(serve: Serve) -> None:
    gateway = made()
    router = APIRouter(prefix="/v1")

    @gateway.app.get("/v1/dishes")
    async def dishes() -> str:
        return "users"

    @router.get("/dishes/{dish_id}")
    async def dish(dish_id: str) -> str:
        return f"users {dish_id}"

    gateway.app.include_router(router)

    @gateway.app.post("/own/{number}")
    async def own(number: int) -> int:
        return number

    async with client(gateway.app) as http:
        assert (await http.get("/v1/dishes")).json() == "users"
        assert (await http.get("/v1/dishes/1")).json() == "users 1"
        # Other methods of the same paths are still transcoded.
        assert (await http.post("/v1/dishes", json={"title": "x"})).status_code == 201
        assert (await http.put("/v1/dishes/1", json={"title": "x"})).json()["id"] == "1"
        assert (await http.post("/v1/dishes/1:cook", json={})).json()["dishId"] == "1"
        # A path with only users' routes names its allowed methods.
        assert (await http.post("/own/3")).json() == 3
        wrong = await http.get("/own/3")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        assert wrong.json()["error"]["code"] == 405
    await gateway.stop(0)


async def test_routes_may_be_added_while_it_runs(served: Served) -> None:
    assert (await served.http.get("/late")).status_code == 404

    @served.gateway.app.get("/late")
    async def late() -> str:
        return "late"

    assert (await served.http.get("/late")).json() == "late"


class Seen:
    """Middleware that notes what passes."""

    def __init__(self, app: ASGIApp, seen: list[str]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.seen.append(f"{scope['method']} {scope['path']}")
        await self.app(scope, receive, send)


async def test_users_middleware_sees_every_request() -> None:
    gateway = made()
    seen: list[str] = []
    gateway.app.add_middleware(Seen, seen=seen)
    paths = ["/v1/dishes/1", "/v1/ticks", "/healthz", "/docs", "/openapi.json", "/nowhere"]
    async with client(gateway.app) as http:
        for path in paths:
            await http.get(path)
    assert seen == [f"GET {path}" for path in paths]
    await gateway.stop(0)


async def test_fastapis_errors_have_the_dialect() -> None:
    gateway = made()

    def teapot() -> None:
        raise HTTPException(418, "short and stout", headers={"x-pot": "tea"})

    @gateway.app.get("/teapot", dependencies=[Depends(teapot)])
    async def pot() -> None: ...

    @gateway.app.get("/detail")
    async def detail() -> None:
        raise HTTPException(409, {"reason": "taken"})

    @gateway.app.get("/number/{number}")
    async def number(number: int) -> int:
        return number

    @gateway.app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret")

    async with client(gateway.app, raise_app_exceptions=False) as http:
        answer = await http.get("/teapot")
        assert (answer.status_code, answer.headers["x-pot"]) == (418, "tea")
        assert answer.json()["error"]["message"] == "short and stout"
        answer = await http.get("/detail")
        assert (answer.json()["error"]["status"], answer.json()["error"]["message"]) == (
            "ABORTED",
            '{"reason":"taken"}',
        )
        answer = await http.get("/number/x")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, 422)
        [violation] = answer.json()["error"]["details"][0]["fieldViolations"]
        assert violation["field"] == "path.number"
        answer = await http.get("/broken")
        assert (answer.status_code, answer.json()["error"]["status"]) == (500, "INTERNAL")
        assert "secret" not in answer.text
        assert answer.json()["error"]["message"].startswith("internal error, id ")
    await gateway.stop(0)


async def test_malformed_http_gets_the_json_error(served: Served) -> None:
    for junk in (
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(junk + b"\r\n\r\n")
        async with asyncio.timeout(10):
            said = await reader.read()
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n"), said
        assert b"connection: close" in head
        assert b'"status":"INVALID_ARGUMENT"' in body
        assert f"content-length: {len(body)}".encode() in head
        writer.close()


# Readiness and health.


async def test_readiness_runs_its_checks() -> None:
    fit = {"database": True}

    def database() -> bool:
        return fit["database"]

    async def queue() -> None:
        if not fit["database"]:
            raise ConnectionError("secret")

    gateway = made(readiness={"database": database, "queue": queue}, settings={"readiness": {"keep_seconds": 0}})
    async with client(gateway.app) as http:
        assert (await http.get("/readyz")).json() == {"status": "ready", "checks": {"database": "ok", "queue": "ok"}}
        fit["database"] = False
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "checks": {"database": "failed", "queue": "failed"}}
        assert (await http.get("/healthz")).status_code == 200
    await gateway.stop(0)


@every_engine
async def test_grpc_health(served: Served) -> None:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    for service in ("", "kitchen.v1.KitchenService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


# Starting.


async def test_ports_are_known_while_it_runs() -> None:
    gateway = made()
    for name in ("http_port", "grpc_port"):
        with pytest.raises(RuntimeError, match="not started"):
            getattr(gateway, name)
    async with gateway:
        assert gateway.http_port != gateway.grpc_port
        with pytest.raises(RuntimeError, match="already started"):
            await gateway.start()
        waiting = asyncio.create_task(gateway.wait_for_termination())
        await gateway.stop(0)
        assert await waiting is False


@pytest.mark.parametrize("face", ["http_port", "grpc_port"])
async def test_a_port_in_use_is_an_os_error(face: str) -> None:
    spans = Spans()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gateway = made(settings={face: taken.getsockname()[1]}, lifespan=spans)
        with pytest.raises(OSError, match=r"port|use"):
            await gateway.start()
        assert spans.events == ["enter", "leave"]


def proto(name: str, *rules: tuple[str, str, str]) -> tuple[str, dict[str, Any]]:
    """A service with one method per rule (name, verb, path), and its handlers."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"wrong/{name}.proto",
        package=f"wrong.{name}",
        syntax="proto3",
        dependency=["google/api/annotations.proto"],
    )
    message = file.message_type.add(name="M")
    message.field.add(name="a", number=1, type=9, label=1)
    message.field.add(name="many", number=2, type=9, label=3)
    service = file.service.add(name="S")
    extension: Any = annotations_pb2.http
    for method_name, verb, path in rules:
        method = service.method.add(name=method_name, input_type=f".wrong.{name}.M", output_type=f".wrong.{name}.M")
        setattr(method.options.Extensions[extension], verb, path)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    handlers: dict[str, Any] = {
        rule[0]: grpc.unary_unary_rpc_method_handler(lambda request, context: request) for rule in rules
    }
    return f"wrong.{name}.S", handlers


@pytest.mark.parametrize(
    ("name", "rules", "words"),
    [
        ("template", [("A", "get", "/v1/{a")], "column"),
        ("unknown", [("A", "get", "/v1/{b}")], "column 6"),
        ("repeated", [("A", "get", "/v1/{many}")], "repeated"),
        ("conflict", [("B", "get", "/v1/{a}"), ("A", "get", "/v1/*")], "same shape"),
    ],
)
async def test_an_invalid_annotation_stops_the_start(name: str, rules: list[tuple[str, str, str]], words: str) -> None:
    gateway = Gateway(Settings(**ANY))
    gateway.add_registered_method_handlers(*proto(name, *rules))
    with pytest.raises(RuleError) as wrong:
        await gateway.start()
    for word in (f"wrong/{name}.proto", f"wrong.{name}.S.A", words):
        assert word in str(wrong.value)


async def test_users_websocket_routes_are_served_and_closed_at_the_stop() -> None:
    gateway = made()

    @gateway.app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    async with gateway, websockets.connect(f"ws://127.0.0.1:{gateway.http_port}/echo", proxy=None) as socket:
        await socket.send("soup")
        assert await socket.recv() == "soup"
        await gateway.stop(1)
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
