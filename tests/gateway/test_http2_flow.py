"""HTTP/2 under load and under attack: windows both ways, many streams, and floods that must be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import json
import struct
import weakref
from functools import partial
from typing import Any

import h2.events as ev
import hpack
import pytest

from diptych.http_server import Limits
from diptych.http_server.h2 import Http2Protocol
from diptych.http_server.h2 import Unread as UnreadBytes
from diptych.http_server.h2 import limits as bounds
from tests.gateway.http2_client import (
    WINDOW,
    Client,
    Code,
    Setting,
    answer,
    connected,
    drain,
    fields,
    frame,
    listening,
)
from tests.waiting import until_here

pytestmark = pytest.mark.usefixtures("unhurried")
MIB = 1024 * 1024
STREAM = bounds.STREAM_WINDOW_BYTES
CHUNK = bytes(range(256)) * 64  # 16 KiB


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow client can read the GOAWAY, even if unread data of it has arrived meanwhile."""
    monkeypatch.setattr("diptych.http_server.h2.protocol.LINGER_SECONDS", 60)


async def sized(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size and the sum of the body, or at once."""
    body = await drain(receive)
    await answer(send, f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode() if body else b"ok")


def expected(body: bytes) -> bytes:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


# Outbound.


class Pouring:
    """Sends `total` bytes in chunks, and counts the sent ones."""

    def __init__(self, total: int) -> None:
        self.total, self.handed = total, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/pour":
            await sized(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(self.total // len(CHUNK)):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            self.handed += len(CHUNK)
        await send({"type": "http.response.body", "body": b""})


async def test_a_closed_window_delays_only_its_own_stream() -> None:
    app = Pouring(8 * MIB)
    wide = {Setting.INITIAL_WINDOW_SIZE: 65535}
    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port, wide) as client:
        client.credits = False
        client.h2.increment_flow_control_window(WINDOW)  # the connection's window is open; the stream's is exhausted
        stream = client.request("/pour")
        await client.flush()
        await client.until(lambda: len(client.body(stream)) == 65535)
        for _ in range(50):
            assert (await client.get())[1] == b"ok"
        assert app.handed <= 65535 + bounds.PARKED_BYTES + 2 * len(CHUNK)
        client.credits = True
        client.h2.increment_flow_control_window(WINDOW, stream)
        await client.flush()
        _, body = await client.response(stream)
        assert body == CHUNK * (app.total // len(CHUNK))


async def test_a_client_that_reads_nothing_holds_no_memory() -> None:
    app = Pouring(256 * MIB)
    wide = {Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}
    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port, wide) as client:
        client.h2.increment_flow_control_window(WINDOW)
        client.request("/pour")
        await client.flush()
        async with connected(listener.port) as other:
            for _ in range(300):
                assert (await other.get())[1] == b"ok"
        # The kernels' buffers hold some of it, but far from all.
        assert app.handed < 32 * MIB


async def test_streams_share_the_connections_window() -> None:
    app = Pouring(256 * 1024)
    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port) as client:
        streams = [client.request("/pour") for _ in range(4)]
        await client.flush()
        for stream in streams:
            assert len((await client.response(stream))[1]) == app.total


async def test_a_negative_window_opens_again() -> None:
    app = Pouring(MIB)
    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port) as client:
        client.credits = False
        stream = client.request("/pour")
        await client.flush()
        await client.until(lambda: len(client.body(stream)) == 65535)
        client.h2.update_settings({Setting.INITIAL_WINDOW_SIZE: 0})
        await client.flush()
        client.h2.increment_flow_control_window(WINDOW)
        client.h2.increment_flow_control_window(65535 + 10, stream)
        await client.flush()
        await client.until(lambda: len(client.body(stream)) >= 65535 + 10)
        client.credits = True
        client.h2.increment_flow_control_window(WINDOW // 2, stream)
        await client.flush()
        assert len((await client.response(stream))[1]) == MIB


async def test_one_large_message_is_sent_whole() -> None:
    large = CHUNK * 1024  # 16 MiB in one send

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, large, headers=[(b"content-type", b"application/grpc")], trailers=[(b"grpc-status", b"0")])

    async with asyncio.timeout(60), listening(app) as listener, connected(listener.port) as client:
        assert (await client.get())[1] == large
        await client.event(ev.TrailersReceived)


async def test_a_reset_wakes_a_waiting_writer() -> None:
    ended = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        ended.set()

    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port) as client:
        client.credits = False
        stream = client.request()
        await client.flush()
        await client.until(lambda: len(client.body(stream)) == 65535)
        assert not ended.is_set()
        client.h2.reset_stream(stream)
        await client.flush()
        await ended.wait()


# Inbound.


async def test_a_large_upload_arrives_whole() -> None:
    body = CHUNK * 640  # 10 MiB
    async with asyncio.timeout(60), listening(sized) as listener, connected(listener.port) as client:
        stream = client.request(method="POST", end=False)
        await client.upload(stream, body)
        assert (await client.response(stream))[1] == expected(body)


async def test_many_uploads_at_once_arrive_whole() -> None:
    async def one(port: int, number: int) -> None:
        body = bytes([number]) * (MIB + number)
        async with connected(port) as client:
            stream = client.request(method="POST", end=False)
            await client.upload(stream, body)
            assert (await client.response(stream))[1] == expected(body)

    async with asyncio.timeout(60), listening(sized) as listener, asyncio.TaskGroup() as uploads:
        for number in range(16):
            uploads.create_task(one(listener.port, number))
        async with connected(listener.port) as client:  # and on one connection
            streams = {client.request(method="POST", end=False): bytes([n]) * (MIB // 2) for n in range(16)}
            for stream, body in streams.items():
                await client.upload(stream, body)
            for stream, body in streams.items():
                assert (await client.response(stream))[1] == expected(body)


class Unread:
    """Reads a piece whenever it is released; other paths answer at once."""

    def __init__(self) -> None:
        self.may = asyncio.Semaphore(0)
        self.read = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/slow":
            await sized(scope, receive, send)
            return
        more = True
        while more:
            await self.may.acquire()
            message = await receive()
            self.read += len(message["body"])
            more = message["more_body"]
        await answer(send, b"read")


async def test_windows_are_credited_as_the_application_reads() -> None:
    app = Unread()
    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port) as client:
        stream = client.request("/slow", "POST", end=False)
        await client.flush()
        while (size := min(client.h2.local_flow_control_window(stream), len(CHUNK))) > 0:
            client.h2.send_data(stream, CHUNK[:size])
            await client.flush()
        # The stream's window is exhausted, but the connection still serves others, with and without bodies.
        for _ in range(20):
            assert (await client.get())[1] == b"ok"
        other = client.request("/", "POST", end=False)
        await client.upload(other, CHUNK)
        assert (await client.response(other))[1] == expected(CHUNK)
        assert client.h2.local_flow_control_window(stream) == 0
        app.may.release()
        await client.until(lambda: client.h2.local_flow_control_window(stream) > 0)
        assert app.read == bounds.STREAM_WINDOW_BYTES
        app.may.release()
        app.may.release()
        client.h2.end_stream(stream)
        await client.flush()
        assert (await client.response(stream))[1] == b"read"


async def test_unread_uploads_are_bounded_together() -> None:
    app = Unread()
    most = bounds.CONNECTION_WINDOW_BYTES
    async with asyncio.timeout(60), listening(app) as listener, connected(listener.port) as client:
        sent = 0
        streams = []
        while sent < most:
            stream = client.request("/slow", "POST", end=False)
            streams.append(stream)
            while (size := min(client.h2.local_flow_control_window(stream), len(CHUNK))) > 0:
                client.h2.send_data(stream, CHUNK[:size])
                await client.flush()
                sent += size
        assert sent == most
        for stream in streams:  # data of reset streams does not reduce the others' window
            client.h2.reset_stream(stream)
        stream = client.request(method="POST", end=False)
        await client.flush()
        await client.upload(stream, CHUNK)
        assert (await client.response(stream))[1] == expected(CHUNK)


@pytest.mark.parametrize("whole", [True, False], ids=["connection", "stream"])
async def test_data_above_the_window_is_refused(whole: bool) -> None:
    app = Unread()
    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port) as client:
        streams = [client.request("/slow", "POST", end=False) for _ in range(33 if whole else 1)]
        await client.flush()
        full = frame(0, 0, streams[0], bytes(65536))
        await client.raw(*(full[:5] + struct.pack(">I", one) + full[9:] for one in streams for _ in range(8)))
        if whole:
            assert (await client.event(ev.ConnectionTerminated)).error_code == Code.FLOW_CONTROL_ERROR
        else:
            await client.raw(frame(0, 0, streams[0], b"x"))
            assert (await client.event(ev.StreamReset)).error_code == Code.FLOW_CONTROL_ERROR
            assert (await client.get())[1] == b"ok"


async def test_padding_is_credited_too() -> None:
    async with asyncio.timeout(60), listening(sized) as listener, connected(listener.port) as client:
        stream = client.request(method="POST", end=False)
        for _ in range(4000):  # one byte and 255 of padding per frame: a MiB of window for 4 kB
            await client.until(lambda: client.h2.local_flow_control_window(stream) > 300)
            client.h2.send_data(stream, b"x", pad_length=255)
            await client.flush()
        client.h2.end_stream(stream)
        await client.flush()
        assert (await client.response(stream))[1] == expected(b"x" * 4000)


# Many streams on one connection.


async def test_twenty_thousand_requests_one_after_another() -> None:
    encoder = hpack.Encoder()
    fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "test")]
    async with asyncio.timeout(120), listening(sized) as listener, connected(listener.port) as client:
        for number in range(20_000):
            stream = 2 * number + 1
            client.writer.write(frame(1, 5, stream, encoder.encode(fields)))
            # Parsing with h2 would take most of the time, so the frames of these small responses are read directly.
            assert await body_of(client, stream) == b"ok"


async def body_of(client: Client, stream: int) -> bytes:
    """The body of the next response, read from the wire."""
    body = b""
    while True:
        head = await client.reader.readexactly(9)
        payload = await client.reader.readexactly(int.from_bytes(head[:3], "big"))
        kind, flags, of = head[3], head[4], int.from_bytes(head[5:], "big")
        assert kind in (0, 1, 8), (kind, payload)
        if of == stream and kind == 0:
            body += payload
        if of == stream and flags & 1:
            return body


async def test_a_thousand_requests_at_once() -> None:
    begun = 0
    everybody = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal begun
        begun += 1
        if begun == 1000:
            everybody.set()
        await everybody.wait()
        await answer(send, scope["path"].encode())

    async with asyncio.timeout(60), listening(app) as listener, connected(listener.port) as client:
        await client.until(lambda: client.h2.remote_settings.max_concurrent_streams == 1000)
        streams = {client.request(f"/{number}"): f"/{number}".encode() for number in range(1000)}
        await client.flush()
        for stream, said in streams.items():
            assert (await client.response(stream))[1] == said


async def test_streams_above_the_limit_are_refused_and_can_be_retried() -> None:
    may = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await may.wait()
        await answer(send, b"ok")

    few = Limits(max_streams=2)
    async with asyncio.timeout(20), listening(app, http2=few) as listener, connected(listener.port) as client:
        client.h2.remote_settings[Setting.MAX_CONCURRENT_STREAMS] = 100
        client.h2.remote_settings.acknowledge()
        streams = [client.request() for _ in range(3)]
        await client.flush()
        assert (await client.event(ev.StreamReset)).stream_id == streams[2]
        assert (await client.event(ev.StreamReset)).error_code == Code.REFUSED_STREAM
        may.set()
        for stream in streams[:2]:
            assert (await client.response(stream))[1] == b"ok"
        assert (await client.get())[1] == b"ok"


async def test_requests_that_outlive_their_client_count() -> None:
    may, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.release()
        await may.wait()  # and ignores the disconnect
        await answer(send, b"ok")

    few = Limits(max_streams=2)
    async with asyncio.timeout(20), listening(app, http2=few) as listener, connected(listener.port) as client:
        for _ in range(2):
            stream = client.request()
            await client.flush()
            await begun.acquire()
            client.h2.reset_stream(stream)
        refused = client.request()
        await client.flush()
        assert (await client.event(ev.StreamReset, refused)).error_code == Code.REFUSED_STREAM
        may.set()
        async with connected(listener.port) as other:  # once it is answered, the two have ended
            assert (await other.get())[1] == b"ok"
        assert (await client.get())[1] == b"ok"


async def test_cancelling_many_calls_in_a_row_is_not_a_flood() -> None:
    async with asyncio.timeout(60), listening(sized) as listener, connected(listener.port) as client:
        for _ in range(15):
            for _ in range(100):
                client.h2.reset_stream(client.request(method="POST", end=False))
            assert (await client.get())[1] == b"ok"


# Floods.

PLAIN = b"\x82\x86\x84\x01\x04test"  # a GET that adds nothing to HPACK's table


def rapid_reset(number: int) -> bytes:
    """CVE-2023-44487."""
    return frame(1, 5, 2 * number + 1, PLAIN) + frame(3, 0, 2 * number + 1, struct.pack(">I", 8))


def made_to_reset(number: int) -> bytes:
    """CVE-2025-8671: an invalid increment makes the server reset the stream."""
    return frame(1, 4, 2 * number + 1, PLAIN) + frame(8, 0, 2 * number + 1, bytes(4))


FLOODS = [
    (rapid_reset, 20_000, "rapid reset"),
    (made_to_reset, 20_000, "resets by the server"),
    (lambda _: frame(6, 0, 0, bytes(8)), 20_000, "pings (CVE-2019-9512)"),
    (lambda _: frame(4, 0, 0), 20_000, "settings (CVE-2019-9515)"),
    (lambda _: frame(2, 0, 1, bytes(5)), 20_000, "priorities (CVE-2019-9513)"),
    (lambda _: frame(8, 0, 0, struct.pack(">I", 1)), 20_000, "window updates"),
    (lambda n: frame(0, 0, 1) if n else frame(1, 4, 1, PLAIN), 20_000, "empty DATA (CVE-2019-9518)"),
    (lambda n: frame(9, 0, 1) if n else frame(1, 0, 1, PLAIN), 100, "empty CONTINUATION (CVE-2024-27316)"),
    (lambda n: frame(9, 0, 1, bytes(16384)) if n else frame(1, 0, 1, PLAIN), 100, "large CONTINUATION"),
]


@pytest.mark.parametrize(("flood", "count", "_name"), FLOODS, ids=[row[2] for row in FLOODS])
async def test_floods_end_only_their_own_connection(flood: Any, count: int, _name: str) -> None:
    async with asyncio.timeout(60), listening(sized) as listener, connected(listener.port) as client:
        client.credits = False
        pouring = asyncio.create_task(pour(client, [flood(number) for number in range(count)]))
        async with connected(listener.port) as other:
            assert (await other.get())[1] == b"ok"
            assert await goaway(client) == Code.ENHANCE_YOUR_CALM
            assert (await other.get())[1] == b"ok"
        await pouring


async def pour(client: Client, frames: list[bytes]) -> None:
    try:
        for start in range(0, len(frames), 100):
            client.writer.write(b"".join(frames[start : start + 100]))
            await client.writer.drain()
    except ConnectionError:
        pass  # the server has closed the connection


async def goaway(client: Client) -> int:
    """Returns the code of the next GOAWAY, read from the wire."""
    while True:
        head = await client.reader.readexactly(9)
        payload = await client.reader.readexactly(int.from_bytes(head[:3], "big"))
        if head[3] == 7:
            return int.from_bytes(payload[4:8], "big")


async def test_a_bomb_of_headers_is_answered_431() -> None:
    large = b"\x40\x01x" + b"\x7f\xa1\x1e" + b"v" * 4000  # added to the table once
    async with asyncio.timeout(20), listening(sized) as listener, connected(listener.port) as client:
        for block, status in ((PLAIN + large + b"\xbe" * 60_000, "431"), (PLAIN, "200")):
            stream = client.request()
            client.h2.clear_outbound_data_buffer()  # h2's own frames for it are not sent
            await client.raw(frame(1, 5, stream, block))
            assert (await client.response(stream))[0][":status"] == status


@pytest.mark.parametrize("size", [70 * 1024, 200 * 1024, 1000 * 1024])
@pytest.mark.parametrize("values", [1, 20], ids=["in one field", "in many"])
async def test_a_head_above_the_limit_affects_only_its_own_stream(size: int, values: int) -> None:
    """The HPACK table stays in sync before, within and after it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, await drain(receive), headers=[pair for pair in scope["headers"] if pair[0] == b"x-seen"])

    metadata = [(f"x-{number}", "v" * (size // values)) for number in range(values)]
    async with asyncio.timeout(20), listening(app) as listener, connected(listener.port) as client:
        encode = client.h2.encoder.encode  # whose Huffman coding takes quadratic time
        client.h2.encoder.encode = partial(encode, huffman=False)  # type: ignore[method-assign]
        sibling = client.request(method="POST", end=False, headers=[("x-seen", "before")])
        for kind, status in (("text/plain", "431"), ("application/grpc", "200"), ("application/grpc-web", "431")):
            headers = [*metadata, ("x-seen", kind), ("content-type", kind)]
            stream = client.request(method="POST", headers=headers)
            await client.flush()
            head, body = await client.response(stream)
            assert head[":status"] == status
            trailers = [fields(event) for event in client.events if isinstance(event, ev.TrailersReceived)]
            if kind == "application/grpc":
                assert (body, trailers[-1]["grpc-status"]) == (b"", "8")
                assert "65536 bytes" in trailers[-1]["grpc-message"]
            else:
                error = json.loads(body)["error"]
                assert (error["code"], error["status"]) == (431, "RESOURCE_EXHAUSTED")
                assert "65536 bytes" in error["message"]
            assert (await client.get(headers=[("x-seen", kind)]))[0]["x-seen"] == kind
        await client.upload(sibling, b"still here")
        head, body = await client.response(sibling)
        assert (head["x-seen"], body) == ("before", b"still here")
        assert (await client.get(headers=[("x-seen", "before")]))[0]["x-seen"] == "before"


async def test_trailers_above_the_limit_affect_only_their_own_stream() -> None:
    async with asyncio.timeout(20), listening(sized) as listener, connected(listener.port) as client:
        stream = client.request(method="POST", end=False)
        client.h2.send_headers(stream, [(f"x-{number}", "v" * 1000) for number in range(100)], end_stream=True)
        await client.flush()
        assert (await client.event(ev.StreamReset, stream)).error_code == Code.ENHANCE_YOUR_CALM
        assert (await client.get())[1] == b"ok"


async def test_requests_sent_byte_by_byte_work() -> None:
    async with asyncio.timeout(30), listening(sized) as listener, connected(listener.port) as client:
        client.h2.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x")])
        client.h2.send_data(1, b"hello", end_stream=True)
        for byte in client.h2.data_to_send():
            client.writer.write(bytes([byte]))
            await client.writer.drain()
        assert (await client.response(1))[1] == expected(b"hello")


# Leaks.


async def test_no_stream_state_is_left_behind() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await sized(scope, receive, send)

    before = asyncio.all_tasks()
    async with asyncio.timeout(60), listening(app) as listener:
        standing = asyncio.all_tasks()
        kept: list[weakref.ref[Any]] = []
        for abrupt in (False, True):
            async with connected(listener.port) as client:
                for number in range(20):
                    waiting = client.request("/wait")
                    assert (await client.get())[1] == b"ok"
                    if number % 2:
                        client.h2.reset_stream(waiting)
                for protocol in [one for one in gc.get_objects() if type(one) is Http2Protocol]:
                    if protocol._loop is asyncio.get_running_loop():  # other tests' gateways have theirs
                        kept += map(weakref.ref, protocol._connection.streams.values())
                    del protocol
                assert kept
                if abrupt:
                    client.writer.transport.abort()
        while left := asyncio.all_tasks() - standing:
            await asyncio.wait(left)
        gc.collect()  # of connections: a request leaves no reference cycle
        assert not [one for one in kept if one() is not None]
    while left := asyncio.all_tasks() - before:
        await asyncio.wait(left)


async def test_a_request_needs_no_garbage_collector() -> None:
    made: list[weakref.ref[Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        made.append(weakref.ref(send.__self__))
        await drain(receive)
        await answer(send, b"ok", headers=[(b"content-type", b"application/grpc")], trailers=[(b"grpc-status", b"0")])

    async with asyncio.timeout(30), listening(app) as listener, connected(listener.port) as client:
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await client.get()
            async with connected(listener.port) as other:  # a turn of the loop later
                await other.get()
                assert [one for one in made[:-1] if one() is not None] == []
        finally:
            gc.enable()


async def test_what_all_connections_hold_unread_is_bounded() -> None:
    """Each connection could hold 16 MiB for applications that do not read, and nothing bounded their sum."""
    unread, go = UnreadBytes(3 * STREAM), asyncio.Event()

    async def idle(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/unread":
            await go.wait()
        await sized(scope, receive, send)

    async def full(port: int, stack: contextlib.AsyncExitStack) -> tuple[Client, int]:
        client = await stack.enter_async_context(connected(port))
        stream = client.request("/unread", "POST", end=False)
        await client.until(lambda: client.h2.local_flow_control_window(stream) >= STREAM)
        for _ in range(0, STREAM, 16384):
            client.h2.send_data(stream, bytes(16384))
        await client.flush()
        return client, stream

    async with asyncio.timeout(30), listening(idle, http2=Limits(unread=unread)) as listener:
        async with contextlib.AsyncExitStack() as stack:
            for number in range(1, 4):
                await full(listener.port, stack)
                await until_here(lambda number=number: unread.bytes == number * STREAM)  # type: ignore[misc]
            client, stream = await full(listener.port, stack)
            reset = await client.event(ev.StreamReset, stream)
            assert reset.error_code == Code.ENHANCE_YOUR_CALM
            assert unread.bytes == 3 * STREAM
            assert (await client.get("/"))[1] == b"ok", "what has no body has room"
        await until_here(lambda: not unread.bytes)
        go.set()
        async with connected(listener.port) as client:
            body = bytes(8 * STREAM)
            stream = client.request("/unread", "POST", end=False)
            await client.upload(stream, body)
            assert (await client.response(stream))[1] == expected(body)
        assert not unread.bytes
