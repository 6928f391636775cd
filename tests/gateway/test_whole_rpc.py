"""Which RPC requests are served without ASGI, and that both ways write the same responses."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
from typing import Any, NamedTuple
from urllib.parse import quote

import grpc
import h2.events as ev
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from diptych.framing.envelope import envelope
from diptych.http_server.h1 import whole_request as http1
from diptych.http_server.h2 import whole_request as http2
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import WAYS, Serve, Served, serving
from tests.gateway.http2_client import Client, connected, fields

SERVICE = "/kitchen.v1.KitchenService/"
DISH = pb.GetDishRequest(dish_id="7").SerializeToString()
FAIL = pb.FailRequest(code=5, how="status", message="no söup").SerializeToString()
LARGE = pb.EchoRequest(string_value="large " * 1000).SerializeToString()
INSPECT = pb.InspectRequest(header="a b", trailer="c", http_code=201).SerializeToString()


class Request(NamedTuple):
    """One request for a method of the kitchen."""

    method: str
    kind: str | None
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    verb: str = "POST"

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Its headers."""
        return [*([] if self.kind is None else [("content-type", self.kind)]), *self.headers]


def text(body: bytes) -> bytes:
    return base64.b64encode(envelope(0, body))


GET = f"GetDish?connect=v1&encoding=proto&base64=1&message={base64.urlsafe_b64encode(DISH).decode()}"
GET_JSON = "GetDish?connect=v1&encoding=json&message=" + quote('{"dishId":"7"}')
ZIPPED = gzip.compress(DISH, mtime=0)
WEB, CONNECT = "application/grpc-web+proto", "application/proto"
ACCEPTS_GZIP = (("accept-encoding", "br, gzip"),)

WHOLE = {
    "gRPC-Web": Request("GetDish", WEB, envelope(0, DISH)),
    "gRPC-Web, no suffix": Request("GetDish", "application/grpc-web", envelope(0, DISH)),
    "gRPC-Web, JSON": Request("GetDish", "application/grpc-web+json", envelope(0, b'{"dishId":"7"}')),
    "gRPC-Web, text": Request("GetDish", "application/grpc-web-text", text(DISH)),
    "gRPC-Web, text in two parts": Request(
        "GetDish",
        "application/grpc-web-text",
        base64.b64encode(envelope(0, DISH)[:4]) + base64.b64encode(b"\x03" + DISH),
    ),
    "gRPC-Web, compressed": Request("GetDish", WEB, envelope(1, ZIPPED), (("grpc-encoding", "gzip"),)),
    "gRPC-Web, failing": Request("Fail", WEB, envelope(0, FAIL)),
    "gRPC-Web, no message": Request("GetDish", WEB, b""),
    "gRPC-Web, two messages": Request("GetDish", WEB, envelope(0, DISH) * 2),
    "gRPC-Web, truncated": Request("GetDish", WEB, envelope(0, DISH)[:-1]),
    "gRPC-Web, metadata": Request("Inspect", WEB, envelope(0, INSPECT), (("x-one", "1"), ("x-two-bin", "AAEC"))),
    "gRPC-Web, metadata that are not base64": Request("Inspect", WEB, envelope(0, INSPECT), (("x-two-bin", "?"),)),
    "gRPC-Web, an invalid timeout": Request("GetDish", WEB, envelope(0, DISH), (("grpc-timeout", "soon"),)),
    "Connect": Request("GetDish", CONNECT, DISH),
    "Connect, JSON": Request("GetDish", "application/json", b'{"dishId":"7"}', (("connect-protocol-version", "1"),)),
    "Connect, JSON with a charset": Request("GetDish", "application/json; charset=utf-8", b'{"dishId":"7"}'),
    "Connect, unknown field": Request("GetDish", "application/json", b'{"dishId":"7","colour":1}'),
    "Connect, compressed": Request("GetDish", CONNECT, ZIPPED, (("content-encoding", "gzip"),)),
    "Connect, not gzip": Request("GetDish", CONNECT, DISH, (("content-encoding", "gzip"),)),
    "Connect, unknown coding": Request("GetDish", CONNECT, DISH, (("content-encoding", "compress"),)),
    "Connect, a compressed response": Request("Echo", CONNECT, LARGE, ACCEPTS_GZIP),
    "Connect, a list of codings": Request("Echo", CONNECT, LARGE, (("accept-encoding", "br"), *ACCEPTS_GZIP)),
    "Connect, a large response": Request("Echo", CONNECT, LARGE),
    "Connect, failing": Request("Fail", CONNECT, FAIL),
    "Connect, metadata": Request("Inspect", CONNECT, INSPECT, (("x-one", "1"), ("connect-timeout-ms", "10000"))),
    "Connect, another version": Request("GetDish", CONNECT, DISH, (("connect-protocol-version", "2"),)),
    "Connect, GET": Request(GET, None, b"", verb="GET"),
    "Connect, GET of JSON": Request(GET_JSON, None, b"", verb="GET"),
    "Connect, an invalid GET": Request("GetDish?connect=v1&encoding=proto", None, b"", verb="GET"),
    "a standard service": Request("/grpc.health.v1.Health/Check", "application/json", b"{}"),
}
GRPC = {
    name.replace("gRPC-Web", "gRPC"): request._replace(kind=(request.kind or "").replace("-web", ""))
    for name, request in WHOLE.items()
    if "gRPC-Web" in name and "text" not in name
}
ASGI = {
    "a stream": Request("Tick", WEB, envelope(0, pb.TickRequest(count=1).SerializeToString())),
    "Connect's stream for a unary method": Request("GetDish", "application/connect+proto", envelope(0, DISH)),
    "Connect's unary call of a stream": Request("Tick", CONNECT, pb.TickRequest(count=1).SerializeToString()),
    "an unknown type": Request("GetDish", "text/plain", b""),
    "another verb": Request("GetDish", CONNECT, b"", verb="PUT"),
    "GET of a method with side effects": Request(
        "CreateDish?connect=v1&encoding=json&message={}", None, b"", verb="GET"
    ),
    "an unknown method": Request("NoSuch", WEB, envelope(0, DISH)),
}
GRPC_ASGI = {"gRPC over HTTP/1.1": Request("GetDish", "application/grpc", envelope(0, DISH))}


def target(request: Request) -> str:
    return request.method if request.method.startswith("/") else SERVICE + request.method


async def by_http1(port: int, request: Request) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """The response over HTTP/1.1, which has no trailers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{request.verb} {target(request)} HTTP/1.1", "host: x", "connection: close"]
    lines += [f"{name}: {value}" for name, value in request.fields]
    if request.body:
        lines.append(f"content-length: {len(request.body)}")
    writer.write("\r\n".join([*lines, "", ""]).encode() + request.body)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *given = head.decode("latin-1").split("\r\n")
    return {":status": status.split()[1], **dict(line.split(": ", 1) for line in sorted(given))}, body, {}


async def by_http2(port: int, request: Request) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """The response over HTTP/2, with its trailers."""
    async with connected(port) as client:
        stream = client.request(target(request), request.verb, end=not request.body, headers=request.fields)
        if request.body:
            await client.upload(stream, request.body)
        await client.flush()
        head, body = await client.response(stream)
        return head, body, trailers(client, stream)


def trailers(client: Client, stream: int) -> dict[str, str]:
    found = [one for one in client.events if isinstance(one, ev.TrailersReceived) and one.stream_id == stream]
    return fields(found[0]) if found else {}


HTTP = {"HTTP/1.1": by_http1, "HTTP/2": by_http2}


def without_date(
    answer: tuple[dict[str, str], bytes, dict[str, str]],
) -> tuple[dict[str, str], bytes, dict[str, str]]:
    head, body, trailing = answer
    return {name: value for name, value in head.items() if name != "date"}, body, trailing


@pytest.mark.parametrize("version", HTTP)
async def test_both_ways_write_the_same(taken: list[str], version: str) -> None:
    send = HTTP[version]
    asked = {**WHOLE, **(GRPC if version == "HTTP/2" else {})}
    async with asyncio.timeout(60), serving() as whole, serving(way="asgi") as over_asgi:
        for name, request in asked.items():
            found = without_date(await send(whole.gateway.http_port, request))
            assert len(taken) == 1, name
            taken.clear()
            expected = without_date(await send(over_asgi.gateway.http_port, request))
            assert not taken, name
            if request.method != "Inspect":
                assert found == expected, name
            else:  # its response names the client's port
                assert (found[0].keys(), found[2]) == (expected[0].keys(), expected[2]), name


@pytest.mark.parametrize("version", HTTP)
async def test_requests_that_go_through_asgi(taken: list[str], version: str) -> None:
    asked = {**ASGI, **(GRPC_ASGI if version == "HTTP/1.1" else {})}
    async with asyncio.timeout(60), serving() as served:
        for name, request in asked.items():
            head, _, _ = await HTTP[version](served.gateway.http_port, request)
            assert head[":status"] in ("200", "404", "405", "415", "505"), name
            assert not taken, name


async def test_the_grpc_port(serve: Serve, taken: list[str]) -> None:
    async with asyncio.timeout(60), serve() as served:
        for name, request in GRPC.items():
            head, _, trailing = await by_http2(served.gateway.grpc_port, request)
            assert (head[":status"], "grpc-status" in {**head, **trailing}) == ("200", True), name
            assert len(taken) == 1, name
            taken.clear()
        for other in (WHOLE["gRPC-Web"], WHOLE["Connect"], ASGI["another verb"]):
            assert (await by_http2(served.gateway.grpc_port, other))[0][":status"] in ("405", "415")
        head, _, trailing = await by_http2(
            served.gateway.grpc_port, Request("NoSuch", "application/grpc", envelope(0, b""))
        )
        assert (head["grpc-status"], trailing) == ("12", {})  # Trailers-Only
        assert not taken


async def test_a_message_that_arrives_later_goes_through_asgi(serve: Serve, taken: list[str]) -> None:
    async with asyncio.timeout(60), serve() as served:
        for port in (served.gateway.grpc_port, served.gateway.http_port):
            async with connected(port) as client:
                request = GRPC["gRPC"]
                stream = client.request(target(request), "POST", end=False, headers=request.fields)
                client.h2.send_data(stream, request.body[:3])
                client.h2.ping(b"received")  # once it is answered, the server has read what came before it
                await client.flush()
                await client.event(ev.PingAckReceived)
                await client.upload(stream, request.body[3:])
                _, body = await client.response(stream)
                assert pb.Dish.FromString(body[5:]).id == "7"
                assert trailers(client, stream) == {"grpc-status": "0"}
    assert not taken


async def test_what_grpcio_sends(served: Served, taken: list[str]) -> None:
    for compression in (None, grpc.Compression.Gzip, grpc.Compression.Deflate):
        dish = await served.rpc.GetDish(pb.GetDishRequest(dish_id="7"), compression=compression, timeout=10)
        assert dish.id == "7"
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await served.rpc.Fail(pb.FailRequest(code=5, how="status", message="no söup"))
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.NOT_FOUND, "no söup")
    assert len(taken) >= 3  # a channel that is still connecting may send the message by itself


async def _users(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("a user's")(scope, receive, send)


async def test_a_users_mount_hides_no_method(serve: Serve, taken: list[str]) -> None:
    async with serve() as served:
        served.gateway.app.router.routes.append(Mount("/", app=_users))
        head, _, _ = await by_http1(served.gateway.http_port, WHOLE["Connect"])
        assert (head[":status"], len(taken)) == ("200", 1)


async def test_a_users_route_of_a_methods_path_wins(serve: Serve, taken: list[str]) -> None:
    async with serve() as served:
        served.gateway.app.add_route(f"{SERVICE}GetDish", lambda _: PlainTextResponse("a user's"), methods=["POST"])
        assert (await by_http1(served.gateway.http_port, WHOLE["Connect"]))[1] == b"a user's"
        assert not taken


ORIGINS = {"a page of another origin": "https://app.example", "a stranger's": "https://x.example", "no page": None}
ANSWERS = {
    "an answer": WHOLE["Connect"],
    "an error": WHOLE["Connect, failing"],
    "an answer with a Vary of its own": WHOLE["Connect, a large response"],
}


@pytest.mark.parametrize("asked", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
async def test_pages_of_other_origins(asked: Request, origin: str | None, taken: list[str]) -> None:
    asked = asked._replace(headers=() if origin is None else (("origin", origin),))
    heads: list[Any] = []
    for way in WAYS:
        async with serving(way=way, cors_origins=["https://app.example"]) as served:
            for send in HTTP.values():
                head, _, _ = await send(served.gateway.http_port, asked)
                assert head.get("access-control-allow-origin") == (origin if origin == "https://app.example" else None)
                assert "Origin" in head["vary"], "a cache would answer a page of another origin with this"
                heads.append({name: value for name, value in head.items() if name != "date"})
    assert heads[:2] == heads[2:]
    assert len(taken) == (0 if origin == "https://x.example" else 2), "what is refused goes through ASGI"


def whole_requests() -> list[object]:
    return [one for one in gc.get_objects() if type(one) in (http1.WholeRequest, http2.WholeRequest)]


@pytest.mark.parametrize("version", HTTP)
async def test_whole_calls_need_no_garbage_collector(taken: list[str], version: str) -> None:
    names = ["gRPC-Web", "gRPC-Web, failing", "Connect", "Connect, JSON", "Connect, failing"]
    asked = [WHOLE[name] for name in names] + ([GRPC["gRPC"], GRPC["gRPC, failing"]] if version == "HTTP/2" else [])
    async with asyncio.timeout(60), serving() as served:
        gc.collect()
        gc.disable()
        try:
            earlier = whole_requests()  # of other tests in this process, which may have left a thread or a task
            for request in asked:
                await HTTP[version](served.gateway.http_port, request)
            left = [one for one in whole_requests() if all(one is not other for other in earlier)]
        finally:
            gc.enable()
    assert (len(taken), left) == (len(asked), [])
