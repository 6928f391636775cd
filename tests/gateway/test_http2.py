"""HTTP/2 on the wire: requests, trailers, ends of streams and connections, and malformed input."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from typing import Any

import h2.events as ev
import pytest
from starlette.responses import StreamingResponse

from diptych import status
from diptych.exchange import CUT, StreamCut
from tests.gateway.http2_client import Code, answer, connected, drain, fields, frame, listening

pytestmark = pytest.mark.filterwarnings("error")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the request, as text."""
    body = await drain(receive)
    said = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()} {len(body)}".encode()
    seen = [field for field in scope["headers"] if field[0] != b"content-length"]
    await answer(send, said, headers=[(b"X-Seen", b"yes"), (b"connection", b"close"), *seen])


async def test_a_request_and_its_response() -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        cookies = [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers")]
        head, body = await client.get("/a%20b?q=%31", headers=cookies)
        assert body == b"GET /a b?q=%31 0"
        assert head[":status"] == "200"
        assert head["host"] == "localhost"  # from :authority
        assert head["cookie"] == "a=1; b=2"
        assert head["x-seen"] == "yes"
        assert "connection" not in head


async def test_the_scope_describes_the_request() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await answer(send)

    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        await client.get("/x%2Fy")
        scope = seen[0]
        assert (scope["http_version"], scope["scheme"], scope["raw_path"]) == ("2", "http", b"/x%2Fy")
        assert scope["client"][0] == scope["server"][0] == "127.0.0.1"
        assert scope["server"][1] == listener.port
        assert "http.response.trailers" in scope["extensions"]
        assert CUT not in scope  # removed with the request, to break a reference cycle


async def test_curl_speaks_http2_with_prior_knowledge() -> None:
    curl = shutil.which("curl")
    async with asyncio.timeout(30), listening(echo) as listener:
        url = f"http://127.0.0.1:{listener.port}/x"
        if curl is None:  # then use an HTTP/1.1 client
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"GET /x? 0")
            writer.close()
            return
        for version, option in ((b"2", "--http2-prior-knowledge"), (b"1.1", "--http1.1")):
            command = [curl, "-s", option, "-w", " %{http_version}", "-d", "12345", url]
            run = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            said, _ = await run.communicate()
            assert said == b"POST /x? 5 " + version


@pytest.mark.parametrize("cut", [1, 3, 23], ids="after byte {}".format)
async def test_a_preface_may_come_in_pieces(cut: int) -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port, greet=False) as client:
        client.h2.initiate_connection()
        opening = client.h2.data_to_send()
        client.writer.write(opening[:cut])
        await client.writer.drain()
        async with connected(listener.port) as other:  # the first piece has been read once this is answered
            assert (await other.get())[1] == b"GET /? 0"
        client.writer.write(opening[cut:])
        assert (await client.get())[1] == b"GET /? 0"


@pytest.mark.parametrize("request_line", [b"POST /p", b"PUT /p", b"P", b"PRI /p", b"GET /p"])
async def test_requests_that_resemble_the_preface_are_http1(request_line: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, scope["http_version"].encode(), headers=[(b"content-length", b"3")])

    async with asyncio.timeout(20), listening(app) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(request_line)
        rest = b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        writer.write(b"OST /p" + rest if request_line == b"P" else rest)
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 ")
        assert said.endswith(b"1.1") or b" 400 " in said  # PRI is not an HTTP/1.1 method
        writer.close()


# Trailers.

GRPC = (b"content-type", b"application/grpc+proto")
TEXT = (b"content-type", b"text/plain")


@pytest.mark.parametrize(
    ("kind", "te", "sent"),
    [(GRPC, [], True), (TEXT, [("te", "trailers")], True), (TEXT, [], False)],
    ids=["gRPC's are its status", "asked for", "nobody asked"],
)
@pytest.mark.parametrize("body", [b"", b"hello"], ids=["trailers only", "body"])
async def test_trailers(kind: Any, te: Any, sent: bool, body: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, body, headers=[kind], trailers=[(b"Grpc-Status", b"5"), (b"grpc-message", b"no")])

    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        stream = client.request(headers=te)
        await client.flush()
        assert (await client.response(stream))[1] == body
        trailers = [fields(event) for event in client.events if isinstance(event, ev.TrailersReceived)]
        assert trailers == ([{"grpc-status": "5", "grpc-message": "no"}] if sent else [])


async def without_trailers(scope: Any, receive: Any, send: Any) -> None:
    """Is like an application whose middleware drops what it does not know."""
    kind = GRPC if scope["path"] == "/grpc" else TEXT
    await send({"type": "http.response.start", "status": 200, "headers": [kind], "trailers": True})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_a_response_ends_without_trailers_that_middleware_dropped() -> None:
    async with asyncio.timeout(20), listening(without_trailers) as listener:
        async with connected(listener.port) as client:
            assert (await client.get())[1] == b"hello"
            assert not any(isinstance(event, ev.StreamReset) for event in client.events)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n5\r\nhello\r\n0\r\n\r\n")
        writer.close()


async def test_grpcs_status_is_missed(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(20), listening(without_trailers) as listener, connected(listener.port) as client:
        stream = client.request("/grpc")
        await client.flush()
        assert (await client.event(ev.StreamReset, stream)).error_code == Code.INTERNAL_ERROR
    assert "without completing its response" in caplog.text


async def test_trailers_end_a_request() -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        stream = client.request(method="POST", end=False)
        client.h2.send_data(stream, b"abc")
        client.h2.send_headers(stream, [("x-sum", "1")], end_stream=True)
        await client.flush()
        assert (await client.response(stream))[1] == b"POST /? 3"


async def test_a_head_larger_than_a_frame_is_split() -> None:
    large = [(b"x-%d" % number, b"v" * 1000) for number in range(40)]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, headers=large, trailers=[*large, (b"x-last", b"1")])

    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        stream = client.request(headers=[("te", "trailers")])
        await client.flush()
        head, _ = await client.response(stream)
        assert [head[f"x-{number}"] for number in range(40)] == ["v" * 1000] * 40
        assert fields(await client.event(ev.TrailersReceived))["x-last"] == "1"


async def test_a_requests_head_may_be_split_too() -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        head, _ = await client.get(headers=[(f"x-{number}", "v" * 1000) for number in range(40)])
        assert head["x-39"] == "v" * 1000


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_responses_without_a_body(method: str, status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = [(b"content-length", b"5")] if method == "HEAD" else []
        await answer(send, b"hello", status, length)

    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        head, body = await client.get(method=method)
        assert (head[":status"], body) == (str(status), b"")


# Ends of streams.


class Waiting:
    """Waits for the disconnect, and signals it."""

    def __init__(self) -> None:
        self.begun, self.gone = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/wait":
            await echo(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


async def test_a_reset_is_a_disconnect_of_its_stream_only() -> None:
    app = Waiting()
    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        stream = client.request("/wait", "POST", end=False)
        await client.flush()
        await app.begun.wait()
        client.h2.reset_stream(stream, Code.CANCEL)
        await client.flush()
        await app.gone.wait()
        assert (await client.get())[1] == b"GET /? 0"


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_lost_connection_is_a_disconnect(abruptly: bool) -> None:
    app = Waiting()
    async with asyncio.timeout(20), listening(app) as listener:
        async with connected(listener.port) as client:
            client.request("/wait")
            await client.flush()
            await app.begun.wait()
            if abruptly:
                client.writer.transport.abort()
        await app.gone.wait()


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_a_lost_client_ends_a_response_that_awaits_only_the_client(version: str) -> None:
    """Starlette cancels it in another task, which has to get its turn."""
    ended, sent, most = asyncio.Event(), 0, 50_000

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < most:
            yield bytes(10_000)
            sent += 1

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await StreamingResponse(endless())(scope, receive, send)
        finally:
            ended.set()

    async with asyncio.timeout(20), listening(app) as listener:
        if version == "2":
            async with connected(listener.port) as client:
                stream = client.request()
                await client.flush()
                await client.event(ev.DataReceived, stream)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readexactly(1000)
            writer.transport.abort()
        await ended.wait()
    assert sent < most


async def test_an_early_response_resets_the_upload() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"enough", 413)

    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        stream = client.request(method="POST", end=False)
        client.h2.send_data(stream, b"x" * 1000)
        await client.flush()
        head, body = await client.response(stream)
        assert (head[":status"], body) == ("413", b"enough")
        reset = await client.event(ev.StreamReset, stream)
        assert reset.error_code == Code.NO_ERROR
        # Data in transit at the time of the reset does no harm.
        await client.raw(frame(0, 0, stream, b"x" * 100), frame(0, 1, stream, b"x"))
        assert (await client.get())[0][":status"] == "413"


async def cut_short(scope: Any, receive: Any, send: Any) -> None:
    """Fails during its response, in the way that the path names."""
    if scope["path"] == "/fine":
        await answer(send, b"fine")
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"some", "more_body": True})
    if scope["path"] == "/cut":
        scope[CUT]()
        await send({"type": "http.response.body", "body": b"never seen"})
    elif scope["path"] == "/raise":
        raise StreamCut(status.Status(code=status.Code.UNAVAILABLE, message="gone"))
    elif scope["path"] == "/error":
        raise ValueError("of the application")


@pytest.mark.parametrize("path", ["/cut", "/raise", "/error", "/return"])
async def test_a_stream_that_failed_looks_failed(path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(20), listening(cut_short) as listener, connected(listener.port) as client:
        stream = client.request(path)
        await client.flush()
        reset = await client.event(ev.StreamReset, stream)
        assert reset.error_code == Code.INTERNAL_ERROR
        assert client.body(stream) == b"some"
        assert (await client.get("/fine"))[1] == b"fine"
    said = [record.levelno for record in caplog.records]
    assert said == ([] if path in ("/cut", "/raise") else [logging.ERROR])


async def test_an_error_before_the_response_is_500(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/header":
            await answer(send, headers=[(b"x", b"a\r\nb: c")])
        raise ValueError("of the application")

    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        for path in ("/", "/header"):
            head, body = await client.get(path)
            assert (head[":status"], body) == ("500", b"Internal Server Error")
    assert len(caplog.records) == 2
