"""What the log and the metrics say of requests that no application sees, and texts that are not Unicode."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import h2.events
import pytest

from diptych.http_server.refusals import Refusals
from tests.conftest import Serve, Served
from tests.gateway.conftest import logging_to_text
from tests.gateway.http2_client import Client, connected

CODING, SOCKET = "an unsupported transfer-encoding", "an invalid WebSocket handshake"
MALFORMED = {
    b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n": (400, "a request that is not HTTP/1.1"),
    b"\x16\x03\x01\x02\x00\x01": (400, "a request that is not HTTP/1.1"),
    b"GET / HTTP/1.1\r\n\r\n": (400, "a request without one valid Host"),
    b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * 70_000 + b"\r\n\r\n": (431, "a head that is too large"),
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n": (501, CODING),
    b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n": (426, SOCKET),
}  # fmt: skip


async def send(served: Served, data: bytes) -> bytes:
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(data)
        answer = await reader.read()
        writer.close()
        return answer


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "diptych.refused"]


@pytest.mark.parametrize("data", MALFORMED, ids=lambda data: str(data[:40]))
async def test_a_malformed_request_is_logged_once_with_its_peer_and_counted(
    serve: Serve, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, reason = MALFORMED[data]
    caplog.set_level(logging.INFO, "diptych.refused")
    async with serve() as served:
        for _ in range(50):
            assert b" %d " % status in (await send(served, data)).partition(b"\r\n")[0]
        [line] = told(caplog)
        assert reason in line
        assert f"(HTTP {status})" in line
        assert "ipv4:127.0.0.1:" in line
        metrics = (await served.http.get("/metrics")).text
        assert f'diptych_http_unmatched_total{{status="{status}"}} 50.0' in metrics
    assert "49 more times" in told(caplog)[1]  # which the stop says at the latest


async def test_a_late_head_and_a_connection_too_many(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(header_seconds=0.2, max_connections=1) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port)
        writer.write(b"GET / HT")
        await asyncio.sleep(0)
        assert b" 503 " in (await send(served, b"")).partition(b"\r\n")[0]
        async with asyncio.timeout(20):
            assert b" 408 " in await reader.readline()
        writer.close()
    assert any("beyond max_connections (HTTP 503)" in line for line in told(caplog))


async def test_a_broken_http2_connection(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "diptych.refused")
    async with serve() as served:
        await send(served, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert any("HTTP/2 connection (PROTOCOL_ERROR)" in line for line in told(caplog))


FIELDS = [(":method", "GET"), (":scheme", "http"), (":path", "/v1/dishes/1"), (":authority", "localhost")]
STREAMS: dict[str, tuple[list[tuple[str, str]], str, int]] = {
    "a malformed head": ([*FIELDS, ("connection", "close")], "an HTTP/2 stream (PROTOCOL_ERROR)", 400),
    "no path": ([one for one in FIELDS if one[0] != ":path"], "an HTTP/2 stream (PROTOCOL_ERROR)", 400),
    "a large head": ([*FIELDS, *[("a", "b" * 35_000)] * 2], "a head that is too large", 431),
}


def over(client: Client, stream: int) -> bool:
    """Whether a stream has ended or is reset."""
    ends = (h2.events.StreamEnded, h2.events.StreamReset)
    return any(isinstance(one, ends) and one.stream_id == stream for one in client.events)


@pytest.mark.parametrize("port", ["http", "grpc"])
@pytest.mark.parametrize("case", STREAMS)
async def test_refused_streams_of_http2_are_logged_and_counted(
    serve: Serve, case: str, port: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields, reason, status = STREAMS[case]
    caplog.set_level(logging.INFO, "diptych.refused")
    async with serve() as served, asyncio.timeout(20):
        chosen = served.gateway.http_port if port == "http" else served.gateway.grpc_port
        async with connected(chosen) as client:
            client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
            for _ in range(5):
                stream = client.h2.get_next_available_stream_id()
                client.h2.send_headers(stream, fields, end_stream=True)
                await client.flush()
                await client.until(partial(over, client, stream))
        [line] = told(caplog)
        assert f"refused {reason} (HTTP {status}) of ipv4:127.0.0.1:" in line
        metrics = (await served.http.get("/metrics")).text
        assert f'diptych_http_unmatched_total{{status="{status}"}} 5.0' in metrics
    assert "4 more times" in told(caplog)[1]


async def test_what_is_no_http2_on_the_grpc_port(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "diptych.refused")
    async with serve(header_seconds=0.2) as served, asyncio.timeout(20):
        for sent, status in ((b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", 505), (b"PRI * HT", 408)):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.grpc_port)
            writer.write(sent)
            await reader.read()
            writer.close()
            assert any(f"(HTTP {status}) of ipv4:127.0.0.1:" in line for line in told(caplog))


RULES = {
    b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n": "RFC 9112 section 3)",
    b"GET / HTTP/2.0\r\nhost: x\r\n\r\n": "RFC 9112 section 3)",
    b"\x16\x03\x01\x02\x00\x01": "RFC 9112 section 3)",
    b"GET http://a@x/ HTTP/1.1\r\nhost: x\r\n\r\n": "RFC 9112 section 3.2)",
    b"GET / HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n": "RFC 9112 section 5)",
    b"GET / HTTP/1.1\r\nhost: x\r\na: b\x00\r\n\r\n": "RFC 9112 section 5)",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1x\r\n\r\n": "RFC 9112 section 6",
    b"POST /v1/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n": "RFC 9112 section 6",
}


@pytest.mark.parametrize("data", RULES, ids=lambda data: str(data[:60]))
async def test_a_malformed_request_is_told_the_rule_that_it_breaks(serve: Serve, data: bytes) -> None:
    async with serve() as served:
        answer = await send(served, data)
        assert answer.startswith(b"HTTP/1.1 400")
        assert RULES[data].encode() in answer


async def test_sums_follow_each_minute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "diptych.refused")
    due: list[Callable[[], None]] = []

    def call_later(_: float, call: Callable[..., None], *arguments: object) -> Any:
        due.append(lambda: call(*arguments))
        return SimpleNamespace(cancel=due.clear)

    monkeypatch.setattr(asyncio, "get_running_loop", lambda: SimpleNamespace(call_later=call_later))
    noted = Refusals()
    for number in range(1000):
        noted.note("rubbish", 400, f"ipv4:10.0.0.1:{number}")
    noted.note("other", 431, "ipv4:10.0.0.2:1")
    assert len(told(caplog)) == 2  # one for each reason
    due.pop(0)()
    assert "999 more times, the last of ipv4:10.0.0.1:999" in told(caplog)[2]
    due.pop()()  # a minute without any: the next is said at once
    noted.note("rubbish", 400, "ipv4:10.0.0.3:1")
    assert "10.0.0.3" in told(caplog)[3]


def test_a_text_that_is_not_unicode_costs_no_line() -> None:
    with logging_to_text() as written:  # in the test, since pytest-xdist cannot report such a text
        log = logging.getLogger("diptych.test")
        log.info("said %s", "a\ud800b", extra={"number": 2**70})
        log.info("next")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["said a\ud800b", "next"]
