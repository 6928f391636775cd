"""Certificates, proxies, credentials and the pool of connections, with a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from artificer import Artificer, AsyncArtificer
from artificer._attempt import Attempt
from artificer._rest.http import timeouts
from artificer.chat.v1 import message_service_pb2 as chat
from artificer.chat.v1 import message_service_pb2_grpc as chat_rpc
from artificer.errors import APIConnectionError, CancelledError, DeadlineExceededError, UnknownError
from diptych import Gateway, Settings
from tests import certificates
from tests.sdk.transports.chat_program import Messages
from tests.sdk.transports.driver import driver
from tests.sdk.transports.killing import Program
from tests.sdk.transports.proxy import Proxy
from tests.sdk.transports.rude_server import head, json, partly, rude_server, stall, whole
from tests.waiting import PATIENCE, until, until_here, wait_for

every_way = pytest.mark.parametrize(
    ("transport", "mode"), [("rest", "sync"), ("rest", "async"), ("grpc", "sync"), ("grpc", "async")]
)
both = pytest.mark.parametrize("mode", ["sync", "async"])


@every_way
async def test_mutual_tls(tmp_path: Path, transport: str, mode: str) -> None:
    """A gateway that requires a client certificate serves those who have one; others learn what to give."""
    authority = certificates.Authority(tmp_path)
    mine = authority.client("me")
    gateway = Gateway(
        Settings(
            http_port=0,
            grpc_port=0,
            **certificates.settings(authority.shown(), tls_client_ca=authority.file, tls_client_auth="required"),
        )
    )
    chat_rpc.add_MessageServiceServicer_to_server(Messages(10), gateway)  # type: ignore[abstract]
    async with gateway:
        options: dict[str, Any] = {
            "transport": transport,
            "base_url": f"https://localhost:{gateway.http_port}",
            "target": f"https://localhost:{gateway.grpc_port}",
            "max_retries": 0,
        }
        known = {"cert": str(mine.certificate_file), "key": str(mine.key_file)}
        found = await asyncio.to_thread(_ids, mode, **options, ca=str(authority.file), **known)
        assert found == [str(number) for number in range(1, 11)]
        wrong: dict[str, str]
        for wrong in ({}, {"ca": str(authority.file)}, known):
            with pytest.raises(APIConnectionError):
                await asyncio.to_thread(_ids, mode, **options, **wrong)


def _ids(mode: str, **options: Any) -> list[str]:
    with driver(mode, **options) as client:
        return [message.id for message in client.collect(lambda one: one.channels.messages.stream("lobby"))]


@every_way
def test_a_proxy(transport: str, mode: str) -> None:
    """Calls, and bidirectional ones, pass through the proxy that the client names."""
    with (
        Program(last=10) as program,
        Proxy() as proxy,
        driver(mode, proxy=proxy.url, **program.options(transport)) as client,
    ):
        assert len(client.collect(lambda one: one.channels.messages.stream("lobby"))) == 10
        said = client.collect(lambda one: one.channels.messages.chat("lobby", [{"content": "a"}]))
        assert said[0].message.id == "a"
    assert proxy.used


@pytest.mark.parametrize("kind", [Artificer, AsyncArtificer])
@pytest.mark.parametrize("secret", [{"api_key": "s3cret"}, {"token": "s3cret"}])
def test_secrets_stay_secret(kind: Any, secret: dict[str, str]) -> None:
    """They are not sent in plain text to other machines, and stand in no error."""
    for options in ({"base_url": "http://gateway.example"}, {"transport": "grpc", "target": "gateway.example:1"}):
        with pytest.raises(ValueError, match="plain text") as raised:
            kind(**options, **secret)
        assert "s3cret" not in str(raised.value)
    with pytest.raises(ValueError, match="exclude each other") as raised:
        kind(api_key="s3cret", token="s3cret2")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "gateway:8080",
        "ftp://gateway",
        "http://",
        "http://me:pw@localhost",
        "http://a..b",
        "http://xn--é.example",
        f"http://{64 * 'a'}.example",
    ],
)
def test_unusable_addresses(address: str) -> None:
    """They are refused at once."""
    with pytest.raises(ValueError, match="base_url"):
        Artificer(base_url=address)


def test_the_environment_gives_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Explicit options win."""
    with rude_server(json(200, b"{}")) as server:
        monkeypatch.setenv("ARTIFICER_BASE_URL", server.url)
        monkeypatch.setenv("ARTIFICER_API_KEY", "from-environment")
        for key, expected in (("", "from-environment"), ("mine", "mine")):
            with Artificer(api_key=key) as client:
                client.call("artificer.batch.v1.BatchService/GetJob", {"job_id": "j"})
            assert server.requests[-1].headers["x-api-key"] == expected
        assert server.requests[-1].headers["user-agent"].startswith("artificer-python/0.")


@pytest.mark.parametrize("kind", [Artificer, AsyncArtificer])
@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "environment's proxy is a SOCKS proxy"),
        ("SSL_CERT_FILE", "/absent.pem", "SSL_CERT_FILE: '/absent.pem'"),
        ("SSL_CERT_FILE", __file__, f"SSL_CERT_FILE: '{__file__}'"),
    ],
)
def test_variables_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, kind: Any, name: str, value: str, text: str
) -> None:
    """The HTTP client reads them; the error names them. An address of this machine needs none of them."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=text):
        kind(base_url="https://gateway.example")
    Artificer(base_url="http://127.0.0.1:1").close()


@every_way
def test_a_host_that_has_no_address(transport: str, mode: str) -> None:
    """The call never reached a server, by its exception too."""
    host = {"rest": "absent.invalid", "grpc": f"{64 * 'a'}.example"}[transport]  # gRPC refuses it without a look-up
    address = {"base_url": f"http://{host}:1", "target": f"{host}:1"}
    with (
        driver(mode, transport=transport, max_retries=0, **address) as client,
        pytest.raises(APIConnectionError, match="cannot be reached") as raised,
    ):
        client.do(lambda one: one.batch.get("j"))
    assert not raised.value.sent


@both
def test_a_redirect_gets_no_key(mode: str) -> None:
    """Of a call both ways too: another host must not learn the key."""
    with rude_server(stall) as other:
        elsewhere = whole(307, location=other.url.replace("http", "ws"))
        with (
            rude_server(elsewhere) as server,
            driver(mode, base_url=server.url, api_key="s3cret") as client,
            pytest.raises(UnknownError, match="the server redirects"),
        ):
            client.collect(lambda one: one.channels.messages.chat("lobby", []))
        assert other.requests == []


@contextlib.contextmanager
def frames_server(frames: list[str | bytes], code: int = 1000) -> Iterator[str]:
    """Runs a WebSocket server that sends frames and closes; yields its URL."""

    def answer(connection: ServerConnection) -> None:
        for frame in frames:
            connection.send(frame)
        connection.close(code)

    with serve(answer, "127.0.0.1", 0, subprotocols=[Subprotocol("diptych.v1.json")]) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@both
@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([b"\0\1"], "binary frame"),
        (['{"metadata": 5}', "{}"], "no metadata"),
        (['{"metadata": ["a"]}', "{}"], "no metadata"),
        (['{"metadata": {'], "not a ChatStreamResponse|no metadata"),
        (['{"metadata": {}}', 100_000 * "["], "not a ChatStreamResponse"),
    ],
)
def test_frames_of_another_form(mode: str, frames: list[str | bytes], text: str) -> None:
    """They are an APIError, as bodies of another form are."""
    with (
        frames_server([one.replace(": ", ":") if isinstance(one, str) else one for one in frames]) as url,
        driver(mode, base_url=url) as client,
        pytest.raises(UnknownError, match=text),
    ):
        client.collect(lambda one: one.channels.messages.chat("lobby", []))


@both
def test_a_server_that_goes_away_amid_a_call(mode: str) -> None:
    """Its responses are not complete."""
    found: list[Any] = []
    with (
        frames_server(['{"metadata":{}}', '{"message":{"id":"1"}}'], code=1001) as url,
        driver(mode, base_url=url) as client,
        pytest.raises(APIConnectionError, match="the server stops"),
    ):
        found.extend(client.each(lambda one: one.channels.messages.chat("lobby", [])))
    assert len(found) == 1


@both
@pytest.mark.parametrize("timeout", [None, 3600])
def test_a_call_both_ways_whose_connection_does_not_open(
    monkeypatch: pytest.MonkeyPatch, mode: str, timeout: float | None
) -> None:
    """Its own time-out ends the wait; the exception does not tell of the call's deadline."""
    monkeypatch.setattr("artificer._rest.http.CONNECT_SECONDS", 0.1)
    with (
        rude_server(stall) as server,
        driver(mode, base_url=server.url, max_retries=0) as client,
        pytest.raises(APIConnectionError, match="cannot be reached") as raised,
    ):
        client.collect(lambda one: one.channels.messages.chat("lobby", [], timeout=timeout))
    assert not raised.value.sent


LIVE = partly(head(200, content_type="application/x-ndjson") + b'{"id": "1"}\n', stall)


def test_an_abandoned_stream_gives_its_connection_back() -> None:
    """Leaving a loop without `with` closes the connection, once the stream is forgotten."""
    with rude_server(LIVE) as server, Artificer(base_url=server.url) as client:
        for message in client.channels.messages.stream("lobby"):
            assert message.id == "1"
            break
        gc.collect()
        wait_for(lambda: server.open == 0)


async def test_an_abandoned_stream_gives_its_connection_back_by_asyncio() -> None:
    """The same for asyncio."""
    with rude_server(LIVE) as server:
        async with AsyncArtificer(base_url=server.url) as client:
            async for message in client.channels.messages.stream("lobby"):
                assert message.id == "1"
                break
            del message
            gc.collect()
            await until(lambda: server.open == 0)


class Endless(chat_rpc.MessageServiceServicer):
    """Streams that count who reads them, without end."""

    def __init__(self) -> None:
        self.readers = 0

    async def StreamMessages(self, request: Any, context: Any) -> AsyncIterator[chat.Message]:
        self.readers += 1
        try:
            yield chat.Message(id="1")
            await asyncio.Event().wait()
        finally:
            self.readers -= 1


@pytest.mark.parametrize("transport", ["rest", "grpc"])
async def test_an_abandoned_stream_ends_its_call(transport: str) -> None:
    """The server does not work on for a stream that the program has forgotten."""
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    servicer = Endless()  # type: ignore[abstract]
    chat_rpc.add_MessageServiceServicer_to_server(servicer, gateway)
    async with gateway:
        address = {"base_url": f"http://127.0.0.1:{gateway.http_port}", "target": f"127.0.0.1:{gateway.grpc_port}"}
        options: dict[str, Any] = {"transport": transport, **address}
        async with AsyncArtificer(**options) as client:
            async for message in client.channels.messages.stream("lobby"):
                assert message.id == "1"
                assert servicer.readers == 1
                break
            await until_here(lambda: gc.collect() >= 0 and servicer.readers == 0)

        def read_and_leave() -> int:
            for message in other.channels.messages.stream("lobby"):
                assert message.id == "1"
                return servicer.readers
            return 0

        with Artificer(**options) as other:
            assert await asyncio.to_thread(read_and_leave) == 1
            await until_here(lambda: gc.collect() >= 0 and servicer.readers == 0)


@both
def test_the_pool_is_limited(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that finds no free connection waits for one until just before its deadline, and the exception says so."""
    assert timeouts(Attempt(timeout=10))["pool"] == 9.5
    monkeypatch.setattr("artificer._rest.http._POOL_SHARE", 0.1 / PATIENCE)
    with rude_server(LIVE) as server, driver(mode, base_url=server.url, max_connections=1) as client:
        stream = client.each(lambda one: one.channels.messages.stream("lobby"))
        next(stream)
        with pytest.raises(DeadlineExceededError, match="max_connections"):
            client.do(lambda one: one.call("artificer.batch.v1.BatchService/GetJob", {"job_id": "j"}, timeout=PATIENCE))
        stream.close()  # type: ignore[attr-defined]


def test_a_span_of_opentelemetry_is_passed_on() -> None:
    """The server's spans belong to the caller's trace."""
    from opentelemetry import trace
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

    span = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1)))
    with rude_server(json(200, b"{}")) as server:
        with Artificer(base_url=server.url) as client, trace.use_span(span):
            client.call("artificer.batch.v1.BatchService/GetJob", {"job_id": "j"})
        assert server.requests[0].headers["traceparent"] == f"00-{0xA1:032x}-{0xB2:016x}-01"


@every_way
def test_closing_ends_the_calls_of_others(transport: str, mode: str) -> None:
    """A thread or a task that waits for a message learns at once that the client was closed."""
    with Program(last=1) as program, driver(mode, **program.options(transport)) as client:
        stream = client.each(lambda one: one.channels.messages.stream("lobby"))
        assert next(stream).id == "1"
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(next, stream, None)
            client.do(lambda one: one.close() if mode == "sync" else one.aclose())
            with pytest.raises(CancelledError):
                waiting.result(PATIENCE)


@both
def test_closing_ends_calls_and_repeats_none(mode: str) -> None:
    """A call that loses its connection because the client was closed is not sent again."""
    with rude_server(stall) as server, driver(mode, base_url=server.url) as client, ThreadPoolExecutor(1) as pool:
        seconds = 10 if mode == "sync" else 2 * PATIENCE  # closing does not wake a thread
        waiting = pool.submit(client.do, lambda one: one.batch.get("j", timeout=seconds))
        wait_for(lambda: len(server.requests) == 1)
        client.do(lambda one: one.close() if mode == "sync" else one.aclose())
        with pytest.raises(CancelledError, match="closed"):
            waiting.result(PATIENCE)
        assert len(server.requests) == 1
