"""Paths that are no text: whoever asks for one ends no server, on every engine."""

from __future__ import annotations

import asyncio

import grpc
import h2.events
import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served, every_engine
from tests.gateway.http2_client import Client, connected
from tests.waiting import answered

ENDS = (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)


async def ask(client: Client, path: bytes) -> None:
    """Begin a call, and read until there is an answer of any kind."""
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x")]
    client.h2.send_headers(1, [*fields, (b"content-type", b"application/grpc"), (b"te", b"trailers")], end_stream=True)
    await client.flush()
    await client.until(lambda: client.closed or any(isinstance(one, ENDS) for one in client.events))


async def dish(served: Served) -> str:
    """A dish of the server that is there again; the one that ends may still take calls along."""

    async def asked() -> str:
        return (await served.rpc.GetDish(pb.GetDishRequest(dish_id="7"), wait_for_ready=True, timeout=60)).id

    return await answered(asked, lambda lost: isinstance(lost, grpc.aio.AioRpcError))


@every_engine
@pytest.mark.parametrize("path", [b"/kitchen.v1.KitchenServ\xa9/GetDish", b"/\xff", b"/kitchen.v1.KitchenService/\xc3"])
async def test_a_path_that_is_no_text_ends_no_server(path: bytes, serve: Serve) -> None:
    """grpcio's server ends by itself then, with everybody's calls, and is started again."""
    async with serve() as served:
        for _ in range(3):
            async with asyncio.timeout(60), connected(served.gateway.grpc_port) as client:
                await ask(client, path)
            assert await dish(served) == "7"


@pytest.mark.parametrize("engine", ["grpcio"], indirect=True)
async def test_a_stream_that_goes_on_does_not_keep_the_port_closed(serve: Serve) -> None:
    """grpcio's server has closed its port by then, and would wait for its calls before it says that it has ended."""
    async with serve() as served:
        ticks = served.rpc.Tick(pb.TickRequest(count=2, key="k"))
        await served.kitchen.waiting["k"].wait()
        async with asyncio.timeout(60), connected(served.gateway.grpc_port) as client:
            await ask(client, b"/\xff")
        with pytest.raises(grpc.aio.AioRpcError):
            await ticks.read()
        assert await dish(served) == "7"
