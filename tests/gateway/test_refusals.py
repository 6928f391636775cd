"""What the log and the metrics say of requests that no application sees, and texts that are not Unicode."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from diptych.http_server.refusals import Refusals
from tests.conftest import Serve, Served
from tests.gateway.conftest import logging_to_text

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
