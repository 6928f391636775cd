"""Paths that are not UTF-8: requests for them end no server, on every engine."""

from __future__ import annotations

import asyncio

import grpc
import h2.events
import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import WAYS, Serve, Served, every_engine
from tests.gateway.http2_client import Client, connected
from tests.waiting import answered

HEADS = (h2.events.TrailersReceived, h2.events.ResponseReceived)
ENDS = (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)


async def ask(client: Client, path: bytes) -> None:
    """Begins a call, and reads until there is a response of any kind."""
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x")]
    client.h2.send_headers(1, [*fields, (b"content-type", b"application/grpc"), (b"te", b"trailers")], end_stream=True)
    await client.flush()
    await client.until(lambda: client.closed or any(isinstance(one, ENDS) for one in client.events))


async def dish(served: Served) -> str:
    """Returns a dish from the restarted server; the ending one may still fail calls."""

    async def asked() -> str:
        return (await served.rpc.GetDish(pb.GetDishRequest(dish_id="7"), wait_for_ready=True, timeout=60)).id

    return await answered(asked, lambda lost: isinstance(lost, grpc.aio.AioRpcError))


@every_engine
@pytest.mark.parametrize("path", [b"/kitchen.v1.KitchenServ\xa9/GetDish", b"/\xff", b"/kitchen.v1.KitchenService/\xc3"])
async def test_a_path_that_is_not_utf8_ends_no_server(path: bytes, serve: Serve) -> None:
    """grpcio's server then ends with all its calls, and is started again."""
    async with serve() as served:
        for _ in range(3):
            async with asyncio.timeout(60), connected(served.gateway.grpc_port) as client:
                await ask(client, path)
            assert await dish(served) == "7"


SLASHED = ["/kitchen.v1.KitchenService%2FGetDish", "/kitchen.v1.KitchenService%2fGetDish"]


@pytest.mark.parametrize("slashed", SLASHED)
@pytest.mark.parametrize("engine", ["builtin", "single-port"], indirect=True)
@pytest.mark.parametrize("way", WAYS, indirect=True)
async def test_an_encoded_slash_over_grpc_is_no_separator(slashed: str, serve: Serve) -> None:
    """RFC 3986 section 2.2: it is data of a segment, and a proxy's rule for the method does not match it."""
    async with serve() as served, asyncio.timeout(60):
        for path, status in ((slashed, 12), (slashed.replace("%2F", "/").replace("%2f", "/"), 0)):
            async with connected(served.gateway.grpc_port) as client:
                fields = [
                    (b":method", b"POST"),
                    (b":scheme", b"http"),
                    (b":path", path.encode()),
                    (b":authority", b"x"),
                ]
                client.h2.send_headers(1, [*fields, (b"content-type", b"application/grpc"), (b"te", b"trailers")])
                client.h2.send_data(1, bytes(5), end_stream=True)
                await client.flush()
                await client.event(h2.events.StreamEnded)
                heads = [one for one in client.events if isinstance(one, HEADS)]
                statuses = [value for one in heads for name, value in one.headers if str(name) == "grpc-status"]
                assert [int(value) for value in statuses] == [status], path


@pytest.mark.parametrize("slashed", SLASHED)
@pytest.mark.parametrize("way", WAYS, indirect=True)
async def test_an_encoded_slash_over_http_is_no_separator(slashed: str, serve: Serve) -> None:
    async with serve(gateway={"unbound": "auto"}) as served:
        for kind, body in (
            ("application/json", b"{}"),
            ("application/proto", b""),
            ("application/grpc-web+proto", bytes(5)),
            ("application/connect+json", bytes(5)),
        ):
            headers = {"content-type": kind, "connect-protocol-version": "1"}
            found = await served.http.post(slashed, content=body, headers=headers)
            refused = b"grpc-status: 12" in found.content or b"unimplemented" in found.content
            assert found.status_code == 404 or refused, kind
        asked = {"connect": "v1", "encoding": "json", "message": "{}"}
        assert (await served.http.get(slashed, params=asked)).status_code in (404, 405)


@pytest.mark.parametrize("engine", ["grpcio"], indirect=True)
async def test_a_running_stream_does_not_keep_the_port_closed(serve: Serve) -> None:
    """grpcio's server has then closed its port, and waits for its calls before it reports its end."""
    async with serve() as served:
        ticks = served.rpc.Tick(pb.TickRequest(count=2, key="k"))
        await served.kitchen.waiting["k"].wait()
        async with asyncio.timeout(60), connected(served.gateway.grpc_port) as client:
            await ask(client, b"/\xff")
        with pytest.raises(grpc.aio.AioRpcError):
            await ticks.read()
        assert await dish(served) == "7"
