"""Which requests our HTTP/1.1 serves without ASGI, and which it cannot."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from diptych import Gateway, Settings
from diptych.auth import hash_key, new_key
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served
from tests.kitchen import Kitchen

JSON = {"content-type": "application/json"}
GET = b"GET /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n"
ECHO = b'POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n%b\r\n{"stringValue":"a"}'
SIZED = b"content-length: 19\r\n"


async def ask(served: Served, *pieces: bytes) -> bytes:
    """Sends the pieces, each once the one before was read, and returns all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
    try:
        async with asyncio.timeout(20):
            for number, piece in enumerate(pieces):
                if number:
                    await reader.readuntil(b"100 Continue\r\n\r\n")
                writer.write(piece)
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


class Passing(grpc.aio.ServerInterceptor):
    """An interceptor that changes nothing."""

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        return await continuation(details)


WHOLE = {
    "GET": GET,
    "keep-alive": GET + b"connection: keep-alive\r\n",
    "close": GET + b"connection: close\r\n",
    "a query": b"GET /v1/dishes/7?$prettyPrint=true HTTP/1.1\r\nhost: x\r\n",
    "an escape": b"GET /v1/dishes/a%20b%2Fc HTTP/1.1\r\nhost: x\r\n",
    "HEAD": b"HEAD /v1/dishes/7 HTTP/1.1\r\nhost: x\r\n",
    "binary metadata": GET + b"key-bin: AAEC\r\n",
    "a client's deadline": GET + b"grpc-timeout: 10S\r\n",
    "an offered upgrade": GET + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n",
}


@pytest.mark.parametrize("head", WHOLE.values(), ids=WHOLE)
async def test_requests_without_a_body(serve: Serve, taken: list[str], head: bytes) -> None:
    async with serve() as served:
        assert b"HTTP/1.1 200 " in await ask(served, head + b"\r\n")
    assert taken == ["/kitchen.v1.KitchenService/GetDish"]


BODIES = {
    "sized": ECHO % SIZED,
    "in one chunk": ECHO[:-19].replace(b"%b", b"transfer-encoding: chunked\r\n")
    + b'13\r\n{"stringValue":"a"}\r\n0\r\n\r\n',
    "in chunks": ECHO[:-19].replace(b"%b", b"transfer-encoding: chunked\r\n")
    + b'3\r\n{"s\r\n10\r\ntringValue":"a"}\r\n0\r\n\r\n',
}


@pytest.mark.parametrize("request_", BODIES.values(), ids=BODIES)
async def test_requests_with_a_body(serve: Serve, taken: list[str], request_: bytes) -> None:
    async with serve() as served:
        assert b"HTTP/1.1 200 " in await ask(served, request_)
    assert taken == ["/kitchen.v1.KitchenService/Echo"]


KINDS = {
    "a custom verb": (b"/v1/dishes/7:cook", b"application/json", b'{"portions":1}', "CookDish"),
    "a raw body and answer": (b"/v1/mirror", b"text/plain", b"as it is", "MirrorBody"),
}


@pytest.mark.parametrize(("path", "media", "body", "method"), KINDS.values(), ids=KINDS)
async def test_bindings_of_every_kind(
    serve: Serve, taken: list[str], path: bytes, media: bytes, body: bytes, method: str
) -> None:
    head = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (path, media, len(body))
    async with serve() as served:
        assert b"HTTP/1.1 200 " in await ask(served, head + body)
    assert taken == [f"/kitchen.v1.KitchenService/{method}"]


async def test_calls_with_credentials(serve: Serve, taken: list[str]) -> None:
    key = new_key("one")
    async with serve(auth={"api_keys": {"one": {"hash": hash_key(key)}}}) as served:
        assert (await served.http.get("/v1/dishes/7", headers={"x-api-key": key})).status_code == 200
        assert (await served.http.get("/v1/dishes/7", headers={"x-api-key": "wrong"})).status_code == 401
    assert len(taken) == 2


async def test_what_a_common_client_sends(served: Served, taken: list[str]) -> None:
    for _ in range(3):
        assert (await served.http.get("/v1/dishes/7")).status_code == 200
        assert (await served.http.post("/v1/echo", json={"stringValue": "a"})).json()["stringValue"] == "a"
    assert len(taken) >= 3  # a client may send the body by itself, and then it arrives by itself


OPTIONS: dict[str, dict[str, Any]] = {
    "an interceptor": {"interceptors": [Passing()]},
    "the server's deadline": {"max_deadline_seconds": 10},
    "the access log": {"telemetry": {"access_log": True}},
    "no metrics": {"telemetry": {"metrics": False}},
    "rates": {"limits": {"rules": [{"methods": "/kitchen.v1.KitchenService/*", "rate": "100/second"}]}},
    "a proxy": {"trusted_proxies": ["127.0.0.0/8"]},
    "pages of other origins": {"cors_origins": ["https://app.example"]},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_settings_that_change_nothing_about_it(serve: Serve, taken: list[str], options: dict[str, Any]) -> None:
    async with serve(**options) as served:
        headers = {"x-forwarded-for": "192.0.2.1", "origin": "https://app.example"}
        answer = await served.http.get("/v1/dishes/7", headers=headers)
        assert answer.status_code == 200
        if "cors_origins" in options:
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert "origin" in answer.headers["vary"].lower()
    assert len(taken) == 1


CHUNKED = ECHO[:-19].replace(b"%b", b"transfer-encoding: chunked\r\n")
ASGI = {
    "a stream": b"GET /v1/ticks?count=1 HTTP/1.1\r\nhost: x\r\n\r\n",
    "no route": b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n",
    "another verb": b"DELETE /v1/dishes/7/no HTTP/1.1\r\nhost: x\r\n\r\n",
    "a malformed escape": b"GET /v1/dishes/%ff HTTP/1.1\r\nhost: x\r\n\r\n",
    "HTTP/1.0": b"GET /v1/dishes/7 HTTP/1.0\r\nhost: x\r\n\r\n",
    "a user's route": b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "compressed": (lambda body: ECHO[:-19] % (b"content-encoding: gzip\r\ncontent-length: %d\r\n" % len(body)) + body)(
        gzip.compress(b'{"stringValue":"a"}', mtime=0)
    ),
}


@pytest.mark.parametrize("request_", ASGI.values(), ids=ASGI)
async def test_requests_that_go_through_asgi(serve: Serve, taken: list[str], request_: bytes) -> None:
    async with serve() as served:
        assert (await ask(served, request_)).startswith(b"HTTP/1.1 ")
    assert not taken


async def test_a_body_that_arrives_later_goes_through_asgi(serve: Serve, taken: list[str]) -> None:
    head = ECHO[:-19] % (SIZED + b"expect: 100-continue\r\n")
    async with serve() as served:
        assert b"HTTP/1.1 200 " in await ask(served, head, b'{"stringValue":"a"}')
    assert not taken


class Renaming:
    """A user's middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": "/v1/dishes/8", "raw_path": b"/v1/dishes/8"}
        await self.app(scope, receive, send)


async def _users(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("a user's")(scope, receive, send)


def _add_middleware(gateway: Gateway) -> None:
    gateway.app.add_middleware(Renaming)


def _add_mount(gateway: Gateway) -> None:
    gateway.app.router.routes.append(Mount("/v1", app=_users))


@pytest.mark.parametrize(("add", "answered"), [(_add_middleware, "8"), (_add_mount, "a user's")])
async def test_users_middleware_and_routes_see_every_request(
    add: Callable[[Gateway], None], answered: str, taken: list[str], get: Callable[[Gateway], Awaitable[str]]
) -> None:
    gateway = Gateway(Settings(http_port=0, grpc_port=0, allowed_hosts=("*",)))
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    add(gateway)
    async with gateway:
        assert answered in await get(gateway)
    assert not taken


async def test_a_route_added_while_serving_is_seen(served: Served, taken: list[str]) -> None:
    assert (await served.http.get("/v1/dishes/7")).json()["id"] == "7"
    served.gateway.app.add_route("/v1/dishes/7", lambda _: PlainTextResponse("a user's"))
    assert (await served.http.get("/v1/dishes/7")).text == "a user's"
    assert (await served.http.get("/v1/dishes/8")).json()["id"] == "8"
    assert len(taken) == 2


@pytest.fixture
def get() -> Callable[[Gateway], Awaitable[str]]:
    """Gets one dish from a gateway."""

    async def text(gateway: Gateway) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.http_port)
        writer.write(GET + b"connection: close\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    return text


async def test_pipelined_requests_are_answered_in_order(serve: Serve, taken: list[str]) -> None:
    streamed = b"GET /v1/ticks?count=2 HTTP/1.1\r\nhost: x\r\n\r\n"
    dishes = [b"GET /v1/dishes/%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(40)]
    requests = [*dishes[:20], streamed, ECHO % SIZED, *dishes[20:]]
    async with serve() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(b"".join(requests)[:-2] + b"connection: close\r\n\r\n")
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert re.findall(rb'{"id":"(\d+)"', answer) == [b"%d" % number for number in range(40)]
    assert answer.index(b'"id":"19"') < answer.index(b'"number":"1"') < answer.index(b'"stringValue":"a"')
    assert answer.index(b'"stringValue":"a"') < answer.index(b'"id":"20"')
    assert len(taken) == 41


class Streaming(grpc.aio.ServerInterceptor):
    """Puts a stream of so many dishes in the place of the unary method."""

    def __init__(self, count: int) -> None:
        self._count = count

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)

        async def dishes(request: Any, context: Any) -> Any:
            for _ in range(self._count):
                yield pb.Dish(id="streamed")

        return grpc.unary_stream_rpc_method_handler(dishes, handler.request_deserializer, handler.response_serializer)


@pytest.mark.parametrize(
    ("count", "status", "said"), [(1, 200, "streamed"), (0, 500, "got none"), (2, 500, "a stream")]
)
async def test_a_stream_in_the_place_of_one_response(
    serve: Serve, taken: list[str], count: int, status: int, said: str
) -> None:
    async with serve(interceptors=[Streaming(count)]) as served:
        answer = await served.http.get("/v1/dishes/7")
        assert (answer.status_code, said in answer.text) == (status, True)
    assert len(taken) == 1
