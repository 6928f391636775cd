"""Malformed HTTP/2 and the ends of connections, with a client that writes frames itself."""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from collections.abc import Callable
from typing import Any

import h2.events as ev
import pytest

from diptych.http_server import Limits
from tests.gateway.http2_client import Client, Code, answer, connected, frame, listening
from tests.gateway.test_http2 import Waiting, echo

pytestmark = pytest.mark.filterwarnings("error")

# Malformed input: a stream error resets the stream, a connection error ends it with GOAWAY; neither is logged as
# an error of the server.

BAD_REQUESTS = [
    ([(":method", "GET"), (":path", "/")], "no scheme"),
    ([(":method", "GET"), (":scheme", "http")], "no path"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "")], "an empty path"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "x")], "a path that begins with nothing"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/a b")], "a space in a path"),
    ([(":method", "GET"), (":method", "GET"), (":scheme", "http"), (":path", "/")], "two methods"),
    *[
        ([(":method", "GET"), (":scheme", scheme), (":path", "/"), (":authority", "x")], f"the scheme {scheme!r}")
        for scheme in ("", "ht\ntp", "http\x00", "http\x7f", "ht tp", "http://x", "1http", "h\u00fc")
    ],
    *[
        ([(":method", "GET"), (":scheme", "http"), (":path", "/"), (name, host)], f"{name} {host!r}")
        for name in (":authority", "host")
        for host in ("user@x", "u:p@x", "a b", "a/b", "x:port", "a\tb", "a,b", "x?y", "[::1", "h\u00fc")
    ],
    ([(":method", "GET"), (":scheme", "http"), (":path", "http://x/")], "an absolute path"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "*")], "an asterisk without OPTIONS"),
    ([(":method", "G ET"), (":scheme", "http"), (":path", "/")], "a space in a method"),
    ([(":method", "CONNECT"), (":authority", "x")], "a tunnel"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("Upper", "1")], "an upper-case name"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("connection", "close")], "a connection's header"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("te", "gzip")], "a coding of HTTP/1.1"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("x", "a\nb")], "a line break"),
    ([(":method", "GET"), (":scheme", "http"), ("x", "1"), (":path", "/")], "a pseudo-header after a header"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), (":status", "200")], "a response's"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("host", "b")], "two hosts"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("content-length", "x")], "a length that is none"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "/"), ("content-length", "5")], "a body that is missing"),
]


@pytest.mark.parametrize(("headers", "_why"), BAD_REQUESTS, ids=[row[1] for row in BAD_REQUESTS])
async def test_malformed_requests_reset_their_stream(headers: Any, _why: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        client.h2.config.validate_outbound_headers = False
        client.h2.config.normalize_outbound_headers = False
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, headers, end_stream=True)
        await client.flush()
        assert (await client.event(ev.StreamReset, stream)).error_code == Code.PROTOCOL_ERROR
        assert (await client.get())[1] == b"GET /? 0"
    assert not caplog.records


@pytest.mark.parametrize(("promised", "sent"), [(5, b"four"), (5, b"sixsix")])
async def test_a_body_of_another_length_resets_its_stream(promised: int, sent: bytes) -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        stream = client.request(method="POST", end=False, headers=[("content-length", str(promised))])
        await client.raw(frame(0, 1, stream, sent))
        assert (await client.event(ev.StreamReset, stream)).error_code == Code.PROTOCOL_ERROR


BAD_FRAMES = [
    (frame(0, 0, 0, b"x"), Code.PROTOCOL_ERROR, "DATA on the connection"),
    (frame(0, 0, 99, b"x"), Code.PROTOCOL_ERROR, "DATA on a stream that was never begun"),
    (frame(0, 8, 1, b"\xff"), Code.PROTOCOL_ERROR, "more padding than frame"),
    (frame(1, 4, 2, b"\x82"), Code.PROTOCOL_ERROR, "a server's stream"),
    (frame(1, 4, 0, b"\x82"), Code.PROTOCOL_ERROR, "HEADERS on the connection"),
    (frame(1, 0x24, 5, b"\x82"), Code.FRAME_SIZE_ERROR, "a priority cut short"),
    (frame(1, 4, 5, b"\xff\xff\xff\xff\xff\xff\xff"), Code.COMPRESSION_ERROR, "an endless integer"),
    (frame(1, 4, 5, b"\x80"), Code.COMPRESSION_ERROR, "index 0"),
    (frame(1, 4, 5, b"\xfe"), Code.COMPRESSION_ERROR, "an index that is not there"),
    (frame(1, 4, 5, b"\x00\x7f"), Code.COMPRESSION_ERROR, "a string cut short"),
    (frame(1, 4, 5, b"\x3f\xff\x7f"), Code.COMPRESSION_ERROR, "a table above the agreed"),
    (frame(1, 0, 5, b"\x82") + frame(6, 0, 0, bytes(8)), Code.PROTOCOL_ERROR, "a PING within a block"),
    (frame(9, 4, 5, b"\x82"), Code.PROTOCOL_ERROR, "CONTINUATION of nothing"),
    (frame(3, 0, 5, bytes(4)), Code.PROTOCOL_ERROR, "a reset of an idle stream"),
    (frame(3, 0, 1, bytes(3)), Code.FRAME_SIZE_ERROR, "a reset of another size"),
    (frame(4, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR, "settings of another size"),
    (frame(4, 0, 1, b""), Code.PROTOCOL_ERROR, "settings of a stream"),
    (frame(4, 0, 0, struct.pack(">HI", 4, 2**31)), Code.FLOW_CONTROL_ERROR, "a window above all"),
    (frame(4, 0, 0, struct.pack(">HI", 5, 1)), Code.PROTOCOL_ERROR, "a frame size below all"),
    (frame(5, 4, 1, bytes(4)), Code.PROTOCOL_ERROR, "a promise"),
    (frame(6, 0, 0, b"x"), Code.FRAME_SIZE_ERROR, "a PING of another size"),
    (frame(6, 0, 1, bytes(8)), Code.PROTOCOL_ERROR, "a PING of a stream"),
    (frame(8, 0, 0, bytes(4)), Code.PROTOCOL_ERROR, "no increment"),
    (frame(8, 0, 0, struct.pack(">I", 2**31 - 1)), Code.FLOW_CONTROL_ERROR, "a window above 2^31 - 1"),
    (frame(8, 0, 99, struct.pack(">I", 1)), Code.PROTOCOL_ERROR, "an increment for an idle stream"),
    (frame(0, 0, 1, bytes(65537)), Code.FRAME_SIZE_ERROR, "a frame above the largest"),
]


@pytest.mark.parametrize(("sent", "code", "_why"), BAD_FRAMES, ids=[row[2] for row in BAD_FRAMES])
async def test_broken_frames_end_the_connection(
    sent: bytes, code: Code, _why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        await client.get()
        await client.raw(sent)
        assert (await client.event(ev.ConnectionTerminated)).error_code == code
        await client.eof()
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_the_first_frame_is_settings() -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port, greet=False) as client:
        client.h2.initiate_connection()
        client.h2.clear_outbound_data_buffer()
        await client.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(6, 0, 0, bytes(8)))
        assert (await client.event(ev.ConnectionTerminated)).error_code == Code.PROTOCOL_ERROR


async def test_frames_of_unknown_types_are_ignored() -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        await client.raw(frame(0x42, 0xFF, 7, b"what"), frame(2, 0, 9, bytes(5)))
        assert (await client.get())[1] == b"GET /? 0"


async def test_a_ping_is_answered() -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        client.h2.ping(b"12345678")
        await client.flush()
        assert (await client.event(ev.PingAckReceived)).ping_data == b"12345678"


# Ends of connections.


class Held:
    """Answers once it is released."""

    def __init__(self) -> None:
        self.begun, self.may = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.set()
        await self.may.wait()
        await answer(send, b"done")


async def test_a_stop_finishes_running_streams_and_refuses_new_ones() -> None:
    app = Held()
    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        stream = client.request()
        await client.flush()
        await app.begun.wait()
        stopping = asyncio.create_task(listener.stop(15))
        # The first GOAWAY asks for no more streams; once the client has read it, the second names the last one.
        await client.until(lambda: len(goaways(client)) == 2)
        assert [(event.last_stream_id, event.error_code) for event in goaways(client)] == [
            (2**31 - 1, Code.NO_ERROR),
            (stream, Code.NO_ERROR),
        ]
        late = client.request()
        await client.flush()
        assert (await client.event(ev.StreamReset, late)).error_code == Code.REFUSED_STREAM
        app.may.set()
        assert (await client.response(stream))[1] == b"done"
        await client.eof()
        await stopping


def goaways(client: Client) -> list[Any]:
    return [event for event in client.events if isinstance(event, ev.ConnectionTerminated)]


async def test_a_stop_serves_streams_opened_before_the_client_saw_goaway(monkeypatch: pytest.MonkeyPatch) -> None:
    """As gRPC's core writes it: the PING acknowledgement first, then the streams opened before it read GOAWAY."""
    monkeypatch.setattr("diptych.http_server.h2.protocol.DRAIN_SECONDS", 1000)  # its answer is what counts
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        stopping = asyncio.create_task(listener.stop(15))
        said = b""
        while not (ping := re.search(rb"\x00\x00\x08\x06\x00\x00{4}(.{8})", said, re.DOTALL)):
            said += await client.reader.readexactly(1)
        stream = client.request()
        headers = client.h2.data_to_send()
        await client.raw(frame(6, 1, 0, ping[1]), headers)
        assert (await client.response(stream))[1] == b"GET /? 0"
        await client.eof()
        assert goaways(client)[-1].last_stream_id == stream
        await stopping


async def test_a_client_that_ignores_goaway_does_not_delay_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diptych.http_server.h2.protocol.DRAIN_SECONDS", 0.05)
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port):
        await listener.stop(1000)


async def test_an_idle_connection_is_closed_by_a_stop() -> None:
    async with asyncio.timeout(20), listening(echo) as listener, connected(listener.port) as client:
        await client.get()
        stopping = asyncio.create_task(listener.stop(15))
        await client.eof()
        assert goaways(client)[-1].last_stream_id == 1
        await stopping


async def test_after_the_grace_waiting_clients_get_a_reset() -> None:
    app = Waiting()
    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        stream = client.request("/wait")
        await client.flush()
        await app.begun.wait()
        await listener.stop(0)
        assert (await client.event(ev.StreamReset, stream)).error_code == Code.CANCEL
        await client.eof()


async def test_an_idle_connection_is_not_kept_for_ever(later: Callable[[float], None]) -> None:
    limits = Limits(idle_seconds=30)
    async with asyncio.timeout(60), listening(echo, http2=limits) as listener, connected(listener.port) as client:
        assert (await client.get())[1] == b"GET /? 0"
        later(30)
        await client.eof()
        assert goaways(client)[-1].error_code == Code.NO_ERROR


async def test_a_running_request_is_not_idle(later: Callable[[float], None]) -> None:
    app = Held()
    limits = Limits(idle_seconds=30)
    async with asyncio.timeout(60), listening(app, http2=limits) as listener, connected(listener.port) as client:
        stream = client.request()
        await client.flush()
        await app.begun.wait()
        async with connected(listener.port) as other:
            other.h2.ping(b"12345678")
            await other.flush()
            await other.event(ev.PingAckReceived)  # the client has read everything
            later(30)
            await other.eof()
        app.may.set()
        assert (await client.response(stream))[1] == b"done"


async def test_a_dead_peer_is_found_by_ping(later: Callable[[float], None]) -> None:
    app = Waiting()
    limits = Limits(ping_seconds=20, idle_seconds=1000)
    async with (
        asyncio.timeout(120),
        listening(app, http2=limits) as listener,
        connected(listener.port) as client,
        connected(listener.port) as living,
        connected(listener.port) as other,
    ):
        client.request("/wait")
        await client.flush()
        await app.begun.wait()
        pinged = asyncio.create_task(
            living.until(lambda: sum(isinstance(event, ev.PingReceived) for event in living.events) > 2)
        )
        while not pinged.done():
            later(5)
            await other.get()  # once it is answered, due work is done
        await pinged
        await app.gone.wait()  # the client reads nothing, so it answers no PING
        assert (await living.get())[1] == b"GET /? 0"
