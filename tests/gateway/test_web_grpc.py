"""gRPC on the HTTP port: what raw frames and grpcio's client see, and that the gRPC port answers alike."""

from __future__ import annotations

import asyncio
import base64
import gzip
from typing import Any

import grpc
import h2.events as ev
import pytest
from google.rpc import status_pb2

from diptych.framing.envelope import HEAD, envelope
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, serving
from tests.gateway.http2_client import Client, connected, fields
from tests.kitchen import Context, Kitchen

BOTH_WAYS = True

SERVICE = "/kitchen.v1.KitchenService/"
DISH = envelope(0, pb.GetDishRequest(dish_id="7").SerializeToString())


async def call(
    client: Client, method: str, body: bytes, **headers: str
) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """Headers, body and trailers of one call."""
    given = {"content-type": "application/grpc", "te": "trailers", **headers}
    path = method if "/" in method else SERVICE + method
    stream = client.request(path, "POST", end=False, headers=list(given.items()))
    await client.upload(stream, body)
    head, data = await client.response(stream)
    trailers = [
        fields(one) for one in client.events if isinstance(one, ev.TrailersReceived) and one.stream_id == stream
    ]
    if not trailers:  # Trailers-Only: the status is in the head
        trailers = [{name: value for name, value in head.items() if name.startswith("grpc-")}]
    return head, data, trailers[0]


async def test_a_unary_call_on_the_wire(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(single_port=True) as served, connected(served.gateway.http_port) as client:
        head, data, trailers = await call(client, "GetDish", DISH)
        assert head[":status"] == "200"
        assert head["content-type"] == "application/grpc"
        assert HEAD.unpack_from(data) == (0, len(data) - 5)
        assert pb.Dish.FromString(data[5:]).id == "7"
        assert trailers == {"grpc-status": "0"}


async def test_an_error_is_percent_encoded_and_has_its_details(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(single_port=True) as served, connected(served.gateway.http_port) as client:
        request = pb.FailRequest(code=5, how="status", message="no söup\n%")
        _, data, trailers = await call(client, "Fail", envelope(0, request.SerializeToString()))
        assert data == b""
        assert trailers["grpc-status"] == "5"
        assert trailers["grpc-message"] == "no s%C3%B6up%0A%25"
        coded = trailers["grpc-status-details-bin"]
        assert "=" not in coded
        rich = status_pb2.Status.FromString(base64.b64decode(coded + "=" * (-len(coded) % 4)))
        assert (rich.code, rich.message, len(rich.details)) == (5, "no söup\n%", 1)


_GZIPPED = envelope(1, gzip.compress(DISH[5:], mtime=0))


@pytest.mark.parametrize(
    ("body", "headers", "code", "message"),
    [
        (b"", {}, 12, "expected one request message, got none"),  # statuscodes.md: cardinality violation
        (DISH + DISH, {}, 12, "expected one request message, got more"),
        (DISH[:-1], {}, 13, "truncated request: the last message is incomplete"),
        (DISH[:3], {}, 13, "truncated request: the last message is incomplete"),
        (envelope(0x40, b""), {}, 13, "unsupported envelope flags 0x40; expected 0x00 or 0x01"),
        (envelope(1, b"x"), {}, 13, "a message has the compressed flag, but no header names its encoding"),
        (
            envelope(1, b"no gzip at all"),
            {"grpc-encoding": "gzip"},
            13,
            "a message is not valid gzip, the encoding of the request",
        ),
        (DISH, {"grpc-encoding": "br"}, 12, "unsupported message encoding 'br'; expected gzip, deflate or identity"),
        (HEAD.pack(0, 2000), {}, 8, "the request is larger than 1000 bytes"),
        (
            envelope(1, gzip.compress(bytes(5000), mtime=0)),
            {"grpc-encoding": "gzip"},
            8,
            "the request is larger than 1000 bytes",
        ),
        (envelope(0, b"\xff\xff"), {}, 3, "cannot parse the request as the method's request type"),
        (
            DISH,
            {"grpc-timeout": "soon"},
            3,
            "grpc-timeout: invalid value 'soon'; expected 1 to 8 digits and a unit (H, M, S, m, u or n)",
        ),
        (DISH, {"x-a-bin": "!"}, 3, "x-a-bin: expected base64, as in every header whose name ends in -bin"),
        (DISH, {"grpc-timeout": "0n"}, 4, "Deadline Exceeded"),
    ],
)
async def test_broken_requests_have_a_clear_status(
    serve: Serve, body: bytes, headers: dict[str, str], code: int, message: str
) -> None:
    limited = serve(single_port=True, max_body_bytes=1000)
    async with asyncio.timeout(20), limited as served, connected(served.gateway.http_port) as client:
        _, data, trailers = await call(client, "GetDish", body, **headers)
        assert (int(trailers["grpc-status"]), trailers["grpc-message"], data) == (code, message, b"")
        assert (await call(client, "GetDish", _GZIPPED, **{"grpc-encoding": "gzip"}))[2] == {"grpc-status": "0"}


async def test_unsupported_versions_and_types_are_refused(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(single_port=True) as served:
        answer = await served.http.post(SERVICE + "GetDish", content=DISH, headers={"content-type": "application/grpc"})
        assert answer.status_code == 505
        assert "HTTP/2" in answer.text
        answer = await served.http.post(
            SERVICE + "GetDish", content=DISH, headers={"content-type": "application/grpc+x"}
        )
        assert answer.status_code == 415
        assert "application/grpc+proto" in answer.headers["accept-post"]
        async with connected(served.gateway.http_port) as client:
            assert (await call(client, "/no.Such/Method", DISH))[2] == {
                "grpc-status": "12",
                "grpc-message": "Method not found!",
            }


async def test_json_messages_in_grpc_envelopes(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(single_port=True) as served, connected(served.gateway.http_port) as client:
        body = envelope(0, b'{"count": 1}')
        head, data, trailers = await call(client, "Tick", body, **{"content-type": "application/grpc+json"})
        assert head["content-type"] == "application/grpc+json"
        assert data == envelope(0, b'{"number":"1","text":"tick"}')
        assert trailers == {"grpc-status": "0"}


class Squeezing(Kitchen):
    """Asks for compression, but not of the second message."""

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        context.set_compression(grpc.Compression.Gzip)
        return pb.Dish(id=request.dish_id)

    async def Tick(self, request: pb.TickRequest, context: Context) -> Any:
        context.set_compression(grpc.Compression.Deflate)
        for number in range(request.count):
            if number == 1:
                context.disable_next_message_compression()
                await asyncio.sleep(0)
            yield pb.TickResponse(number=number)


def flags_of(data: bytes) -> list[int]:
    """The flags of each envelope."""
    found = []
    while data:
        flags, length = HEAD.unpack_from(data)
        found.append(flags)
        data = data[5 + length :]
    return found


async def test_responses_are_compressed_if_servicer_and_client_agree(serve: Serve) -> None:
    squeezing = serve(Squeezing(), single_port=True)
    async with asyncio.timeout(20), squeezing as served, connected(served.gateway.http_port) as client:
        accepts = {"grpc-accept-encoding": "identity, deflate, gzip"}
        head, data, _ = await call(client, "GetDish", DISH, **accepts)
        assert head["grpc-encoding"] == "gzip"
        assert flags_of(data) == [1]
        assert pb.Dish.FromString(gzip.decompress(data[5:])).id == "7"
        head, data, _ = await call(client, "GetDish", DISH, **{"grpc-accept-encoding": "identity,deflate"})
        assert "grpc-encoding" not in head
        assert flags_of(data) == [0]
        ticks = envelope(0, pb.TickRequest(count=4).SerializeToString())
        head, data, _ = await call(client, "Tick", ticks, **accepts)
        assert head["grpc-encoding"] == "deflate"
        assert flags_of(data) == [1, 0, 1, 1]


class Seen(Kitchen):
    """Remembers the metadata of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, ...]] = []

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        self.seen.append(tuple(context.invocation_metadata() or ()))
        return await super().GetDish(request, context)


async def test_a_servicer_sees_the_same_metadata_as_with_grpcio() -> None:
    kitchen = Seen()
    metadata = (("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\0,\xff"), ("authorization", "Bearer x"))
    for single_port in (True, False):
        async with asyncio.timeout(20), serving(kitchen, single_port=single_port) as served:
            await served.rpc.GetDish(pb.GetDishRequest(dish_id="7"), metadata=metadata, timeout=10)
    one, two = kitchen.seen
    assert one == two


async def test_a_streams_headers_are_sent_when_the_servicer_sends_them(serve: Serve) -> None:
    class Early(Kitchen):
        async def Tick(self, request: pb.TickRequest, context: Context) -> Any:
            await context.send_initial_metadata((("x-early", "1"),))
            await self.released["go"].wait()
            yield pb.TickResponse(number=1)

    kitchen = Early()
    async with asyncio.timeout(20), serve(kitchen, single_port=True) as served:
        ticks = served.rpc.Tick(pb.TickRequest(count=1))
        assert ("x-early", "1") in tuple(await ticks.initial_metadata())
        kitchen.released["go"].set()
        assert [tick.number async for tick in ticks] == [1]


@pytest.mark.parametrize("method", ["Wait", "Tick"])
async def test_calls_that_outlive_a_stop_are_unavailable(serve: Serve, method: str) -> None:
    kitchen = Kitchen()
    async with asyncio.timeout(20), serve(kitchen, single_port=True) as served:
        if method == "Wait":
            waiting = asyncio.ensure_future(_end(served.rpc.Wait(pb.WaitRequest(key="k"))))
        else:
            waiting = asyncio.ensure_future(_end(served.rpc.Tick(pb.TickRequest(key="k", count=2)).read()))
        await kitchen.waiting["k"].wait()
        await served.gateway.stop(0)
        assert (await waiting).code() is grpc.StatusCode.UNAVAILABLE
        await kitchen.cancelled["k"].wait()


async def _end(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call
    return ended.value


async def test_a_deadline_is_answered_at_once_and_cancels(serve: Serve) -> None:
    kitchen = Kitchen()
    async with asyncio.timeout(20), serve(kitchen, single_port=True) as served:
        async with connected(served.gateway.http_port) as client:
            body = envelope(0, pb.WaitRequest(key="k").SerializeToString())
            _, _, trailers = await call(client, "Wait", body, **{"grpc-timeout": "50m"})
            assert trailers == {"grpc-status": "4", "grpc-message": "Deadline Exceeded"}
        await kitchen.cancelled["k"].wait()


class Refusing(Kitchen):
    """Fails, with initial metadata or without."""

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        if request.dish_id:
            await context.send_initial_metadata((("x-oven", "cold"),))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    async def Tick(self, request: pb.TickRequest, context: Context) -> Any:
        await self.GetDish(pb.GetDishRequest(), context)
        yield pb.TickResponse()


async def test_a_call_that_fails_at_once_is_trailers_only(serve: Serve) -> None:
    """Clients retry no call that has response headers apart from its status (gRFC A6)."""
    async with serve(Refusing(), single_port=True) as served, connected(served.gateway.http_port) as client:
        for method, body in (("GetDish", envelope(0, b"")), ("Tick", envelope(0, b""))):
            head, data, _ = await call(client, method, body)
            assert not [event for event in client.events if isinstance(event, ev.TrailersReceived)]
            assert data == b""
            assert head == {
                ":status": "200",
                "content-type": "application/grpc",
                "grpc-status": "14",
                "grpc-message": "not now",
            }
        head, _, trailers = await call(client, "GetDish", DISH)
        assert head["x-oven"] == "cold"
        assert "grpc-status" not in head
        assert trailers == {"grpc-status": "14", "grpc-message": "not now"}


async def test_health_is_served(serve: Serve) -> None:
    async with asyncio.timeout(20), serve(single_port=True) as served, connected(served.gateway.http_port) as client:
        _, data, _ = await call(client, "/grpc.health.v1.Health/Check", envelope(0, b""))
        assert data == envelope(0, b"\x08\x01")  # SERVING
