"""Streaming methods over WebSocket: one frame per message, half-close, and a close with the call's status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.kitchen import Kitchen

JSON, PROTO = "diptych.v1.json", "diptych.v1.proto"
SERVICE = "/kitchen.v1.KitchenService"


def opened(served: Served, target: str, *protocols: str, host: str | None = None, **options: Any) -> connect:
    """A client at a path of the gateway, which it calls `host`."""
    port = served.gateway.http_port
    if host is not None:  # an additional header would be a second one
        options |= {"host": "127.0.0.1", "port": port}
    return connect(
        f"ws://{host or f'127.0.0.1:{port}'}{target}",
        subprotocols=[Subprotocol(name) for name in protocols] or None,
        proxy=None,
        **options,
    )


async def until_closed(socket: ClientConnection) -> tuple[list[str | bytes], int, str]:
    """All frames that come, and the close's code and reason."""
    frames: list[str | bytes] = []

    async def read() -> None:
        while True:
            frames.append(await socket.recv())

    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(read(), 20)
    assert closed.value.rcvd is not None, "no close frame came"
    return frames, closed.value.rcvd.code, closed.value.rcvd.reason


async def refusal(served: Served, target: str, *protocols: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """The HTTP answer to a handshake that fails: its status and its error."""
    with pytest.raises(InvalidStatus) as refused:
        async with opened(served, target, *protocols, **options):
            pass
    response = refused.value.response
    assert response.body is not None
    assert response.headers["content-type"] == "application/json"
    return response.status_code, json.loads(response.body)["error"]


def ticks(*numbers: int) -> list[Message]:
    return [pb.TickResponse(number=number, text="ö") for number in numbers]


# The three kinds of streams, in both encodings, at both paths.


@pytest.mark.parametrize("target", ["/v1/converse", f"{SERVICE}/Converse"])
async def test_a_conversation_in_json(served: Served, target: str) -> None:
    async with opened(served, target, JSON) as socket:
        assert socket.subprotocol == JSON
        for number in (3, 1, 2):
            await socket.send(json.dumps({"number": number, "text": "ö"}))
            assert json.loads(await socket.recv()) == {"number": str(number), "text": "ö"}
        await socket.send("")
        assert await until_closed(socket) == ([], 1000, "")


@pytest.mark.parametrize("target", ["/v1/converse", f"{SERVICE}/Converse"])
async def test_a_conversation_in_protobuf(served: Served, target: str) -> None:
    async with opened(served, target, "other", PROTO, JSON) as socket:
        assert socket.subprotocol == PROTO
        for tick in (*ticks(3, 1), pb.TickResponse()):  # an empty binary frame is an empty message
            await socket.send(tick.SerializeToString())
            assert pb.TickResponse.FromString(await socket.recv(decode=False)) == tick
        await socket.send("")
        assert await until_closed(socket) == ([], 1000, "")


async def test_no_subprotocol_means_json(served: Served) -> None:
    async with opened(served, "/v1/converse") as socket:
        assert socket.subprotocol is None
        await socket.send('{"number":1}')
        assert json.loads(await socket.recv()) == {"number": "1", "text": ""}


@pytest.mark.parametrize("target", ["/v1/sum", f"{SERVICE}/Sum"])
async def test_a_client_stream_has_one_response(served: Served, target: str) -> None:
    async with opened(served, target, PROTO) as socket:
        for tick in ticks(1, 2, 3):
            await socket.send(tick.SerializeToString())
        await socket.send("")
        frames, code, _ = await until_closed(socket)
        assert ([pb.TickResponse.FromString(frame).number for frame in frames], code) == ([6], 1000)  # type: ignore[arg-type]


# Up to 125 bytes, up to 65,535 and above, the head of a frame differs. Around its text a message has 24 bytes in JSON,
# and two or four in protobuf.
LENGTHS = [0, 101, 102, 123, 124, 65_511, 65_512, 65_531, 65_532, 200_000]


class Sized(Kitchen):
    """Sends texts of these lengths at once."""

    async def Tick(self, request: pb.TickRequest, context: Any) -> AsyncIterator[pb.TickResponse]:
        for length in LENGTHS:
            yield pb.TickResponse(text="x" * length)


class Watching:
    """Middleware that sees what is sent."""

    def __init__(self, app: Any, seen: list[str]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def watched(message: Any) -> None:
            self.seen.append(message["type"])
            await send(message)

        await self.app(scope, receive, watched)


def _tick(frame: str | bytes) -> pb.TickResponse:
    return (
        pb.TickResponse(text=json.loads(frame)["text"]) if isinstance(frame, str) else pb.TickResponse.FromString(frame)
    )


@pytest.mark.parametrize("protocol", [JSON, PROTO])
@pytest.mark.parametrize("watched", [False, True])
async def test_messages_of_every_size_are_frames_of_their_own(serve: Serve, protocol: str, watched: bool) -> None:
    seen: list[str] = []
    async with serve(Sized()) as served:
        if watched:
            served.gateway.app.add_middleware(Watching, seen=seen)
        async with opened(served, "/v1/ticks", protocol) as socket:
            frames, code, _ = await until_closed(socket)
    lengths = [len(_tick(frame).text) for frame in frames]
    assert (lengths, code) == (LENGTHS, 1000)
    assert {type(frame) for frame in frames} == {str if protocol == JSON else bytes}
    assert seen.count("websocket.send") == (len(LENGTHS) if watched else 0)


async def test_a_server_stream_without_a_body_begins_at_once(served: Served) -> None:
    async with opened(served, "/v1/ticks?count=3", JSON) as socket:
        frames, code, _ = await until_closed(socket)
        assert [json.loads(frame)["number"] for frame in frames] == ["1", "2", "3"]
        assert code == 1000


@pytest.mark.parametrize("half_close", [True, False])
async def test_a_server_stream_with_a_body_reads_one_frame(served: Served, half_close: bool) -> None:
    async with opened(served, f"{SERVICE}/Tick", JSON) as socket:
        await socket.send('{"count":2}')
        if half_close:
            await socket.send("")
        frames, code, _ = await until_closed(socket)
        assert ([json.loads(frame)["number"] for frame in frames], code) == (["1", "2"], 1000)


async def test_bodies_are_json_messages_too(served: Served) -> None:
    async with opened(served, "/v1/relay", JSON) as socket:
        await socket.send('{"contentType":"text/css","data":"AP8="}')
        assert json.loads(await socket.recv()) == {"contentType": "text/css", "data": "AP8=", "extensions": []}


@pytest.mark.parametrize("protocol", [JSON, PROTO])
async def test_the_path_is_in_every_message(served: Served, protocol: str) -> None:
    def frame(**fields: Any) -> str | bytes:
        return json.dumps(fields) if protocol == JSON else pb.TickResponse(**fields).SerializeToString()

    async with opened(served, "/v1/rooms/b%C3%A4r/converse", protocol) as socket:
        for fields in ({"number": 1}, {"number": 2, "text": "bär"}):
            await socket.send(frame(**fields))
            said = await socket.recv()
            text = json.loads(said)["text"] if isinstance(said, str) else pb.TickResponse.FromString(said).text
            assert text == "bär"
        await socket.send(frame(text="lamb"))
        frames, code, reason = await until_closed(socket)
        assert (code, reason) == (
            4003,
            "INVALID_ARGUMENT: text: the value in the body differs from the value in the path",
        )
        assert json.loads(frames[0])["error"]["status"] == "INVALID_ARGUMENT"


# How calls end.


async def test_a_failed_call_sends_its_error_in_a_frame_and_the_close(served: Served) -> None:
    async with opened(served, "/v1/ticks?count=9&failAfter=2", PROTO) as socket:
        frames, code, reason = await until_closed(socket)
        assert len(frames) == 3
        assert json.loads(frames[-1])["error"]["status"] == "DATA_LOSS"
        assert (code, reason) == (4015, "DATA_LOSS: the clock fell down")


class Wordy(Kitchen):
    async def Converse(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.TickResponse]:
        async for _ in request_iterator:
            await context.abort(grpc.StatusCode.ABORTED, "ä" * 200)
            yield pb.TickResponse()


async def test_the_close_reason_is_cut_between_characters(serve: Serve) -> None:
    async with serve(Wordy()) as served, opened(served, "/v1/converse") as socket:
        await socket.send("{}")
        frames, code, reason = await until_closed(socket)
        assert json.loads(frames[0])["error"]["message"] == "ä" * 200
        assert (code, reason) == (4010, "ABORTED: " + "ä" * 57)


@pytest.mark.parametrize(
    ("target", "protocol", "frames", "code", "words"),
    [
        ("/v1/converse", JSON, ["{"], 4003, "not valid JSON"),
        ("/v1/converse", JSON, ['{"nomber":1}'], 4003, "nomber"),
        ("/v1/converse", PROTO, [b"\xff\xff"], 4003, "kitchen.v1.TickResponse"),
        ("/v1/converse", JSON, ["", "{}"], 4003, "after the empty frame"),
        ("/v1/ticks?count=1&key=k", JSON, ["{}"], 4003, "no message"),
        (f"{SERVICE}/Tick", JSON, [""], 4003, "one message"),
        ("/v1/converse", JSON, [b"\x08\x01"], 1003, "text frames"),
        ("/v1/converse", PROTO, ["{}"], 1003, "binary frames"),
        ("/v1/converse", JSON, [json.dumps({"text": "x" * 300})], 1009, "larger than 200 bytes"),
        ("/v1/converse", PROTO, [b"\0" * 201], 1009, "larger than 200 bytes"),
        ("/v1/converse", PROTO, [b"\0" * 3000], 1009, ""),
    ],
)
async def test_invalid_frames_are_refused(
    serve: Serve, target: str, protocol: str, frames: list[str | bytes], code: int, words: str
) -> None:
    limits = {"max_body_bytes": 1000, "method_max_body_bytes": {f"{SERVICE}/Converse": 200}}
    async with serve(**limits) as served, opened(served, target, protocol) as socket:
        for frame in frames:
            await socket.send(frame)
        said, closed, reason = await until_closed(socket)
        assert closed == code
        assert words in reason
        assert [bool("error" in json.loads(frame)) for frame in said] == ([True] if code >= 4000 else [])
        assert (await served.http.get("/v1/dishes/1")).status_code == 200


async def test_text_that_is_not_utf8_is_closed_with_1007(served: Served) -> None:
    async with opened(served, "/v1/converse") as socket:
        await socket.send(b"\xff", text=True)
        assert (await until_closed(socket))[1] == 1007


async def test_a_client_that_leaves_cancels_the_servicer(serve: Serve) -> None:
    kitchen = Kitchen()
    async with serve(kitchen) as served, asyncio.timeout(20):
        async with opened(served, "/v1/ticks?count=9&key=k"):
            await kitchen.waiting["k"].wait()
        await kitchen.cancelled["k"].wait()
        async with opened(served, "/v1/ticks?count=9&key=l") as socket:
            await kitchen.waiting["l"].wait()
            socket.transport.abort()
            await kitchen.cancelled["l"].wait()


class Deaf(Kitchen):
    """Answers nothing, and reads nothing after the first."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    async def Converse(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.TickResponse]:
        async for tick in request_iterator:
            self.read += 1
            self.waiting["deaf"].set()
            try:
                await self.released["deaf"].wait()
            except asyncio.CancelledError:
                self.cancelled["deaf"].set()
                raise
            yield tick


async def test_a_client_that_leaves_behind_unread_messages_cancels_the_servicer(serve: Serve) -> None:
    kitchen = Deaf()
    async with serve(kitchen) as served, asyncio.timeout(20):
        async with opened(served, "/v1/converse") as socket:
            for _ in range(5):
                await socket.send("{}")
            await kitchen.waiting["deaf"].wait()
        await kitchen.cancelled["deaf"].wait()
        assert kitchen.read == 1


async def test_a_slow_servicer_makes_its_client_wait(serve: Serve) -> None:
    kitchen = Deaf()
    frame = pb.TickResponse(text="x" * 100_000).SerializeToString()
    async with (
        serve(kitchen, websocket_ping_seconds=0.1) as served,
        opened(served, "/v1/converse", PROTO, ping_interval=None) as socket,
        asyncio.timeout(30),
    ):
        flooding = asyncio.ensure_future(send_all(socket, [frame] * 500))
        await kitchen.waiting["deaf"].wait()
        assert not (await asyncio.wait({flooding}, timeout=1))[0]
        assert kitchen.read == 1
        # Its data is no longer read, but its disconnect is noticed.
        socket.transport.abort()
        await kitchen.cancelled["deaf"].wait()
        await asyncio.gather(flooding, return_exceptions=True)


class Pinged(ClientConnection):
    """A client that counts the pings it answers."""

    pings = 0

    def process_event(self, event: Any) -> None:
        """Called by websockets for each frame."""
        if getattr(event, "opcode", None) is Opcode.PING:
            self.pings += 1
            if self.pings == 8:
                self.often.set()
        super().process_event(event)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.often = asyncio.Event()


async def test_idle_clients_are_pinged(serve: Serve) -> None:
    async with (
        serve(websocket_ping_seconds=0.05) as served,
        opened(served, "/v1/converse", create_connection=Pinged) as socket,
        asyncio.timeout(20),
    ):
        assert isinstance(socket, Pinged)
        await socket.often.wait()


async def test_a_client_that_answers_no_ping_is_disconnected(serve: Serve) -> None:
    class Mute(ClientConnection):
        def data_received(self, data: bytes) -> None:
            if self.response is None:
                super().data_received(data)

    kitchen = Kitchen()
    async with (
        serve(kitchen, websocket_ping_seconds=0.2) as served,
        opened(served, "/v1/ticks?count=9&key=k", create_connection=Mute, close_timeout=0.1),
        asyncio.timeout(20),
    ):
        await kitchen.cancelled["k"].wait()


async def test_a_slow_servicer_keeps_its_connection(serve: Serve) -> None:
    """Its client's pongs stand behind messages that it has not read yet."""
    kitchen = Deaf()
    async with (
        serve(kitchen, websocket_ping_seconds=0.05) as served,
        opened(served, "/v1/converse", PROTO, create_connection=Pinged, ping_interval=None) as socket,
        asyncio.timeout(30),
    ):
        assert isinstance(socket, Pinged)
        frame = pb.TickResponse(text="x" * 40_000).SerializeToString()
        sending = asyncio.ensure_future(send_all(socket, [frame] * 200))
        await kitchen.waiting["deaf"].wait()
        await socket.often.wait()
        kitchen.released["deaf"].set()
        for _ in range(200):
            assert len(await socket.recv()) == len(frame)
        await sending
        await socket.send("")
        assert await until_closed(socket) == ([], 1000, "")


async def send_all(socket: ClientConnection, frames: list[bytes]) -> None:
    for frame in frames:
        await socket.send(frame)


@pytest.mark.parametrize("how", ["header", "query", "frame"])
async def test_a_deadline_ends_the_stream(served: Served, how: str) -> None:
    target = "/v1/ticks?count=1&key=never"
    headers = {"x-server-timeout": "0.05"} if how == "header" else {}
    query = {"query": "&$metadata[x-server-timeout]=0.05", "frame": "&$metadata=frame"}.get(how, "")
    async with opened(served, target + query, additional_headers=headers) as socket:
        if how == "frame":
            await socket.send('{"metadata":{"grpc-timeout":"50m"}}')
        frames, code, _ = await until_closed(socket)
        assert code == 4004
        assert any("DEADLINE_EXCEEDED" in str(frame) for frame in frames)
