"""`Gateway`: registration, lifespan, the app without ports, users' routes, failures to start."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import anyio
import grpc
import httpx2
import pytest
import websockets
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from diptych import Gateway, Settings
from diptych.methods import RegistrationError
from diptych.rules import RuleError
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import ENGINES, Serve, Served, every_engine
from tests.kitchen import Kitchen

ANY: dict[str, Any] = {"http_port": 0, "grpc_port": 0}


def made(**more: Any) -> Gateway:
    """A gateway over the kitchen that is not started."""
    settings = Settings(**{**ANY, **more.pop("settings", {})})
    gateway = Gateway(settings, **more)
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    return gateway


def client(app: Any, **more: Any) -> httpx2.AsyncClient:
    """Returns a client of an ASGI app, without a port."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, **more), base_url="http://app")


# Registration.


class Half:
    """Performs one of the two registrations that grpcio's generated code makes."""

    def __init__(self, gateway: Gateway, *, generic: bool) -> None:
        self._gateway, self._generic = gateway, generic

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        if not self._generic:
            self._gateway.add_registered_method_handlers(service, handlers)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        if self._generic:
            self._gateway.add_generic_rpc_handlers(handlers)


@every_engine
@pytest.mark.parametrize("which", ["registered", "generic", "both"])
async def test_either_registration_suffices(which: str, engine: str) -> None:
    gateway = Gateway(Settings(**ANY, **ENGINES[engine]))
    server: Any = gateway if which == "both" else Half(gateway, generic=which == "generic")
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), server)
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub = pb_grpc.KitchenServiceStub(channel)
        assert (await stub.GetDish(pb.GetDishRequest(dish_id="1"))).id == "1"
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", verify=False) as http:
            assert (await http.get("/v1/dishes/1")).json()["id"] == "1"
        await gateway.stop(0)


@every_engine
async def test_a_generic_handler_without_a_service_is_grpc_only(engine: str) -> None:
    class Everything(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            if handler_call_details.method != "/any.Service/Method":
                return None
            return grpc.unary_unary_rpc_method_handler(lambda request, context: request)

    gateway = made(settings=ENGINES[engine])
    gateway.add_generic_rpc_handlers([Everything()])
    async with gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        call: Any = channel.unary_unary("/any.Service/Method")
        assert await call(b"x") == b"x"
        await gateway.stop(0)


async def test_a_late_or_double_registration_is_refused() -> None:
    gateway = made()
    with pytest.raises(RegistrationError, match="already registered with another servicer"):
        pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    with pytest.raises(RegistrationError, match=r"nobody\.Service is not in the default descriptor pool"):
        gateway.add_registered_method_handlers("nobody.Service", {})
    async with client(gateway.app) as http:
        await http.get("/healthz")
    with pytest.raises(RuntimeError, match="after the gateway has started"):
        gateway.add_registered_method_handlers("kitchen.v1.KitchenService", {})
    await gateway.stop(0)


@every_engine
async def test_the_default_servicer_is_unimplemented_on_both_faces(serve: Serve) -> None:
    servicer: Any = pb_grpc.KitchenServiceServicer
    async with serve(servicer()) as served:
        answer = await served.http.get("/v1/dishes/1")
        assert (answer.status_code, answer.json()["error"]["status"]) == (501, "UNIMPLEMENTED")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.rpc.GetDish(pb.GetDishRequest())
        assert (failed.value.code(), failed.value.details()) == (
            grpc.StatusCode.UNIMPLEMENTED,
            answer.json()["error"]["message"],
        )
        assert (await served.http.get("/v1/ticks")).status_code == 501


async def test_unbound_methods_are_bound_on_demand(serve: Serve) -> None:
    async with serve(gateway={"unbound": "auto"}) as served:
        answer = await served.http.post("/kitchen.v1.KitchenService/Unbound", json={"dishId": "7"})
        assert answer.json()["id"] == "7"
        assert "/kitchen.v1.KitchenService/Unbound" in (await served.http.get("/openapi.json")).json()["paths"]
    async with serve() as served:
        assert "/kitchen.v1.KitchenService/Unbound" not in (await served.http.get("/openapi.json")).json()["paths"]


# Lifespan.


class Spans:
    """Notes when it is entered and left."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @contextlib.asynccontextmanager
    async def __call__(self, app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        self.events.append("enter")
        async with anyio.create_task_group() as group:  # must be left in the task that entered it
            group.start_soon(anyio.sleep_forever)
            yield {"pool": "the pool"}
            group.cancel_scope.cancel()
        self.events.append("leave")


async def test_the_lifespan_encloses_the_listeners() -> None:
    spans = Spans()
    gateway = made(lifespan=spans)

    @gateway.app.get("/pool")
    async def pool(request: Request) -> str:
        return str(request.state.pool)

    async with gateway:
        assert spans.events == ["enter"]
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", verify=False) as http:
            assert (await http.get("/pool")).json() == "the pool"
        stopping = asyncio.create_task(gateway.stop(0))
        await stopping
        assert spans.events == ["enter", "leave"]


async def test_the_first_request_enters_the_lifespan() -> None:
    spans = Spans()
    gateway = made(lifespan=spans)
    async with client(gateway.app) as http:
        assert (await http.get("/v1/dishes/1")).json()["id"] == "1"
        assert (await http.get("/v1/dishes/1")).status_code == 200
    assert spans.events == ["enter"]
    await gateway.stop(0)
    assert spans.events == ["enter", "leave"]


async def test_the_asgi_lifespan_enters_and_leaves_it() -> None:
    spans = Spans()
    gateway = made(lifespan=spans)
    async with gateway.app.router.lifespan_context(gateway.app) as state:
        assert state == {"pool": "the pool"}
        assert spans.events == ["enter"]
    assert spans.events == ["enter", "leave"]


async def test_a_lifespan_that_fails_stops_the_start() -> None:
    async def failing() -> None:
        raise LookupError("no database")

    @contextlib.asynccontextmanager
    async def broken(app: FastAPI) -> AsyncIterator[None]:
        await failing()
        yield

    gateway = made(lifespan=broken)
    with pytest.raises(LookupError, match="no database"):
        await gateway.start()


# The app.


async def test_the_app_needs_no_port() -> None:
    gateway = made()
    async with client(gateway.app) as http:
        assert (await http.get("/v1/dishes/a%2Fb")).json()["id"] == "a/b"
        assert (await http.get("/v1/ticks?count=2", headers={"accept": "application/x-ndjson"})).text.count("\n") == 2
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.get("/nowhere")).json()["error"]["status"] == "NOT_FOUND"
    await gateway.stop(0)


async def test_the_app_may_be_mounted_under_a_prefix() -> None:
    gateway = made()
    outer = FastAPI(routes=[Mount("/api", gateway.app)])
    async with client(outer) as http:
        assert (await http.get("/api/v1/dishes/a%2Fb")).json()["id"] == "a/b"
        assert (await http.get("/api/v1/kitchens/x/dishes/y")).json()["id"] == "kitchens/x/dishes/y"
        assert (await http.get("/api/healthz")).json() == {"status": "ok"}
        assert (await http.put("/api/v1/dishes")).headers["allow"] == "GET, HEAD, OPTIONS, POST"
        assert (await http.get("/v1/dishes/1")).status_code == 404
        docs = (await http.get("/api/docs")).text
        assert '"/api/docs/assets/swagger-ui-bundle.js"' in docs
        assert (await http.get("/api/docs/assets/swagger-ui-bundle.js")).status_code == 200
        assert (await http.get("/api/openapi.json")).json()["openapi"].startswith("3.1")
    await gateway.stop(0)


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
