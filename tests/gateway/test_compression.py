"""Compressed answers of REST and Connect, and Connect's compressed requests, in every coding; trailers of streams."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import grpc
import h2.events
import httpx2
import pytest
from google.api import httpbody_pb2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diptych import Gateway, Settings
from diptych.compression import ANSWERS, CODINGS, Malformed, preferred
from diptych.faces.rest.compressed import is_worth
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served
from tests.gateway.http2_client import connected, fields
from tests.kitchen import Kitchen

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BOTH_WAYS = True

pytestmark = pytest.mark.asyncio(loop_scope="session")

Code = Callable[[bytes], bytes]
DECODE: dict[str, Code] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}
CODED: dict[str, Code] = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstd.compress}
LIST = "/v1/dishes?pageSize=200"


async def raw(
    served: Served, path: str, accept: str | None, verb: str = "GET", **more: Any
) -> tuple[httpx2.Response, bytes]:
    """Returns an answer with the bytes of its body as they were sent."""
    headers = {"accept-encoding": accept or "", **more.pop("headers", {})}
    async with served.http.stream(verb, path, headers=headers, **more) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


# Which coding.


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br", "br"),
        ("deflate", None),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, br;q=0.5, zstd;q=0.1", "gzip"),
        ("gzip;q=0.5, br ; q=0.8", "br"),
        ("br;q=0, zstd;q=0.0, gzip;q=0.001", "gzip"),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *", "br"),
        ("*;q=0, gzip", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0", None),
        ("gzip;q=2", None),
        ("identity, deflate, gzip", "gzip"),
        ("gzip; q=0.000", None),
        ("x-gzip2", None),
        ("gzip;level=9", None),
        (",, gzip ,", "gzip"),
        ("gzip" + " " * 300, "gzip"),
    ],
)
async def test_the_coding_that_the_client_prefers(header: str | None, name: str | None) -> None:
    found = preferred(None if header is None else header.encode(), ANSWERS)
    assert (None if found is None else found.name.decode()) == name


# Unary answers.


@pytest.mark.parametrize("coding", DECODE)
async def test_a_rest_answer_is_compressed_for_clients_that_accept_it(shared: Served, coding: str) -> None:
    plain, body = await raw(shared, LIST, None)
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "accept-encoding"
    answer, packed = await raw(shared, LIST, coding)
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(packed) < len(body) / 5
    assert DECODE[coding](packed) == body
    head, empty = await raw(shared, LIST, coding, "HEAD")
    assert (head.headers["content-length"], empty) == (str(len(packed)), b"")


async def test_small_answers_stay_as_they_are(shared: Served) -> None:
    answer, body = await raw(shared, "/v1/dishes/7", "gzip, br, zstd")
    assert {"content-encoding", "vary"}.isdisjoint(answer.headers)
    assert json.loads(body)["id"] == "7"


@pytest.mark.parametrize(
    ("media", "coded"),
    [
        ("text/csv; charset=utf-8", True),
        ("application/json", True),
        ("image/svg+xml", True),
        ("application/problem+json", True),
        ("image/png", False),
        ("application/zip", False),
        ("application/pdf", False),
        ("application/octet-stream", False),
        ("video/mp4", False),
    ],
)
async def test_types_that_are_compressed_already_are_not_again(shared: Served, media: str, coded: bool) -> None:
    data = b"a,b\n" * 1000
    for path in ("/v1/mirror", "/v1/relay"):  # unary, and a stream
        answer, body = await raw(shared, path, "gzip", "POST", content=data, headers={"content-type": media})
        assert (answer.headers.get("content-encoding") == "gzip") == coded, answer.headers
        assert (answer.headers.get("vary") == "accept-encoding") == coded
        assert (gzip.decompress(body) if coded else body) == data


@pytest.mark.parametrize(
    ("media", "worth"),
    [
        ("application/json-seq", True),
        ("application/vnd.api.json; charset=utf-8", True),
        ("application/xml", True),
        ("application/xml2", False),
        ("application/atom+XML ", True),
        ("model/gltf+json", True),
        ("image/json", False),
        ("application/zip; of=json", False),
        ("json", False),
        ("", False),
    ],
)
async def test_types_that_are_worth_it(media: str, worth: bool) -> None:
    assert is_worth(media.encode()) == worth


class Tagged(Kitchen):
    """Serves a text with an entity tag, and lists with a secret."""

    async def MirrorBody(self, request: Any, context: Any) -> Any:
        await context.send_initial_metadata((("etag", '"v1"'),))
        return httpbody_pb2.HttpBody(content_type="text/plain", data=b"x" * 5000)

    async def StoredBody(self, request: Any, context: Any) -> Any:
        return await self.MirrorBody(request, context)

    async def ListDishes(self, request: Any, context: Any) -> Any:
        context.set_compression(grpc.Compression.NoCompression)
        return await super().ListDishes(request, context)

    async def Tick(self, request: Any, context: Any) -> Any:
        context.set_compression(grpc.Compression.NoCompression)
        yield pb.TickResponse(text="secret " * 1000)


async def test_a_servicer_may_refuse_compression(serve: Serve) -> None:
    async with serve(Tagged()) as served:
        for path in (LIST, "/v1/ticks?count=1"):
            answer, _ = await raw(served, path, "gzip")
            assert {"content-encoding", "vary"}.isdisjoint(answer.headers)


async def test_a_strong_entity_tag_is_weak_for_the_compressed_body(serve: Serve) -> None:
    async with serve(Tagged()) as served:
        answer, _ = await raw(served, "/v1/mirror", "gzip", "POST", content=b"x")
        assert (answer.headers["etag"], answer.headers["content-encoding"]) == ('W/"v1"', "gzip")
        answer, _ = await raw(served, "/v1/mirror", None, "POST", content=b"x")
        assert answer.headers["etag"] == '"v1"'


async def test_the_setting_switches_it_off_or_lowers_the_bound(serve: Serve) -> None:
    async with serve(compress=False) as served:
        for path in (LIST, "/v1/ticks?count=3"):
            answer, _ = await raw(served, path, "gzip")
            assert {"content-encoding", "vary"}.isdisjoint(answer.headers)
        answer = await connect(served, "ListDishes", pb.ListDishesRequest(page_size=200), {"accept-encoding": "gzip"})
        assert "content-encoding" not in answer.headers
    async with serve(compress_min_bytes=1) as served:
        answer, body = await raw(served, "/v1/dishes/7", "gzip")
        assert json.loads(gzip.decompress(body))["id"] == "7"


# Streams.


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/event-stream"])
@pytest.mark.parametrize("coding", DECODE)
async def test_a_stream_is_compressed_whole(shared: Served, accept: str, coding: str) -> None:
    path = "/v1/ticks?count=300"
    plain, body = await raw(shared, path, None, headers={"accept": accept})
    answer, packed = await raw(shared, path, coding, headers={"accept": accept})
    assert "content-encoding" not in plain.headers
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == (coding, "accept-encoding")
    assert DECODE[coding](packed) == body
    assert body.count(b"number") == 300


async def test_a_stream_takes_the_coding_that_needs_less_memory(shared: Served) -> None:
    for accept, coding in {"gzip, deflate, br": "gzip", "gzip;q=0.5, br": "br", "gzip, br, zstd": "zstd"}.items():
        answer, _ = await raw(shared, "/v1/ticks?count=1", accept)
        assert answer.headers["content-encoding"] == coding


@pytest.mark.parametrize("coding", DECODE)
async def test_each_message_of_a_stream_is_readable_at_once(serve: Serve, coding: str) -> None:
    inflater = CODINGS[coding.encode()].inflater()
    async with serve() as served, asyncio.timeout(20):
        headers = {"accept-encoding": coding, "accept": "application/x-ndjson"}
        served.kitchen.steps[coding].release()
        async with served.http.stream("GET", f"/v1/ticks?count=3&key={coding}", headers=headers) as answer:
            pieces = answer.aiter_raw()
            for number in ("1", "2", "3"):
                plain = b""
                while not plain.endswith(b"\n"):
                    inflater.feed(await anext(pieces))
                    while piece := inflater.step(65536):
                        plain += piece
                assert json.loads(plain)["number"] == number
                served.kitchen.steps[coding].release()


async def test_a_stream_that_fails_ends_behind_its_error(shared: Served) -> None:
    headers = {"accept-encoding": "gzip", "accept": "text/event-stream"}
    text = b""
    async with shared.http.stream("GET", "/v1/ticks?count=5&failAfter=2", headers=headers) as answer:
        inflater = zlib.decompressobj(wbits=31)
        async for piece in answer.aiter_raw():
            text += inflater.decompress(piece)
    assert inflater.eof
    assert text.count(b"event: message") == 2
    assert b"event: error" in text
    assert b"event: end" not in text


# Connect.


async def connect(
    served: Served, method: str, request: Any, headers: dict[str, str] | None = None, body: bytes | None = None
) -> httpx2.Response:
    content = request.SerializeToString() if body is None else body
    sent = {"content-type": "application/proto", "accept-encoding": "identity", **(headers or {})}
    path = f"/kitchen.v1.KitchenService/{method}"
    async with served.http.stream("POST", path, content=content, headers=sent) as answer:
        answer._content = b"".join([piece async for piece in answer.aiter_raw()])
        return answer


@pytest.mark.parametrize("coding", DECODE)
async def test_connect_takes_and_gives_every_coding(shared: Served, coding: str) -> None:
    wanted = pb.ListDishesRequest(page_size=200)
    body = CODED[coding](wanted.SerializeToString())
    headers = {"content-encoding": coding, "accept-encoding": coding}
    answer = await connect(shared, "ListDishes", wanted, headers, body)
    assert (answer.status_code, answer.headers["content-encoding"]) == (200, coding)
    assert len(pb.ListDishesResponse.FromString(DECODE[coding](answer.content)).dishes) == 200


@pytest.mark.parametrize("coding", DECODE)
async def test_connects_streams_take_and_give_every_coding(shared: Served, coding: str) -> None:
    text = "many words " * 200
    message = CODED[coding](json.dumps({"text": text}).encode())
    body = b"\x01" + len(message).to_bytes(4, "big") + message
    headers = {
        "content-type": "application/connect+json",
        "connect-content-encoding": coding,
        "connect-accept-encoding": coding,
    }
    answer = await shared.http.post("/kitchen.v1.KitchenService/Converse", content=body, headers=headers)
    assert answer.headers["connect-content-encoding"] == coding
    flags, size = answer.content[0], int.from_bytes(answer.content[1:5], "big")
    assert flags == 1
    assert text in json.loads(DECODE[coding](answer.content[5 : 5 + size]))["text"]


@pytest.mark.parametrize("coding", DECODE)
@pytest.mark.parametrize("broken", ["cut", "noise", "longer"])
async def test_broken_messages_are_refused(shared: Served, coding: str, broken: str) -> None:
    good = CODED[coding](pb.GetDishRequest(dish_id="7" * 100).SerializeToString())
    body = {"cut": good[:-3], "noise": b"\xff" * 40, "longer": good + b"\x00\xff\xff"}[broken]
    answer = await connect(shared, "GetDish", None, {"content-encoding": coding}, body)
    assert answer.status_code == 400, answer.content
    assert coding in json.loads(answer.content)["message"]


@pytest.mark.parametrize("coding", DECODE)
async def test_a_bomb_is_refused_before_it_is_held(serve: Serve, coding: str) -> None:
    bomb = CODED[coding](bytes(50_000_000))
    assert len(bomb) < 100_000
    async with serve(max_body_bytes=100_000) as served:
        answer = await connect(served, "GetDish", None, {"content-encoding": coding}, bomb)
        assert json.loads(answer.content)["code"] == "resource_exhausted"
    inflater = CODINGS[coding.encode()].inflater()
    inflater.feed(bomb)
    held = 0
    while len(piece := inflater.step(1000)):
        assert len(piece) <= 64 * 1024
        held += len(piece)
    inflater.end()
    assert held == 50_000_000


async def test_an_answer_without_a_body_is_not_compressed(serve: Serve) -> None:
    async with serve(compress_min_bytes=0) as served:
        answer, body = await raw(served, "/v1/inspect?httpCode=204&header=text/plain", "gzip")
        assert (answer.status_code, body, answer.headers["x-header"]) == (204, b"", "text/plain")
        assert {"content-encoding", "content-length"}.isdisjoint(answer.headers)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_many_empty_members_cost_little(coding: str) -> None:
    """Each copied everything behind it: 16 MiB of them blocked the event loop for minutes."""
    data = CODED[coding](b"") * 150_000
    inflater = CODINGS[coding.encode()].inflater()
    inflater.feed(data)
    start = time.process_time()
    with contextlib.suppress(Malformed):
        assert inflater.step(1000) == b""
    assert time.process_time() - start < 2


@pytest.mark.parametrize("coding", DECODE)
async def test_a_body_is_read_the_same_however_it_is_cut(coding: str) -> None:
    text = os.urandom(20_000).hex().encode() * 2
    members = [text[at : at + 17_000] for at in range(0, len(text), 17_000)]
    packed = b"".join(map(CODED[coding], members)) if coding != "br" else brotli.compress(text)
    for size in (1, 1000, len(packed)):
        inflater, plain = CODINGS[coding.encode()].inflater(), bytearray()
        for at in range(0, len(packed), size):
            inflater.feed(packed[at : at + size])
            while piece := inflater.step(777):
                plain += piece
        inflater.end()
        assert plain == text


async def test_a_zstd_window_of_more_than_8_mib_is_refused() -> None:
    """RFC 9659: the decoder would have to hold it."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 25}
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(os.urandom(100_000)) + packer.compress(os.urandom(9_000_000)) + packer.flush()
    inflater = CODINGS[b"zstd"].inflater()
    inflater.feed(packed)
    with pytest.raises(Malformed):
        inflater.step(1000)


async def test_an_unknown_coding_is_named_with_the_known_ones(shared: Served) -> None:
    answer = await connect(shared, "GetDish", pb.GetDishRequest(), {"content-encoding": "compress"})
    assert answer.status_code == 501
    assert json.loads(answer.content)["message"] == (
        "unsupported message encoding 'compress'; expected gzip, br, zstd or identity"
    )
    assert answer.headers["accept-encoding"] == "gzip, br, zstd, identity"


# Trailers.


class Trailing(Kitchen):
    """Sets trailing metadata after its messages."""

    async def Tick(self, request: Any, context: Any) -> Any:
        yield pb.TickResponse(number=1)
        context.set_trailing_metadata((("total", "1"), ("sum-bin", b"\x00\xff")))


@pytest.mark.parametrize("te", ["trailers", "Trailers, deflate;q=0.5", ""])
async def test_a_stream_over_http1_has_trailers_if_the_client_takes_them(serve: Serve, te: str) -> None:
    async with serve(Trailing()) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        asked = f"TE: {te}\r\n" if te else ""
        for last in (False, True):  # the connection goes on
            close = "Connection: close\r\n" if last else ""
            writer.write(f"GET /v1/ticks HTTP/1.1\r\nHost: localhost\r\n{asked}{close}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"transfer-encoding: chunked" in head.lower()
            body = await reader.readuntil(b"0\r\n")
            assert b'"number":"1"' in body
            trailers = await reader.readuntil(b"\r\n")
            if te:
                trailers += await reader.readuntil(b"\r\n\r\n")
            assert trailers == (b"grpc-trailer-total: 1\r\ngrpc-trailer-sum-bin: AP8\r\n\r\n" if te else b"\r\n")
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("te", ["trailers", ""])
async def test_a_stream_over_http2_has_trailers_if_the_client_takes_them(serve: Serve, te: str) -> None:
    async with serve(Trailing()) as served, asyncio.timeout(20), connected(served.gateway.http_port) as client:
        stream = client.request("/v1/ticks", headers=[("te", te)] if te else [])
        await client.flush()
        _, body = await client.response(stream)
        assert b'"number":"1"' in body
        if te:
            found = fields(await client.event(h2.events.TrailersReceived, stream))
            assert found == {"grpc-trailer-total": "1", "grpc-trailer-sum-bin": "AP8"}


async def test_middleware_that_drops_trailers_does_not_break_the_response() -> None:
    class Dropping:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def forward(message: Message) -> None:
                if message["type"] != "http.response.trailers":
                    await send(message)

            await self.app(scope, receive, forward)

    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    pb_grpc.add_KitchenServiceServicer_to_server(Trailing(), gateway)
    gateway.app.add_middleware(Dropping)
    async with gateway, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.http_port)
        writer.write(b"GET /v1/ticks HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\n\r\n")
        await reader.readuntil(b"0\r\n")
        assert await reader.readuntil(b"\r\n") == b"\r\n"
        writer.close()
        await gateway.stop(0)
