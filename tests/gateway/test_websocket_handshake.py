"""The handshake of a WebSocket: allowed origins, paths, metadata; and the stop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from typing import Any
from urllib.parse import quote

import grpc
import pytest
import starlette.testclient
from fastapi import WebSocket
from websockets.exceptions import ConnectionClosed

from diptych import Gateway, Settings
from diptych.faces.websocket.handshake import trusted
from diptych.status import error
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.conftest import Serve, Served
from tests.gateway.test_websocket import JSON, PROTO, SERVICE, opened, refusal, until_closed
from tests.kitchen import Kitchen


class Frank(Kitchen):
    """Streams the metadata that it received, and sends some itself."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> Any:
        metadata = {
            key: value if isinstance(value, str) else value.hex() for key, value in context.invocation_metadata()
        }
        await context.send_initial_metadata((("x-first", "1"), ("x-first", "2"), ("x-first-bin", b"\xff")))
        context.set_trailing_metadata((("x-last", "3"),))
        yield pb.TickResponse(number=1, text=json.dumps([metadata, context.peer()]))
        if request.fail_after:
            await context.abort(grpc.StatusCode.DATA_LOSS, "lost", (("x-last", "4"),))


async def told(served: Served, query: str, *, first: str | None = None, **headers: str) -> dict[str, str]:
    """The metadata a servicer sees."""
    target = f"/v1/ticks?count=1{query}"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with opened(served, target, JSON, additional_headers=sent) as socket:
        if first is not None:
            await socket.send(first)
        frames, code, _ = await until_closed(socket)
        assert code == 1000
        message = next(json.loads(frame) for frame in frames if '"number"' in str(frame))
        metadata: dict[str, str] = json.loads(message["text"])[0]
        return metadata


# Metadata.


async def test_metadata_by_header_query_and_frame(serve: Serve) -> None:
    async with serve(Frank(), metadata_deny=("x-secret",)) as served:
        seen = await told(served, "", authorization="Bearer t", x_secret="s", x_mine="m")
        assert (seen["authorization"], seen["x-mine"]) == ("Bearer t", "m")
        assert not [name for name in seen if name.startswith("sec-") or name in ("x-secret", "host", "upgrade")]
        binary = quote(base64.b64encode(b"\xfb\xff").decode())
        seen = await told(served, f"&$metadata[X-Mine]=a%20b&%24metadata%5Bx-b-bin%5D={binary}&$metadata[x-secret]=s")
        assert (seen["x-mine"], seen["x-b-bin"]) == ("a b", "fbff")
        assert "x-secret" not in seen
        first = {"metadata": {"authorization": "Bearer f", "x-b-bin": "+/8=", "x-secret": "s", "host": "h"}}
        seen = await told(served, "&$metadata=frame", first=json.dumps(first))
        assert (seen["authorization"], seen["x-b-bin"]) == ("Bearer f", "fbff")
        assert not {"x-secret", "host"} & seen.keys()


@pytest.mark.parametrize("protocol", [JSON, PROTO])
async def test_metadata_is_sent_in_frames_on_request(serve: Serve, protocol: str) -> None:
    async with serve(Frank()) as served:
        for failing, middle, last in (("", 1, "3"), ("&failAfter=1", 2, "4")):
            target = f"/v1/ticks?count=1&%24metadata=frame{failing}"
            async with opened(served, target, protocol) as socket:
                await socket.send('{"metadata":{"x-many":["1","2"]}}')
                frames, _, _ = await until_closed(socket)
                assert json.loads(frames[0]) == {"metadata": {"x-first": ["1", "2"], "x-first-bin": "/w"}}
                assert isinstance(frames[1], bytes) == (protocol == PROTO)
                assert json.loads(frames[-1]) == {"trailers": {"x-last": last}}
                assert len(frames) == 2 + middle


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("{}", "first frame"),
        ('{"count":1}', "first frame"),
        ('{"metadata":{"a":1}}', "metadata.a"),
        ('{"metadata":{"a":"ö"}}', "printable ASCII"),
        ('{"metadata":{"a b":"c"}}', "invalid metadata key"),
        ('{"metadata":{"a-bin":"*"}}', "base64"),
        (b"\x08\x01", "first frame"),
    ],
)
async def test_an_invalid_metadata_frame_is_refused(served: Served, frame: str | bytes, words: str) -> None:
    async with opened(served, "/v1/converse?$metadata=frame") as socket:
        await socket.send(frame)
        frames, code, reason = await until_closed(socket)
        assert (code, words in reason) == (4003, True), reason
        assert [list(json.loads(one)) for one in frames] == [["metadata"], ["error"], ["trailers"]]


def pairs(count: int, size: int) -> str:
    """A metadata frame with that many values of that size."""
    return json.dumps({"metadata": {"a": ["v" * size] * count}}, separators=(",", ":"))


@pytest.mark.parametrize(
    ("frame", "closed"),
    [
        (pairs(1, 60_000), 1000),
        (pairs(1900, 1), 1000),
        (pairs(2200, 1), 4008),  # which is a small frame: each value counts 32 bytes more, as in a head of HTTP/2
        (pairs(20_000, 0), 4008),
        (pairs(1, 65_600), 4008),
        (pairs(1, 100_000), 1009),
        (pairs(3_000_000, 2), 1009),
        ("[" * 1_000_000, 1009),
    ],
    ids=["large", "many", "too many", "empty values", "too large", "larger", "the issue's", "nested"],
)
async def test_the_metadata_frame_is_bounded_as_heads_are(serve: Serve, frame: str, closed: int) -> None:
    """Nobody has authenticated yet: 15 MB of it cost a gigabyte, and 13 seconds in which nobody else was served."""
    async with serve(Frank()) as served, opened(served, "/v1/ticks?count=1&$metadata=frame", JSON) as socket:
        with contextlib.suppress(ConnectionClosed):  # the server may close before it has read everything
            await socket.send(frame)
        assert (await until_closed(socket))[1] == closed


async def test_messages_behind_the_metadata_frame_may_be_large(serve: Serve) -> None:
    async with serve(Frank()) as served, opened(served, "/v1/converse?$metadata=frame", JSON) as socket:
        await socket.send(pairs(1, 10))
        await socket.send(json.dumps({"number": 1, "text": "x" * 1_000_000}))
        await socket.send("")
        frames, code, _ = await until_closed(socket)
        assert code == 1000
        assert any(len(frame) > 1_000_000 for frame in frames)


@pytest.mark.parametrize("junk", [b"\xff" * 40, b"\x81\x01a", b"x" * 5000, b"x" * 200_000])
async def test_junk_behind_the_handshake_closes_the_socket(
    served: Served, junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13"
    head = f"GET /v1/converse HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n{key}\r\n\r\n"
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(head.encode() + junk)
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        with contextlib.suppress(ConnectionError):
            assert b"\x88" in await reader.read()  # a close
        writer.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(("path", "status"), [("/nowhere", b"404"), ("/v1/dishes/7", b"400")])
async def test_a_refusal_reaches_a_client_that_has_sent_frames(served: Served, path: str, status: bytes) -> None:
    """The socket was closed with unread data, so that the kernel sent a reset (RFC 9112 section 9.6)."""
    key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13"
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n{key}\r\n\r\n"
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(head.encode() + b"x" * 400_000)
        answer = await reader.read()
        writer.close()
    assert answer.split(b" ")[1] == status


async def test_frames_before_the_handshake_is_accepted_wait(serve: Serve) -> None:
    """They are neither lost nor parsed before an interceptor has let the call through."""
    opening = asyncio.Event()

    class Slow(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            await opening.wait()
            return await continuation(handler_call_details)

    key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13"
    head = f"GET /v1/converse HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n{key}\r\n\r\n"
    text = json.dumps({"text": "x" * 300_000}).encode()
    frame = b"\x81\xff" + len(text).to_bytes(8, "big") + bytes(4) + text
    async with serve(interceptors=[Slow()]) as served, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(head.encode() + frame)
        for _ in range(100):
            await asyncio.sleep(0)
        opening.set()
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        received = b""
        while b"x" * 300_000 not in received:
            received += await reader.read(65536)
        writer.close()


@pytest.mark.parametrize("query", ["$metadata=yes", "$metadata[a]=%C3%B6", "$metadata[a-bin]=*", "x=1&$metadata[]=a"])
async def test_malformed_metadata_in_the_query_is_refused(served: Served, query: str) -> None:
    assert (await refusal(served, f"/v1/converse?{query}"))[0] == 400


# Refusals.


class PasswordInterceptor(grpc.aio.ServerInterceptor):
    """Accepts callers with a password; refuses others in the ways that interceptors do."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        metadata = dict(handler_call_details.invocation_metadata)
        if metadata.get("authorization") == "Bearer sesame":
            return await continuation(handler_call_details)
        if metadata.get("x-how") == "raise":
            raise error(grpc.StatusCode.PERMISSION_DENIED, "not you")

        async def refuse(request: Any, context: Any) -> Any:
            context.set_trailing_metadata((("www-authenticate", "Sesame"),))
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the word?")

        if metadata.get("x-how") == "stream":
            return grpc.stream_stream_rpc_method_handler(refuse)
        return grpc.unary_unary_rpc_method_handler(refuse)


async def test_an_interceptors_refusal_answers_the_handshake(serve: Serve) -> None:
    async with serve(interceptors=[PasswordInterceptor()]) as served:
        for how in ("unary", "stream"):
            status, failed = await refusal(served, "/v1/converse", JSON, additional_headers={"x-how": how})
            assert (status, failed["status"], failed["message"]) == (401, "UNAUTHENTICATED", "the word?")
        status, failed = await refusal(served, "/v1/converse?$metadata[x-how]=raise")
        assert (status, failed["status"]) == (403, "PERMISSION_DENIED")
        async with opened(served, "/v1/converse?$metadata=frame") as socket:
            await socket.send('{"metadata":{}}')
            frames, code, reason = await until_closed(socket)
            assert (code, reason) == (4016, "UNAUTHENTICATED: the word?")
            assert json.loads(frames[-1]) == {"trailers": {"www-authenticate": "Sesame"}}
        async with opened(served, "/v1/converse?$metadata[authorization]=Bearer+sesame") as socket:
            await socket.send("{}")
            assert await socket.recv()


@pytest.mark.parametrize(
    ("target", "protocols", "status", "words"),
    [
        ("/nowhere", [], 404, "no route"),
        ("/v1/dishes/1", [], 400, "not a streaming method"),
        (f"{SERVICE}/GetDish", [], 400, "not a streaming method"),
        (f"{SERVICE}/Nothing", [], 404, "no route"),
        ("/v1/rooms/%FF/converse", [], 400, "UTF-8"),
        ("/v1/converse", ["chat"], 400, "diptych.v1.json"),
        ("/v1/ticks?x-server-timeout", [], 0, ""),
        ("/v1/converse?$metadata[x-server-timeout]=soon", [], 400, "seconds"),
    ],
)
async def test_what_is_refused(served: Served, target: str, protocols: list[str], status: int, words: str) -> None:
    if not status:
        async with opened(served, target) as socket:  # an unknown field is reported where the browser can see it
            frames, code, _ = await until_closed(socket)
            assert (code, json.loads(frames[0])["error"]["status"]) == (4003, "INVALID_ARGUMENT")
        return
    found, failed = await refusal(served, target, *protocols)
    assert (found, failed["code"], words in failed["message"]) == (status, status, True)


HERE = (b"host", b"api.example.com:8080")


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "trust"),
    [
        (None, "h", (), "yes"),  # not a browser
        ("http://h", "h", (), "yes"),
        ("http://h:80", "h", (), "yes"),
        ("https://h", "h:443", (), "yes"),
        ("https://h:8443", "h:8443", (), "yes"),
        ("http://H", "h", (), "yes"),  # RFC 9110 section 4.2.3
        ("http://[::1]:8080", "[::1]:8080", (), "yes"),
        ("http://h:81", "h", (), "no"),
        ("http://h.evil", "h", (), "no"),
        ("http://evil", "h", (), "no"),
        ("null", "h", (), "no"),
        ("null", "", (), "no"),
        ("http://h:x", "h", (), "no"),
        ("https://page", "h", ("https://page",), "yes"),
        ("https://page", "h", ("https://other",), "no"),
        ("https://page", "h", ("*",), "anonymous"),
        ("http://h", "h", ("*",), "yes"),
    ],
)
def test_origins_of_pages_are_checked(origin: str | None, host: str, allowed: tuple[str, ...], trust: str) -> None:
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    assert trusted(headers, allowed) == trust


async def test_pages_of_other_sites_are_refused_or_lose_their_cookies(serve: Serve) -> None:
    headers = {"origin": "https://evil.example", "cookie": "session=1"}
    async with serve() as served:
        status, failed = await refusal(served, "/v1/converse", additional_headers=headers)
        assert (status, failed["status"]) == (403, "PERMISSION_DENIED")
    async with serve(Frank(), cors_origins=("*",)) as served:
        assert "cookie" not in await told(served, "", **headers)
    async with serve(Frank(), cors_origins=("https://evil.example",)) as served:
        assert (await told(served, "", **headers))["cookie"] == "session=1"


# Next to other parts of the application.


async def test_users_websocket_routes_go_first(serve: Serve) -> None:
    async with serve() as served:

        @served.gateway.app.websocket("/v1/converse")
        async def own(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_text("mine")
            await socket.close()

        async with opened(served, "/v1/converse") as socket:
            assert await until_closed(socket) == (["mine"], 1000, "")
        async with opened(served, "/v1/rooms/1/converse") as socket:
            await socket.send("{}")
            assert await socket.recv() == '{"number":"0","text":"1"}'


def test_any_asgi_server_can_serve_them() -> None:
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    with starlette.testclient.TestClient(gateway.app) as client:
        with client.websocket_connect("/v1/converse", subprotocols=[PROTO]) as socket:
            socket.send_bytes(b"\x08\x05")
            assert socket.receive_bytes() == b"\x08\x05"
            socket.send_text("")
            assert socket.receive()["code"] == 1000
        with (
            pytest.raises(starlette.testclient.WebSocketDenialResponse) as denied,
            client.websocket_connect("/nowhere"),
        ):
            pass
        assert denied.value.json()["error"]["status"] == "NOT_FOUND"


async def test_metadata_in_a_query_is_not_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "uvicorn")
    async with serve() as served, opened(served, "/v1/converse?$metadata[authorization]=Bearer+hush"):
        pass
    assert "hush" not in caplog.text


async def test_a_refusal_is_not_logged_as_an_error(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as served:
        await refusal(served, "/nowhere")
    assert caplog.records == []


@pytest.mark.parametrize("size", [100, 8_000, 30_000])
async def test_a_long_handshake_is_answered(serve: Serve, size: int) -> None:
    """One above 8 KiB, which the parser of websockets refuses, got no answer, and its connection stayed."""
    pairs = {f"x-{number}": "v" for number in range(200)}
    async with serve(Frank()) as served, asyncio.timeout(20):
        seen = await told(served, f"&$metadata[x-long]={'a' * size}", **pairs)
        assert (seen["x-long"], seen["x-199"]) == ("a" * size, "v")
        assert (await refusal(served, "/nowhere/" + "a" * size))[0] == 404


async def test_a_refused_handshake_has_one_line(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """websockets logged "connection rejected" for each, besides the access log."""
    caplog.set_level(logging.INFO)
    async with serve(telemetry={"access_log": True}) as served:
        caplog.clear()
        await refusal(served, "/nowhere")
        await refusal(served, "/v1/converse", "unknown")
    assert [record.name for record in caplog.records if "uvicorn" in record.name] == []


async def test_peer_and_method_are_the_calls_own(serve: Serve) -> None:
    async with serve(Frank()) as served, opened(served, "/v1/ticks?count=1") as socket:
        (frame,), _, _ = await until_closed(socket)
        port = socket.local_address[1]
        assert json.loads(json.loads(frame)["text"])[1] == f"ipv4:127.0.0.1:{port}"


# The stop.


async def test_streams_may_finish_within_the_grace(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(30), opened(served, "/v1/ticks?count=2&key=k") as socket:
        await kitchen.waiting["k"].wait()
        assert (await served.http.get("/readyz")).status_code == 200
        stopping = asyncio.ensure_future(served.gateway.stop(1000))
        assert (await served.http.get("/readyz")).status_code == 503  # it has begun to stop
        kitchen.steps["k"].release()
        kitchen.steps["k"].release()
        frames, code, _ = await until_closed(socket)
        assert (len(frames), code) == (2, 1000)
        await stopping


async def test_streams_are_closed_with_a_reason_after_the_grace(serve: Serve) -> None:
    async with (
        serve() as served,
        asyncio.timeout(30),
        opened(served, "/v1/converse?$metadata=frame") as socket,
    ):
        await socket.send('{"metadata":{}}')
        await socket.send("{}")
        assert list(json.loads(await socket.recv())) == ["metadata"]
        await socket.recv()
        stopping = asyncio.ensure_future(served.gateway.stop(0.2))
        frames, code, reason = await until_closed(socket)
        assert [list(json.loads(frame)) for frame in frames] == [["error"], ["trailers"]]
        assert json.loads(frames[0])["error"]["status"] == "UNAVAILABLE"
        assert (code, reason) == (1001, "UNAVAILABLE: the server is stopping")
        await stopping


async def test_a_client_that_does_not_read_does_not_delay_a_stop(serve: Serve) -> None:
    class Endless(Kitchen):
        async def Tick(self, request: pb.TickRequest, context: Any) -> Any:
            try:
                for number in range(10**9):
                    yield pb.TickResponse(number=number, text="x" * 10_000)
                    if number == 20:
                        self.waiting["on"].set()
            finally:
                self.cancelled["on"].set()

    kitchen = Endless()
    async with (
        serve(kitchen) as served,
        opened(served, "/v1/ticks?count=1", close_timeout=0.1, max_queue=1),
        asyncio.timeout(30),
    ):
        await kitchen.waiting["on"].wait()
        await served.gateway.stop(0.2)
        await kitchen.cancelled["on"].wait()
