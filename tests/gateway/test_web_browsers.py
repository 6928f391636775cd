"""gRPC-Web and Connect on the wire over HTTP/1.1, and what pages of other origins may do."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import Any

import grpc
import httpx2
import pytest
from fastapi import FastAPI

from diptych import Settings
from diptych.framing.envelope import HEAD, envelope
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.kitchen import Context, Kitchen

BOTH_WAYS = True

SERVICE = "/kitchen.v1.KitchenService/"
DISH = pb.GetDishRequest(dish_id="7").SerializeToString()
WEB, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"


async def post(served: Served, method: str, body: Any, kind: str, **headers: str) -> httpx2.Response:
    """Sends one POST request; header names have underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = method if "/" in method else SERVICE + method
    return await served.http.post(path, content=body, headers={"content-type": kind, **named})


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The envelopes of a body."""
    found = []
    while data:
        flags, length = HEAD.unpack_from(data)
        found.append((flags, data[5 : 5 + length]))
        data = data[5 + length :]
    return found


# gRPC-Web.


async def test_grpc_web_ends_in_a_frame_of_trailers(served: Served) -> None:
    answer = await post(served, "GetDish", envelope(0, DISH), WEB, x_grpc_web="1")
    assert answer.headers["content-type"] == WEB
    (plain, dish), last = frames(answer.content)
    assert (plain, pb.Dish.FromString(dish).id) == (0, "7")
    assert last == (0x80, b"grpc-status: 0\r\n")


async def test_a_grpc_web_error_is_in_the_frame_too(served: Served) -> None:
    request = pb.FailRequest(code=9, how="abort", message="Süp").SerializeToString()
    answer = await post(served, "Fail", envelope(0, request), WEB)
    assert answer.status_code == 200
    ((flags, lines),) = frames(answer.content)
    assert flags == 0x80
    assert lines.split(b"\r\n") == [b"grpc-status: 9", b"grpc-message: S%C3%BCp", b"x-kitchen: closed", b""]


async def test_text_mode_reads_padding_anywhere_and_pads_what_it_flushes(serve: Serve) -> None:
    kitchen = Kitchen()
    async with asyncio.timeout(20), serve(kitchen) as served:
        message = envelope(0, pb.TickRequest(count=2, key="k").SerializeToString())
        body = base64.b64encode(message[:4]) + base64.b64encode(message[4:])
        headers = {"content-type": TEXT}
        kitchen.steps["k"].release()
        async with served.http.stream("POST", SERVICE + "Tick", content=body, headers=headers) as answer:
            assert answer.headers["content-type"] == TEXT
            pieces = answer.aiter_raw()
            for number in (1, 2):
                flushed = frames(base64.b64decode(await anext(pieces), validate=True))
                assert flushed == [(0, pb.TickResponse(number=number, text="tick").SerializeToString())]
                kitchen.steps["k"].release()
            rest = b"".join([piece async for piece in pieces])
            assert frames(base64.b64decode(rest, validate=True)) == [(0x80, b"grpc-status: 0\r\n")]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"!!", 3), (base64.b64encode(envelope(0, DISH))[:-3], 3), (base64.b64encode(envelope(0, DISH)[:-1]), 13)],
    ids=["garbage", "half a quantum", "half a message"],
)
async def test_broken_text_is_refused(served: Served, body: bytes, status: int) -> None:
    answer = await post(served, "GetDish", body, TEXT)
    ((flags, lines),) = frames(base64.b64decode(answer.content))
    assert flags == 0x80
    assert lines.startswith(b"grpc-status: %d\r\n" % status)


async def test_a_client_stream_over_grpc_web(served: Served) -> None:
    async def ticks() -> Any:
        for number in (1, 2, 3):
            data = envelope(0, pb.TickResponse(number=number).SerializeToString())
            yield data[:3]
            yield data[3:]

    answer = await post(served, "Sum", ticks(), WEB)
    assert pb.TickResponse.FromString(frames(answer.content)[0][1]).number == 6


# Connect, unary.


async def test_connect_is_plain_http(served: Served) -> None:
    answer = await post(served, "GetDish", b'{"dishId":"7"}', "application/json", connect_protocol_version="1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["id"] == "7"
    answer = await post(served, "GetDish", DISH, "application/proto")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/proto")
    assert pb.Dish.FromString(answer.content).id == "7"
    answer = await post(served, "/grpc.health.v1.Health/Check", b"{}", "application/json; charset=utf-8")
    assert answer.json() == {"status": "SERVING"}


async def test_connect_s_metadata_is_headers_and_prefixed_headers(served: Served) -> None:
    body = json.dumps({"header": "a b", "trailer": "c"}).encode()
    answer = await post(
        served, "Inspect", body, "application/json", x_mine="1", x_raw_bin="AP8", connect_timeout_ms="9000"
    )
    assert answer.headers["x-header"] == "a%20b"
    assert answer.headers["trailer-x-trailer"] == "c"
    assert answer.headers["trailer-x-trailer-bin"] == "Yw"
    said = answer.json()
    assert said["metadata"].items() >= {"x-mine": "1", "x-raw-bin": "AP8="}.items()
    assert not said["metadata"].keys() & {"content-type", "connect-timeout-ms", "connect-protocol-version"}
    assert 0 < said["secondsLeft"] <= 9


async def test_a_connect_error_is_an_object(served: Served) -> None:
    body = json.dumps({"code": 1, "how": "status", "message": "enough"}).encode()
    answer = await post(served, "Fail", body, "application/json")
    assert answer.status_code == 499
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "code": "canceled",
        "message": "enough",
        "details": [
            {
                "type": "google.rpc.ErrorInfo",
                "value": "CgVCVVJOVBIMa2l0Y2hlbi50ZXN0",
                "debug": {"reason": "BURNT", "domain": "kitchen.test"},
            }
        ],
    }


@pytest.mark.parametrize(
    ("method", "kind", "body", "headers", "status", "code"),
    [
        ("GetDish", "application/json", b"{", {}, 400, "invalid_argument"),
        ("GetDish", "application/json", b"", {}, 400, "invalid_argument"),
        ("GetDish", "application/json", b'{"nope":1}', {}, 400, "invalid_argument"),  # as in the settings: strict
        ("GetDish", "application/proto", b"\xff", {}, 400, "invalid_argument"),
        ("GetDish", "application/proto", bytes(1001), {}, 429, "resource_exhausted"),
        (
            "GetDish",
            "application/proto",
            gzip.compress(bytes(1001), mtime=0),
            {"content_encoding": "gzip"},
            429,
            "resource_exhausted",
        ),
        ("GetDish", "application/proto", b"", {"content_encoding": "compress"}, 501, "unimplemented"),
        ("GetDish", "application/json", b"{}", {"connect_protocol_version": "2"}, 400, "invalid_argument"),
        ("GetDish", "application/json", b"{}", {"connect_timeout_ms": "soon"}, 400, "invalid_argument"),
        ("Nope", "application/json", b"{}", {"connect_protocol_version": "1"}, 404, "unimplemented"),
        ("Nope", "application/proto", b"", {"connect_protocol_version": "1"}, 404, "unimplemented"),
        ("Wait", "application/json", b"{}", {"connect_timeout_ms": "30"}, 504, "deadline_exceeded"),
    ],
)
async def test_connect_refuses_by_its_own_table(
    serve: Serve, method: str, kind: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    async with asyncio.timeout(20), serve(max_body_bytes=1000) as served:
        answer = await post(served, method, body, kind, **headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_large_responses_are_compressed_for_clients_that_accept_it(served: Served) -> None:
    for accepts, coded in (("gzip", "gzip"), ("identity", None)):
        answer = await post(served, "ListDishes", b'{"pageSize":50}', "application/json", accept_encoding=accepts)
        assert answer.headers.get("content-encoding") == coded
        assert answer.headers["vary"] == "accept-encoding"
        assert len(answer.json()["dishes"]) == 50
    answer = await post(served, "GetDish", b'{"dishId":"7"}', "application/json", accept_encoding="gzip")
    assert "content-encoding" not in answer.headers


def in_query(data: bytes, **more: str) -> dict[str, str]:
    """A query whose message is base64."""
    return {"base64": "1", "message": base64.urlsafe_b64encode(data).rstrip(b"=").decode(), **more}


@pytest.mark.parametrize(
    "query",
    [
        {"connect": "v1", "encoding": "json", "message": '{"dishId":"é +"}'},
        {"encoding": "json", **in_query('{"dishId":"é +"}'.encode())},
        {"encoding": "proto", **in_query(pb.GetDishRequest(dish_id="é +").SerializeToString())},
        {"encoding": "json", "compression": "gzip", **in_query(gzip.compress('{"dishId":"é +"}'.encode(), mtime=0))},
    ],
    ids=["json", "base64", "proto", "gzip"],
)
async def test_methods_without_side_effects_can_be_called_by_get(served: Served, query: dict[str, str]) -> None:
    answer = await served.http.get(SERVICE + "GetDish", params=query)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"application/{query['encoding']}"
    proto = query["encoding"] == "proto"
    assert (pb.Dish.FromString(answer.content).id if proto else answer.json()["id"]) == "é +"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"encoding": "json"}, 400, "invalid_argument"),
        ({"message": "{}"}, 400, "invalid_argument"),
        ({"encoding": "json", "message": "{}", "connect": "v2"}, 400, "invalid_argument"),
        ({"encoding": "xml", "message": "{}"}, 415, "invalid_argument"),
        ({"encoding": "proto", "base64": "1", "message": "!"}, 400, "invalid_argument"),
        ({"encoding": "json", "message": "{}", "compression": "compress"}, 501, "unimplemented"),
        ({"encoding": "json", "message": "x" * 1001}, 429, "resource_exhausted"),
        ({"encoding": "json", "message": '{"dishId":"missing"}'}, 404, "not_found"),
    ],
)
async def test_broken_queries_are_refused(serve: Serve, query: dict[str, str], status: int, code: str) -> None:
    async with asyncio.timeout(20), serve(max_body_bytes=1000) as served:
        answer = await served.http.get(SERVICE + "GetDish", params=query)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("verb", "method", "allowed"),
    [("GET", "CreateDish", "POST"), ("DELETE", "CreateDish", "POST"), ("DELETE", "GetDish", "GET, POST")],
)
async def test_other_verbs_get_the_allowed_ones(served: Served, verb: str, method: str, allowed: str) -> None:
    answer = await served.http.request(verb, SERVICE + method, params={"encoding": "json", "message": "{}"})
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("verb", "method", "kind", "status", "field"),
    [
        ("PUT", "GetDish", "application/json", 405, "allow"),
        ("GET", "Tick", "application/connect+json", 405, "allow"),
        ("POST", "GetDish", "text/plain", 415, "accept-post"),
        ("POST", "GetDish", "application/connect+json", 415, "accept-post"),  # a stream's type for a unary method
        ("POST", "Tick", "application/json", 415, "accept-post"),  # and the reverse
        ("POST", "Tick", "application/grpc-web+thrift", 415, "accept-post"),
    ],
)
async def test_a_request_of_no_rpc_protocol_gets_a_plain_answer(
    served: Served, verb: str, method: str, kind: str, status: int, field: str
) -> None:
    answer = await served.http.request(verb, SERVICE + method, content=b"{}", headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert field in answer.headers
    assert answer.text.endswith(answer.headers[field])


# Connect, streams.


async def test_connect_s_streams_end_in_an_envelope(served: Served) -> None:
    kind = "application/connect+json"
    answer = await post(served, "Tick", envelope(0, b'{"count":2}'), kind)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    *ticks, (flags, end) = frames(answer.content)
    assert [json.loads(tick)["number"] for _, tick in ticks] == ["1", "2"]
    assert (flags, json.loads(end)) == (2, {})
    answer = await post(served, "Tick", envelope(0, b'{"count":2,"failAfter":1}'), kind)
    *ticks, (flags, end) = frames(answer.content)
    assert len(ticks) == 1
    assert (flags, json.loads(end)) == (2, {"error": {"code": "data_loss", "message": "the clock fell down"}})


async def test_connect_s_envelopes_are_compressed_both_ways(served: Served) -> None:
    tick = pb.TickResponse(number=7, text="long" * 1000).SerializeToString()
    body = envelope(1, gzip.compress(tick)) + envelope(0, b"")
    coded = {"connect_content_encoding": "gzip", "connect_accept_encoding": "br;q=0, gzip"}
    answer = await post(served, "Converse", body, "application/connect+proto", **coded)
    assert answer.headers["connect-content-encoding"] == "gzip"
    (one, first), (other, second), (last, end) = frames(answer.content)
    assert (one, other, last) == (1, 0, 2)  # small messages are not compressed
    assert (gzip.decompress(first), second, end) == (tick, b"", b"{}")


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, "unimplemented"),
        (envelope(0, b"{}") * 2, {}, "unimplemented"),
        (envelope(0, b"{}")[:-1], {}, "invalid_argument"),
        (envelope(2, b"{}"), {}, "invalid_argument"),  # a client stream has no end envelope
        (envelope(1, b"{}"), {}, "internal"),  # connectrpc.com/docs/protocol: the compressed flag without an encoding
        (HEAD.pack(0, 1001), {}, "resource_exhausted"),
        (envelope(0, b"{}"), {"connect_content_encoding": "compress"}, "unimplemented"),
        (envelope(0, b"{}"), {"connect_protocol_version": "2"}, "invalid_argument"),
        (envelope(0, b'{"key":"k","count":1}'), {"connect_timeout_ms": "30"}, "deadline_exceeded"),
    ],
)
async def test_a_stream_is_refused_in_its_envelope(
    serve: Serve, body: bytes, headers: dict[str, str], code: str
) -> None:
    async with asyncio.timeout(20), serve(max_body_bytes=1000) as served:
        answer = await post(served, "Tick", body, "application/connect+json", **headers)
        assert answer.status_code == 200
        ((flags, end),) = frames(answer.content)
        assert flags == 2
        assert json.loads(end)["error"]["code"] == code


async def test_trailing_metadata_is_in_the_end(serve: Serve) -> None:
    class Trailing(Kitchen):
        async def Tick(self, request: pb.TickRequest, context: Context) -> Any:
            context.set_trailing_metadata((("x-end", "1"), ("x-end", "2"), ("x-raw-bin", b"\0")))
            yield pb.TickResponse()

    async with asyncio.timeout(20), serve(Trailing()) as served:
        answer = await post(served, "Tick", envelope(0, b"{}"), "application/connect+json")
        end = json.loads(frames(answer.content)[-1][1])
        assert end == {"metadata": {"x-end": ["1", "2"], "x-raw-bin": ["AA"]}}


@pytest.mark.parametrize("kind", [WEB, "application/connect+proto"])
async def test_a_client_that_leaves_cancels_the_servicer(serve: Serve, kind: str) -> None:
    kitchen = Kitchen()
    async with asyncio.timeout(20), serve(kitchen) as served:
        await served.http.get("/healthz")
        before = asyncio.all_tasks()
        body = envelope(0, pb.TickRequest(count=2, key="k").SerializeToString())
        head = f"POST {SERVICE}Tick HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(head.encode() + body)
        await kitchen.waiting["k"].wait()
        writer.close()
        await kitchen.cancelled["k"].wait()
        while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
            await asyncio.wait(left)


class Refusing(grpc.aio.ServerInterceptor):
    """Refuses callers without a key."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        if "x-key" in dict(handler_call_details.invocation_metadata):
            return await continuation(handler_call_details)

        async def refuse(_: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no key")

        return grpc.unary_unary_rpc_method_handler(refuse)


async def test_interceptors_refuse_before_the_body_is_read(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(interceptors=[Refusing()]) as served:
        head = "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: 100\r\n\r\n"
        for method, kind, said in (
            ("GetDish", "application/json", b'"unauthenticated"'),
            ("Tick", "application/connect+json", b'"unauthenticated"'),
            ("Sum", WEB, b"grpc-status: 16"),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
            writer.write(head.format(SERVICE + method, kind).encode())
            data = b""
            while said not in data:
                piece = await reader.read(9999)
                assert piece, data
                data += piece
            writer.close()


async def test_json_goes_to_rest_if_it_has_a_route_of_that_shape(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(gateway={"unbound": "auto"}) as served:
        missing = b'{"dishId":"7","no":1}'
        rest = await post(served, "Unbound", missing, "application/json")
        assert rest.json()["error"]["status"] == "INVALID_ARGUMENT"
        connect = await post(served, "Unbound", missing, "application/json", connect_protocol_version="1")
        assert connect.json()["code"] == "invalid_argument"
        web = await post(served, "Unbound", envelope(0, DISH), WEB)
        assert frames(web.content)[-1] == (0x80, b"grpc-status: 0\r\n")


async def test_it_is_served_below_its_mount_path(serve: Serve) -> None:
    async with asyncio.timeout(20), serve() as served:
        outer = FastAPI()
        outer.mount("/api", served.gateway.app)
        transport = httpx2.ASGITransport(app=outer)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await client.post(f"/api{SERVICE}GetDish", json={"dishId": "7"})
            assert answer.json()["id"] == "7"


# Other origins.


async def test_pages_of_named_origins_may_call(serve: Serve) -> None:
    origin = "https://page.example"
    async with asyncio.timeout(20), serve(cors_origins=(origin,), cors_expose_headers=("x-header",)) as served:
        asked = {"origin": origin, "access-control-request-method": "POST"}
        wanted = "content-type,x-grpc-web,connect-protocol-version,x-mine-bin"
        headers = {**asked, "access-control-request-headers": wanted}
        preflight = await served.http.options(SERVICE + "GetDish", headers=headers)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        allowed = {name.strip().lower() for name in preflight.headers["access-control-allow-headers"].split(",")}
        assert allowed >= set(wanted.split(","))
        answer = await post(served, "GetDish", envelope(0, DISH), WEB, origin=origin)
        assert answer.headers["access-control-allow-origin"] == origin
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"grpc-status", "grpc-message", "grpc-status-details-bin", "x-header"} <= set(exposed)
        stranger = await post(served, "GetDish", b"{}", "application/json", origin="https://other.example")
        assert "access-control-allow-origin" not in stranger.headers
        missing = await served.http.get("/v1/nothing-here", headers={"origin": origin})
        assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, origin)


async def test_no_origin_is_allowed_by_default(served: Served) -> None:
    answer = await post(served, "GetDish", b"{}", "application/json", origin="https://page.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_credentials_need_origins_by_name() -> None:
    with pytest.raises(ValueError, match="cors_credentials needs each origin listed in cors_origins"):
        Settings(cors_origins=("*",), cors_credentials=True)
