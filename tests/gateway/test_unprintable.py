"""A stream of which one message cannot be printed: those before it arrive, on every face, and then the error.

The servicer sends all of them without waiting, so that they are printed by one call.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import h2.events as ev
import httpx2
import pytest
from google.protobuf import any_pb2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from diptych.framing.envelope import HEAD, envelope

from .compiled import compiled, message, serving_compiled
from .http2_client import connected, fields

FILE = compiled(
    "unprintable/v1/unprintable.proto",
    """
    syntax = "proto3";
    package unprintable.v1;
    import "google/api/annotations.proto";
    import "google/protobuf/any.proto";
    service Watch {
      rpc Items(Item) returns (stream Item) {
        option (google.api.http) = {get: "/v1/items"};
      }
    }
    message Item {
      int32 number = 1;
      google.protobuf.Any any = 2;
    }
    """,
)
Item = message(FILE, "Item")
METHOD = "/unprintable.v1.Watch/Items"
UNKNOWN = any_pb2.Any(type_url="type.googleapis.com/nobody.knows.This", value=b"\x08\x01")


async def items(request: Any, context: Any) -> AsyncIterator[Any]:
    """Sends numbers from 1; the message `request.number` cannot be printed."""
    for number in range(1, 6):
        yield Item(number=number, any=UNKNOWN) if number == request.number else Item(number=number)


@pytest.mark.parametrize("form", ["application/json", "application/x-ndjson", "text/event-stream"])
async def test_rest(form: str) -> None:
    async with serving_compiled(FILE, {"Items": items}) as (_, http):
        text = ""
        async with http.stream("GET", "/v1/items?number=3", headers={"accept": form}) as answer:
            with contextlib.suppress(httpx2.RemoteProtocolError):  # the response may be cut after the error
                async for piece in answer.aiter_text():
                    text += piece
        assert [number for number in range(1, 6) if f'"number":{number}' in text] == [1, 2]
        assert text.index('"number":2') < text.index('"status":"INTERNAL"')
        assert "event: end" not in text
        if form == "text/event-stream":
            assert [line for line in text.splitlines() if line.startswith("id: ")] == ["id: 1", "id: 2"]


@pytest.mark.parametrize("form", ["application/json", "application/x-ndjson", "text/event-stream"])
async def test_rest_fails_as_a_whole_if_the_first_message_cannot_be_printed(form: str) -> None:
    async with serving_compiled(FILE, {"Items": items}) as (_, http):
        answer = await http.get("/v1/items?number=1", headers={"accept": form})
        assert (answer.status_code, answer.json()["error"]["status"]) == (500, "INTERNAL")


@pytest.mark.parametrize("path", ["/v1/items?number=3", METHOD])
async def test_websocket(path: str) -> None:
    async with serving_compiled(FILE, {"Items": items}) as (gateway, _):
        protocols = [Subprotocol("diptych.v1.json")]
        address = f"ws://127.0.0.1:{gateway.http_port}{path}"
        async with asyncio.timeout(20), connect(address, subprotocols=protocols, proxy=None) as socket:
            if path == METHOD:
                await socket.send('{"number":3}')
            *messages, failure = await _frames(socket)
            assert [one["number"] for one in messages] == [1, 2]
            assert failure["error"]["status"] == "INTERNAL"


async def _frames(socket: ClientConnection) -> list[Any]:
    frames = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            frames.append(json.loads(await socket.recv()))
    return frames


@pytest.mark.parametrize("media", ["application/connect+json", "application/grpc-web+json"])
async def test_rpc_over_http_1(media: str) -> None:
    async with serving_compiled(FILE, {"Items": items}) as (_, http):
        answer = await http.post(METHOD, content=envelope(0, b'{"number":3}'), headers={"content-type": media})
        assert answer.status_code == 200
        *messages, (flags, end) = _envelopes(answer.content)
        assert [json.loads(data)["number"] for _, data in messages] == [1, 2]
        assert flags in (0x02, 0x80)
        assert b'"code":"internal"' in end or b"grpc-status: 13" in end


def _envelopes(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        flags, size = HEAD.unpack_from(data)
        found.append((flags, data[5 : 5 + size]))
        data = data[5 + size :]
    return found


async def test_grpc() -> None:
    async def broken(request: Any, context: Any) -> AsyncIterator[Any]:
        yield Item(number=1)
        yield Item(number=2)
        yield "no message, and so nothing that can be serialized"

    async with (
        serving_compiled(FILE, {"Items": broken}) as (gateway, _),
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        call: Any = channel.unary_stream(METHOD, Item.SerializeToString, Item.FromString)(Item())
        assert [(await call.read()).number for _ in range(2)] == [1, 2]
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert failed.value.code() == grpc.StatusCode.INTERNAL


async def test_grpc_with_json() -> None:
    async with (
        asyncio.timeout(20),
        serving_compiled(FILE, {"Items": items}, single_port=True) as (gateway, _),
        connected(gateway.http_port) as client,
    ):
        headers = [("content-type", "application/grpc+json"), ("te", "trailers")]
        stream = client.request(METHOD, "POST", end=False, headers=headers)
        await client.upload(stream, envelope(0, b'{"number":3}'))
        _, data = await client.response(stream)
        assert [json.loads(text)["number"] for _, text in _envelopes(data)] == [1, 2]
        trailers = [fields(one) for one in client.events if isinstance(one, ev.TrailersReceived)]
        assert trailers[0]["grpc-status"] == "13"
